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

// completeWithin is how long an application may take for a second factor.
const completeWithin = time.Hour

// pendingBound is what a pending link is sealed for, so that nothing else that is sealed by the keys is taken for one.
const pendingBound = "pending link"

// pending is a link to an account that existed, until the login is complete.
type pending struct {
	Identity *Identity `json:"i"`
	Stamp    string    `json:"s,omitempty"` // hash of the user's stamp
	Expires  int64     `json:"e"`           // seconds since 1970
}

// credential returns the credential of a login.
func (l *Logins) credential(profile *Profile, who *found, now time.Time) *Credential {
	c := &Credential{Profile: profile, info: l.authInfo(profile, now), at: now}
	if who.unlinked != nil {
		c.pending = l.sealPending(who.unlinked, backend.Stamp(backendName, who.user), now)
	}
	return c
}

// bound is what something is sealed for: its purpose, and this service. Another service with the same keys cannot open
// it.
func (l *Logins) bound(purpose string) string { return purpose + " of " + l.origin + l.config.Path }

func (l *Logins) sealPending(identity *Identity, stamp string, now time.Time) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // escaped, "<" takes six bytes
	_ = encoder.Encode(pending{identity, stamp, now.Add(completeWithin).Unix()})
	return seal.Seal(l.seals, text.Bytes(), l.bound(pendingBound))
}

// Pending returns the link to a user that waits until the login is complete, for [Logins.Complete]. It is "" if the
// identity is linked already. It is sealed and has at most 4096 characters of base64url, so that a browser may keep it.
func (l *Credential) Pending() string { return l.pending }

// Finish implements [backend.Finisher]: it links the identity of a login of an app to the account that
// Config.Accounts.ByEmail found, if there is one and Config.Apps.SecondFactor is not set. Call it after
// [Logins.Authenticate] if no endpoint of knox, jwt or session does, once the login has succeeded. Errors are those of
// [Logins.Complete].
func (l *Credential) Finish(ctx context.Context) error {
	if l.finish == nil {
		return nil
	}
	if f := l.finish(ctx); f != nil {
		return f.err()
	}
	return nil
}

// Complete links the identity of a login to the user, after the login is complete. Call it with [Credential.Pending]
// of the login
//
//   - if Config.SignIn returned [ErrAnswered], after the second factor was passed
//   - after [Logins.FromToken] and [Logins.FromIDToken]
//   - after [Logins.Authenticate], if Config.Apps.SecondFactor is set
//
// The user must be the one that the login was of. Only the UserID is read: Complete loads the user by Config.LoadUser,
// so that it decides by what is true now, and not by what was true before the second factor. Nothing happens if pending
// is "". If Complete is not called within an hour, the identity is not linked, and Config.Accounts.ByEmail finds the
// user again at the next login. Errors are answered by Guard.Refuse:
//
//   - [auth.ErrInvalid]: pending was changed, has expired, or is of another user, of another AuthStamp or of another
//     service (Config.URL and Path), or was used and what it linked is linked to the user no more
//   - [auth.ErrInsufficient], with the Code "inactive": the user is closed or was deleted
//   - [auth.ErrInsufficient], with the Code "taken": the identity was linked to another user meanwhile
//   - [auth.ErrInsufficient], with the Code "account_exists": the user has another identity of this issuer by now
//   - any other error: the store failed. Let the user begin the login again, since pending may be used up
func (l *Logins) Complete(ctx context.Context, user auth.User, pending string) error {
	if pending == "" {
		return nil
	}
	current, f := l.load(ctx, user.UserID())
	if f != nil {
		return f.err()
	}
	identity, err := l.openPending(current, pending, time.Now())
	if err != nil {
		return &auth.Error{Kind: auth.ErrInvalid, Cause: err}
	}
	if f := l.linkPending(ctx, &found{current, identity}, time.Now()); f != nil {
		return f.err()
	}
	return nil
}

// linkPending links the identity of a pending link, which is good once. If it was used before and what it linked is
// still linked, as where a form is sent twice, there is nothing to do.
func (l *Logins) linkPending(ctx context.Context, who *found, now time.Time) *failure {
	identity := who.unlinked
	fresh, err := l.config.Store.PutOnce(ctx, "pending "+identity.ID, now.Add(completeWithin), now)
	if err != nil {
		return &failure{Reason: reasonUnavailable, cause: err}
	}
	if fresh {
		return l.linkFound(ctx, who)
	}
	has, err := l.config.Store.Identity(ctx, identity.Issuer, identity.Subject)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case has != nil && has.UserID == who.user.UserID():
		return nil
	}
	return &failure{Reason: reasonUsed, cause: errPendingUsed}
}

// openPending returns the identity to link to user. Otherwise the error says why.
func (l *Logins) openPending(user auth.User, sealed string, now time.Time) (*Identity, error) {
	var p pending
	text, err := seal.Open(l.seals, sealed, l.bound(pendingBound))
	switch {
	case err != nil || json.Unmarshal(text, &p) != nil || p.Identity == nil || p.Identity.ID == "":
		return nil, errPendingSealed
	case !now.Before(time.Unix(p.Expires, 0)):
		return nil, errPendingLate
	case p.Identity.UserID != user.UserID():
		return nil, because("the login to complete was of another user", user.UserID(), p.Identity.UserID)
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
