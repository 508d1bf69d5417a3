package external

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// pendingLinkTTL is how long an application may take for a second factor.
const pendingLinkTTL = time.Hour

// pendingLinkPurpose is the purpose of the seal of a pending link.
const pendingLinkPurpose = "pending link"

// pendingLink is a link to an account that existed, until the login is complete.
type pendingLink struct {
	Identity *Identity `json:"i"`
	Stamp    string    `json:"s,omitempty"` // hash of the user's stamp
	Expires  int64     `json:"e"`           // seconds since 1970
}

// credential returns the credential of a login.
func (l *Logins) credential(profile *Profile, resolved *resolvedUser, now time.Time) *Credential {
	c := &Credential{Profile: profile, info: l.authInfo(profile, now), at: now}
	if resolved.unlinked != nil {
		c.pendingLink = l.sealPendingLink(resolved.unlinked, backend.Stamp(backendName, resolved.user), now)
	}
	return c
}

// sealContext returns the context (associated data) of what is sealed for a purpose. Text that was sealed with another
// context, such as by another service with the same keys, cannot be opened.
func (l *Logins) sealContext(purpose string) string {
	return purpose + " of " + l.origin + l.config.Path
}

func (l *Logins) sealPendingLink(identity *Identity, stamp string, now time.Time) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // escaped, "<" takes six bytes
	_ = encoder.Encode(pendingLink{identity, stamp, now.Add(pendingLinkTTL).Unix()})
	return seal.Seal(l.seals, text.Bytes(), l.sealContext(pendingLinkPurpose))
}

// PendingLink returns the link to a user that waits until the login is complete, for [Logins.CompleteLink]. It is "" if
// the identity is linked already. It is sealed and has at most 4096 characters of base64url, so that a browser may keep
// it.
func (c *Credential) PendingLink() string { return c.pendingLink }

// Finish implements [backend.Finisher]: it links the identity of a login of an app to the account that
// Config.Accounts.ByEmail found, if there is one and Config.Apps.SecondFactor is not set. Call it after
// [Logins.Authenticate] if no endpoint of knox, jwt or session does, once the login has succeeded. Errors are those of
// [Logins.CompleteLink].
func (c *Credential) Finish(ctx context.Context) error {
	if c.finish == nil {
		return nil
	}
	if f := c.finish(ctx); f != nil {
		return f.err()
	}
	return nil
}

// CompleteLink links the identity of a login to the user, after the login is complete. Call it with
// [Credential.PendingLink] of the login
//
//   - if Config.SignIn returned [ErrAnswered], after the second factor was passed
//   - after [Logins.FromToken] and [Logins.FromIDToken]
//   - after [Logins.Authenticate], if Config.Apps.SecondFactor is set
//
// The user must be the one that the login was of. Only the UserID is read: CompleteLink loads the user by
// Config.LoadUser, so that it decides by what is true now, and not by what was true before the second factor. Nothing
// happens if pending is "". If CompleteLink is not called within an hour, the identity is not linked, and
// Config.Accounts.ByEmail finds the user again at the next login. Errors are answered by Guard.Refuse:
//
//   - [auth.ErrInvalid]: pending was changed, has expired, or is of another user, of another AuthStamp or of another
//     service (Config.URL and Path), or was used and what it linked is linked to the user no more
//   - [auth.ErrInsufficient], with the Code "inactive": the user is closed or was deleted
//   - [auth.ErrInsufficient], with the Code "taken": the identity was linked to another user meanwhile
//   - [auth.ErrInsufficient], with the Code "account_exists": the user has another identity of this issuer by now
//   - any other error: the store failed. Let the user begin the login again, since pending may be used up
func (l *Logins) CompleteLink(ctx context.Context, user auth.User, pending string) error {
	if pending == "" {
		return nil
	}
	current, f := l.load(ctx, user.UserID())
	if f != nil {
		return f.err()
	}
	identity, err := l.openPendingLink(current, pending, time.Now())
	if err != nil {
		return &auth.Error{Kind: auth.ErrInvalid, Cause: err}
	}
	if f := l.linkPending(ctx, &resolvedUser{current, identity}, time.Now()); f != nil {
		return f.err()
	}
	return nil
}

// linkPending links the identity of a pending link, which is good once. If it was used before and what it linked is
// still linked, as where a form is sent twice, there is nothing to do.
func (l *Logins) linkPending(ctx context.Context, resolved *resolvedUser, now time.Time) *failure {
	identity := resolved.unlinked
	fresh, err := l.config.Store.PutOnce(ctx, "pending "+identity.ID, now.Add(pendingLinkTTL), now)
	if err != nil {
		return &failure{Reason: reasonUnavailable, cause: err}
	}
	if fresh {
		return l.linkFound(ctx, resolved)
	}
	has, err := l.config.Store.Identity(ctx, identity.Issuer, identity.Subject)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case has != nil && has.UserID == resolved.user.UserID():
		return nil
	}
	return &failure{Reason: reasonUsed, cause: errPendingUsed}
}

// openPendingLink returns the identity to link to user. Otherwise the error says why.
func (l *Logins) openPendingLink(user auth.User, sealed string, now time.Time) (*Identity, error) {
	var p pendingLink
	text, err := seal.Open(l.seals, sealed, l.sealContext(pendingLinkPurpose))
	switch {
	case err != nil || json.Unmarshal(text, &p) != nil || p.Identity == nil || p.Identity.ID == "":
		return nil, errPendingSealed
	case !now.Before(time.Unix(p.Expires, 0)):
		return nil, errPendingLate
	case p.Identity.UserID != user.UserID():
		return nil, failedValue("the login to complete was of another user", user.UserID(), p.Identity.UserID)
	case !backend.SameStamp(p.Stamp, backend.Stamp(backendName, user)):
		return nil, errPendingStamp
	}
	return p.Identity, nil
}

// The causes of logins that are not completed.
var (
	errPendingSealed = errors.New("the pending link cannot be opened: it was changed, sealed by a key that is not " +
		"among Config.Keys, or made with another Config.URL or Path")
	errPendingLate  = errors.New("the pending link has expired: an hour has passed since the provider was left")
	errPendingUsed  = errors.New("the pending link was used before, and the identity is not linked to the user by now")
	errPendingStamp = errors.New("the AuthStamp of the user has changed since the provider was left, as with a new " +
		"password")
)
