package jwt

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
)

// Token is a token that was verified: the credential of a request. It is
// immutable and safe for concurrent use, and holds what the token says, not the
// token.
type Token struct {
	backend    string
	kind       kind
	issuer     string
	tenant     string // of an issuer that is a template, or ""
	subject    string
	audience   []string
	id         string
	sessionID  string
	clientID   string
	machine    string // the identifier of the machine that the token stands for, or ""
	scopes     []string
	limited    bool
	unscoped   string // why a limited token has no scopes, or ""
	issued     time.Time
	expires    time.Time // zero is never
	login      auth.AuthInfo
	generation int64  // negative if missing
	stamp      string // of the user when it was issued, or ""
	refreshEnd int64  // "refresh_exp" of a sliding token
	payload    string
	claims     any
	ignored    []string // optional claims of another type
}

var (
	_ auth.Credential   = (*Token)(nil)
	_ auth.Scoped       = (*Token)(nil)
	_ auth.AuthInformer = (*Token)(nil)
	_ auth.Expirer      = (*Token)(nil)
	_ auth.Ambient      = (*Token)(nil)

	_ auth.LimitExplainer = (*Token)(nil)
)

// verified is a token and what was made of it, once.
type verified struct {
	token  *Token
	issuer *issuer
	user   auth.User              // if it is built from claims
	stamp  atomic.Pointer[string] // the user's stamp that was compared last and found to fit
}

// Backend returns the name of the backend that verified the token.
func (t *Token) Backend() string { return t.backend }

// ID returns the token's identifier, "jti" (RFC 7519 §4.1.7), or "".
func (t *Token) ID() string { return t.id }

// Issuer returns "iss" (RFC 7519 §4.1.1).
func (t *Token) Issuer() string { return t.issuer }

// Tenant returns the tenant of a token if Issuer.Issuer is a template, or "".
func (t *Token) Tenant() string { return t.tenant }

// Subject returns "sub" (RFC 7519 §4.1.2), or the claim that stands for it, after the tenant and "/" if there is
// a [Token.Tenant]. It is unique with the issuer only.
func (t *Token) Subject() string { return t.subject }

// Audience returns "aud" (RFC 7519 §4.1.3).
func (t *Token) Audience() []string { return slices.Clone(t.audience) }

// SessionID returns "sid", which all tokens of one login share, or "".
func (t *Token) SessionID() string { return t.sessionID }

// ClientID returns "client_id" (RFC 9068 §2.2), or the claim of Profile.ClientClaims that stands for it, or "".
func (t *Token) ClientID() string { return t.clientID }

// IssuedAt returns "iat", or the zero time.
func (t *Token) IssuedAt() time.Time { return t.issued }

// ExpiresAt implements [auth.Expirer] by "exp".
func (t *Token) ExpiresAt() time.Time { return t.expires }

// Scopes implements [auth.Scoped]. A token that has "scope" or "client_id" is
// limited to its scopes (RFC 9068 §2.2.3), and so is every token of others. See [Profile] and Issuer.AllowFullAccess.
func (t *Token) Scopes() (scopes []string, limited bool) { return t.scopes, t.limited }

// WhyLimited implements [auth.LimitExplainer]: why a limited token has no scopes, or "".
func (t *Token) WhyLimited() string { return t.unscoped }

// Ambient returns false: no browser adds a token by itself.
func (t *Token) Ambient() bool { return false }

// AuthInfo implements [auth.AuthInformer] by "auth_time", "amr" and "acr".
func (t *Token) AuthInfo() auth.AuthInfo { return t.login }

// Decode unmarshals all claims into v, as encoding/json does, with one difference: a field with a name in its tag takes
// the claim of exactly that name (RFC 7519 §10.1.1). See [ClaimsAs]. It is work for every call: see Issuer.Claims for
// claims that every request needs.
func (t *Token) Decode(v any) error { return unmarshal([]byte(t.payload), v) }

// ClaimsOf returns the claims of a token as Issuer.Claims made them, if they are
// of type C. They are shared between requests and must not be changed.
func ClaimsOf[C any](t *Token) (claims C, ok bool) {
	claims, ok = t.claims.(C)
	return claims, ok
}

// ClaimsAs is an Issuer.Claims that makes a *C of the claims, by encoding/json.
//
//	Claims: jwt.ClaimsAs[MyClaims]
//	…
//	claims, ok := jwt.ClaimsOf[*MyClaims](token)
//
// A field with a name in its tag takes the claim of exactly that name (RFC 7519 §10.1.1). "EMAIL" is not "email", where
// encoding/json alone would take it for that. A field without takes the claim of its name in any case, and it is an
// error if there are several. The members of objects in claims, and a C with an UnmarshalJSON, are read as
// encoding/json does.
func ClaimsAs[C any](payload []byte) (any, error) {
	claims := new(C)
	if err := unmarshal(payload, claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// Subject is the user of a token that nothing is known of but its subject: what
// [SubjectUser] returns.
type Subject struct{ ID string }

// UserID returns the subject.
func (s Subject) UserID() string { return s.ID }

// subjectOf reads the identifier of a user: a string or, as simplejwt wrote
// before 5.5.1, a whole number. "" is no identifier.
func subjectOf(value string) string {
	if text, ok := unquote(value); ok {
		return text
	}
	digits := strings.TrimPrefix(value, "-")
	if digits == "" || len(digits) > 20 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return value
}
