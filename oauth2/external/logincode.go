package external

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

var (
	_ auth.Authenticator = (*Logins)(nil)
	_ auth.Named         = (*Logins)(nil)
	_ auth.Challenger    = (*Logins)(nil)
	_ auth.TokenOwner    = (*Logins)(nil)
	_ auth.Varier        = (*Logins)(nil)
)

// The refusals of codes. Unknown, used, expired and wrong have one answer.
var (
	errUnknownCode = errCode("no such code is kept: it was used, has expired or was never issued, see " +
		"Config.Apps.CodeTTL")
	errWrongVerifier = errCode("the code_verifier does not fit the code_challenge of the login (RFC 7636 §4.6)")
	errCodeStamp     = errCode("the AuthStamp of the user has changed since the login, as with a new password")
	errCodeUnlinked  = errCode("the identity was unlinked from the user since the login")
	errVerifier      = malformed("login_code and code_verifier are both required.",
		"the body has one of login_code and code_verifier without the other")
	errLongVerifier = malformed("code_verifier has less than 43 or more than 128 characters.",
		"the code_verifier is not 43 to 128 characters (RFC 7636 §4.1)")
)

func errCode(why string) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeAuthenticationFailed,
		Detail: "The login code is not good.", Cause: errors.New(why)}
}

func malformed(detail, why string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errors.New(why)}
}

// The lengths of a verifier (RFC 7636 §4.1).
const (
	minVerifier = 43
	maxVerifier = 128
)

// Authenticate implements [auth.Authenticator] for single-page and native apps, which
// get no token in a URL, but a code that is good once, for Config.Apps.CodeTTL.
//
// An app makes a verifier (RFC 7636 §4.1) and opens {Path}/{provider}/ with "return_to",
// "code_challenge", "code_challenge_method" S256 and a "state" in a browser. After the
// login the browser is sent to return_to with "login_code" and "state", or with "error"
// and "state". The app then logs in by a POST of {"login_code", "code_verifier"}, in
// JSON or as a form, where the program's guard has Logins among its Config.Login:
//
//	guard, err := auth.New(auth.Config{
//		Backends: []auth.Authenticator{tokens, sessions}, Login: []auth.Authenticator{passwords, logins}})
//	handlers, err := tokens.Handlers(guard) // of knox or jwt
//
// A body without them is [auth.ErrNoCredentials], and a code that is unknown, used or
// expired, or has another verifier, [auth.ErrInvalid]: it is then used up. The credential
// is a [*Credential].
//
// Authenticate links nothing itself: hooks and limits of an issuer may still refuse. An
// account that Config.Accounts.ByEmail found is linked by [Credential.Finish], which the endpoints
// of knox, jwt and session call once they have issued. With Config.Apps.SecondFactor it is
// linked by [Logins.CompleteLink].
func (l *Logins) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	fields := backend.Fields{{Name: "login_code"}, {Name: "code_verifier"}}
	if err := fields.FromLogin(r); err != nil {
		return nil, nil, err
	}
	code, verifier := fields[0], fields[1]
	switch {
	case !code.Set && !verifier.Set:
		return nil, nil, auth.ErrNoCredentials
	case !code.Set || !verifier.Set:
		return nil, nil, errVerifier
	case len(verifier.Value) < minVerifier || len(verifier.Value) > maxVerifier:
		return nil, nil, errLongVerifier
	}
	ctx, now := r.Context(), time.Now()
	kept, err := l.config.Store.TakeCode(ctx, digest(code.Value), now)
	if err != nil {
		return nil, nil, backend.Outage(err)
	}
	switch {
	case kept == nil:
		return nil, nil, errUnknownCode
	case !same(kept.Challenge, challenge(verifier.Value)):
		return nil, nil, errWrongVerifier
	}
	user, err := l.config.LoadUser.Load(ctx, kept.UserID)
	if err != nil {
		return nil, nil, err
	}
	var data codeData
	if !backend.SameStamp(kept.Stamp, backend.Stamp(backendName, user)) {
		return nil, nil, errCodeStamp
	}
	if err := json.Unmarshal(kept.Data, &data); err != nil {
		return nil, nil, backend.Outage(fmt.Errorf("oauth2/external: a code in the store: %w", err))
	}
	if data.Unlinked == nil {
		if err := l.checkLinked(ctx, &data.Profile, kept.UserID); err != nil {
			return nil, nil, err
		}
	}
	resolved := &resolvedUser{user, data.Unlinked}
	if l.config.Apps.SecondFactor {
		return user, l.credential(&data.Profile, resolved, data.At), nil
	}
	credential := l.credential(&data.Profile, &resolvedUser{user: user}, data.At)
	credential.finish = func(ctx context.Context) *failure { return l.linkFound(ctx, resolved) }
	return user, credential, nil
}

// checkLinked refuses a code if its identity was unlinked since, or is linked to another user.
func (l *Logins) checkLinked(ctx context.Context, p *Profile, userID string) error {
	has, err := l.config.Store.Identity(ctx, p.Issuer, p.Subject)
	switch {
	case err != nil:
		return backend.Outage(err)
	case has == nil || has.UserID != userID:
		return errCodeUnlinked
	}
	return nil
}

// backendName is what credentials and events name these logins. It also tells our
// hashes of a user's stamp from those of others.
const backendName = "login"

// Backend returns "login".
func (l *Logins) Backend() string { return backendName }

// Challenges returns one of the scheme "Form", because a 401 must have one (RFC 9110
// §15.5.2). No RFC defines it, and no browser acts on it.
func (l *Logins) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Form"}} }

// OwnTokens returns an empty list: there are no tokens in a header.
func (l *Logins) OwnTokens() []auth.TokenClass { return nil }

// Vary returns an empty list: codes come in bodies.
func (l *Logins) Vary() []string { return nil }

// codeData is what is kept of a login: not all that the provider said.
type codeData struct {
	Profile  Profile   `json:"profile"`
	At       time.Time `json:"at"`
	Unlinked *Identity `json:"unlinked,omitempty"` // to link when the code is exchanged
}

// issueCode makes a code for an app.
func (l *Logins) issueCode(ctx context.Context, resolved *resolvedUser, login *Credential,
	challenge string) (string, error) {
	data := codeData{*login.Profile, login.at, resolved.unlinked}
	data.Profile.Claims = nil
	text, err := json.Marshal(data)
	if err != nil {
		return "", errors.New("oauth2/external: a profile that is no JSON")
	}
	code := newSecret()
	return code, l.config.Store.AddCode(ctx, &Code{Digest: digest(code), UserID: resolved.user.UserID(),
		Stamp: backend.Stamp(backendName, resolved.user), Challenge: challenge, Data: text,
		ExpiresAt: backend.StoreTime(login.at.Add(l.config.Apps.CodeTTL))})
}
