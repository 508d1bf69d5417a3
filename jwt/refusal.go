package jwt

import (
	"cmp"
	"errors"
	"strconv"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// refusal is a token that is no good. Inside the package it is returned as an error. What
// leaves the package is [inHeader] or [inBody] of it, because clients of simplejwt read
// other words for a token in the Authorization header than for one in a body.
type refusal struct {
	says   *wording
	cause  error
	header error      // of one that is made once, or nil
	body   error      // of one that is made once, or nil
	stated auth.Error // what inHeader returns of the refusal of one token
}

// checkRefusal is a refusal with its cause, in one piece of memory.
type checkRefusal struct {
	refusal
	check cause.Check
}

// Error returns the cause.
func (r *refusal) Error() string { return r.cause.Error() }

// wording is what a client is told: the closed list below, in the words of simplejwt.
type wording struct{ header, body words }

type words struct {
	kind       error
	code       string
	detail     string
	extensions map[string]any
}

func (w *words) because(cause error) error {
	stated := w.state(cause)
	return &stated
}

func (w *words) state(cause error) auth.Error {
	return auth.Error{Kind: w.kind, Code: w.code, Detail: w.detail, Extensions: w.extensions, Cause: cause}
}

// refuse returns a refusal that is made once.
func (w *wording) refuse(why string) *refusal { return w.constant(errors.New(why)) }

func (w *wording) constant(err error) *refusal {
	return &refusal{says: w, cause: err, header: w.header.because(err), body: w.body.because(err)}
}

// because returns a refusal of one token.
func (w *wording) because(err error) *refusal {
	return &refusal{says: w, cause: err, stated: w.header.state(err)}
}

// withCheck is because for a check that failed. It copies c, so that it allocates only once.
func (w *wording) withCheck(c *cause.Check) *refusal {
	r := &checkRefusal{check: *c}
	r.says, r.cause, r.stated = w, &r.check, w.header.state(&r.check)
	return &r.refusal
}

func (r *refusal) inHeader() error {
	if r.header != nil {
		return r.header
	}
	return &r.stated
}

func (r *refusal) inBody() error {
	if r.body != nil {
		return r.body
	}
	return r.says.body.because(r.cause)
}

// inHeader returns err as it is told of a token in the Authorization header.
func inHeader(err error) error {
	if r, ok := err.(*refusal); ok {
		return r.inHeader()
	}
	return err
}

// inBody returns err as it is told of a token in a body.
func inBody(err error) error {
	if r, ok := err.(*refusal); ok {
		return r.inBody()
	}
	return err
}

const (
	codeNotValid  = "token_not_valid"
	codeBadHeader = "bad_authorization_header"

	detailNotValid = "Given token not valid for any token type"
	detailHeader   = "Authorization header must contain two space-delimited values"
)

// notValid is the wording for most refusals: in a header, message says what is wrong.
func notValid(message string) *wording {
	return &wording{
		header: words{kind: auth.ErrInvalid, code: codeNotValid, detail: detailNotValid, extensions: messages(message)},
		body:   words{kind: auth.ErrInvalid, code: codeNotValid, detail: message},
	}
}

func messages(message string) map[string]any {
	return map[string]any{"messages": []map[string]string{
		{"token_class": "AccessToken", "token_type": "access", "message": message}}}
}

// same is a wording that is the same in a header and in a body.
func same(code, detail string) *wording {
	both := words{kind: auth.ErrInvalid, code: code, detail: detail}
	return &wording{both, both}
}

var (
	saysUnrecognized = &wording{
		header: words{kind: auth.ErrUnrecognized, code: codeNotValid, detail: detailNotValid,
			extensions: messages("Token is invalid")},
		body: words{kind: auth.ErrInvalid, code: codeNotValid, detail: "Token is invalid"},
	}
	saysInvalid = notValid("Token is invalid")
	saysExpired = notValid("Token is expired")
	saysType    = notValid("Token has wrong type")
	saysNoID    = notValid("Token has no id")
	saysListed  = notValid("Token is blacklisted")

	saysNoUser    = same(codeNotValid, "Token contained no recognizable user identification")
	saysNotFound  = same("user_not_found", "User not found")
	saysInactive  = same("user_inactive", "User is inactive")
	saysChanged   = same("password_changed", "The user's password has been changed.")
	saysNoAccount = same("no_active_account", "No active account found for the given token.")

	saysTooLong = &wording{
		header: words{kind: auth.ErrMalformed, code: codeBadHeader, detail: "Authorization header is too long."},
		body:   words{kind: auth.ErrMalformed, detail: "The token is too long."},
	}
)

// Refusals by what anybody can send. Nothing of the token is in them.
var (
	errNotThreeParts = saysUnrecognized.refuse("the token is not three parts in base64url with a dot between " +
		"(RFC 7515 §7.1); an encrypted JWT has five and cannot be read")
	errHeaderNotJSON = saysUnrecognized.refuse("the header of the token is not a JSON object with an alg, or too long")
	errTooLong       = tooLong(maxToken, "")
	errNotClaims     = saysUnrecognized.refuse("the payload of the token is not a JSON object, or too large")

	errTwiceInHeader = saysInvalid.refuse("the header of the token has a parameter twice")
	errHeaderType    = saysInvalid.refuse("alg, kid or typ in the header of the token is not a string")
	errCritical      = saysInvalid.refuse("the header of the token has crit, and no extension is supported " +
		"(RFC 7515 §4.1.11)")
	errKeyInHeader = saysInvalid.refuse("the header of the token has jwk, jku, x5u or x5c, and keys come from " +
		"the configuration only")
	errEncrypted     = saysInvalid.refuse("the header of the token has enc or zip, which a signed token has not")
	errTwiceInClaims = saysInvalid.refuse("the token has a claim twice")
	errSignatureText = saysInvalid.refuse("the signature of the token is not base64url, or too long")
	errSignature     = saysInvalid.refuse(keyIsWrong)
)

// Refusals by what a store says.
var (
	errRevoked = saysListed.refuse("the store says that the token is revoked: its login or all of the user's " +
		"tokens were ended, or a sliding token was exchanged")
	errEnded  = saysListed.refuse("the login of the token was ended")
	errReused = saysListed.refuse("the refresh token was used before, and its login is ended now; see " +
		"Config.Lifetimes.Grace and Config.Compat.AllowRefreshReuse")
	errSeen      = saysListed.refuse("the token was exchanged or logged out before, and what came of it is ended now")
	errUnknown   = saysInvalid.refuse("the store has no such token: it was purged, or the store is another one")
	errNotTheirs = saysInvalid.refuse("the store has the token with another user or login than the token says")
	errOld       = saysExpired.refuse("the store says that the token or its login has expired")
	errSlidEnd   = saysExpired.refuse("the sliding token cannot be refreshed any more: its refresh_exp is past or " +
		"missing")
	errAdopted = saysInvalid.refuse("the token was made by something else, and no login here can be like it: " +
		"its scopes, its client or its claims; see Config.Scopes")
	errStamp   = saysChanged.refuse("the user's stamp is another one than when the token was issued")
	errNoStamp = saysChanged.refuse("the token has the stamp of its user, and the user that was loaded has none; " +
		"see auth.Stamper")
)

// tooLong refuses a token that is not looked at.
func tooLong(most int, setting string) *refusal {
	text := "the token is longer than " + strconv.Itoa(most) + " bytes"
	if setting != "" {
		text += "; see " + setting
	}
	return saysTooLong.refuse(text)
}

// cause returns a cause with the name of a setting of [Issuer], or of that setting in [Config]. It is
// small enough to be inlined, so that a check that is copied at once is not allocated.
func (i *issuer) cause(name, problem, setting string) *cause.Check {
	return &cause.Check{Name: name, Problem: problem, Owner: i.owner(), Setting: i.setting(setting)}
}

func (i *issuer) owner() string {
	if i.own != nil {
		return "Config"
	}
	return "Issuer"
}

// setting returns the name of a setting of [Issuer] where it is.
func (i *issuer) setting(name string) string {
	if i.own == nil {
		return name
	}
	return cmp.Or(settingsOfConfig[name], name)
}

// settingsOfConfig are the settings that have another name in [Config] than in [Issuer].
var settingsOfConfig = map[string]string{
	"Checks.AllowNoAudience": "Compat.AllowNoAudience",
	"Checks.AllowNoIssuer":   "Compat.AllowNoIssuer",
	"Claims":                 "Verify.Claims",
	"Format":                 "Compat.Format",
}
