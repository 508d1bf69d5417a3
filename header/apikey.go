package header

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// APIKeyConfig is the configuration of an [APIKey]. Header and Verifier are
// required.
type APIKeyConfig struct {
	// Header is the name of the header that holds the key, such as X-API-Key.
	Header string
	// Verifier decides about a key. With *knox.Tokens, a key is a token, which
	// is named, limited to scopes, listed and revoked as any other. Its errors
	// are those of an [auth.Authenticator] and are returned as they are. It must
	// not call a key absent: that is answered with 503. It must be safe for
	// concurrent use.
	Verifier auth.TokenVerifier
	// Scheme is the scheme of the challenge. Empty is "ApiKey". It must not be one that clients answer in
	// Authorization.
	Scheme string
	// Realm is named in the challenge. Empty is "api".
	Realm string
	// Name is the name of the backend, for events and logs, "apikey" if empty.
	// Credentials return the name of the verifier.
	Name string
}

// APIKey is the backend for a key in a header of its own. It is immutable and
// safe for concurrent use.
//
//	tokens, err := knox.New(knox.Config{…})
//	keys, err := header.NewAPIKey(header.APIKeyConfig{Header: "X-API-Key", Verifier: tokens})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, keys}})
//
// The credential is what Verifier returns: CredentialFrom[*knox.Token] finds
// it, and its scopes count. No browser adds the header by itself, so requests
// from other origins are not refused. Scripts of other origins need the consent
// of CORS. A handler sees the header, as it sees Authorization.
//
// A 401 has a challenge, as RFC 9110 §11.6.1 wants:
//
//	WWW-Authenticate: ApiKey realm="api", header="X-Api-Key"
//
// It has no error attribute, which is about the Authorization header. The
// members code and detail of the body tell whether a key was missing or bad.
//
// Keys in query parameters are not read, on purpose: URLs are kept in logs,
// histories and Referer headers (RFC 6750 §5.3).
type APIKey struct {
	config APIKeyConfig
	key    string // canonical

	repeatedKey error // the header came more than once
	longKey     error
	invalidKey  error
}

var (
	_ auth.Authenticator = (*APIKey)(nil)
	_ auth.Named         = (*APIKey)(nil)
	_ auth.Challenger    = (*APIKey)(nil)
	_ auth.TokenOwner    = (*APIKey)(nil)
	_ auth.Ambient       = (*APIKey)(nil)
	_ auth.Varier        = (*APIKey)(nil)
)

// NewAPIKey returns an APIKey, or an error that says which setting is missing
// or cannot work: no Verifier, or a header or scheme that is another's or no
// name of letters, digits and "-".
func NewAPIKey(config APIKeyConfig) (*APIKey, error) {
	config.Name, config.Realm = cmp.Or(config.Name, "apikey"), cmp.Or(config.Realm, "api")
	config.Scheme = cmp.Or(config.Scheme, "ApiKey")
	a := &APIKey{config: config, key: http.CanonicalHeaderKey(config.Header)}
	s := backend.Settings{Package: "header"}
	s.Need("APIKeyConfig.Header", config.Header)
	s.Need("APIKeyConfig.Verifier", config.Verifier)
	s.Refuse(!isName(config.Scheme), "APIKeyConfig.Scheme %q is not a name of letters, digits and -", config.Scheme)
	for _, scheme := range inAuthorization {
		s.Refuse(strings.EqualFold(scheme, config.Scheme),
			"clients answer %s in Authorization, where no key is read", scheme)
	}
	s.Refuse(hasControl(config.Realm), "APIKeyConfig.Realm has control characters")
	checkNames(&s, a.key)
	if err := s.Err(); err != nil {
		return nil, err
	}
	a.repeatedKey = repeatedHeader(a.key)
	a.longKey = malformed(a.key+" header is too long.", a.key+" is longer than auth.MaxAuthorization")
	a.invalidKey = invalidHeader(a.key, "has characters that no key has (RFC 6750 §2.1, b64token)")
	return a, nil
}

// inAuthorization are the schemes that clients answer in Authorization.
var inAuthorization = []string{"Basic", "Bearer", "Digest", "DPoP", "Negotiate", "NTLM", "Token"}

// Authenticate proves a request by the key. It returns
//
//   - ErrNoCredentials if the header is absent or empty
//   - ErrMalformed, answered with 400, if it comes more than once, is longer than
//     [auth.MaxAuthorization], or has characters outside b64token (RFC 6750 §2.1)
//   - otherwise what Verifier returns
//
// A key that is ErrUnrecognized is for the next backend. That may read the same
// header, if each Verifier knows its own keys, such as *knox.Tokens by prefix.
func (a *APIKey) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	lines := r.Header[a.key]
	if len(lines) == 0 {
		return nil, nil, auth.ErrNoCredentials
	}
	if len(lines) > 1 {
		return nil, nil, a.repeatedKey
	}
	if len(lines[0]) > auth.MaxAuthorization {
		return nil, nil, a.longKey
	}
	key := strings.Trim(lines[0], " \t")
	if key == "" {
		return nil, nil, auth.ErrNoCredentials
	}
	if !isB64token(key) {
		return nil, nil, a.invalidKey
	}
	user, credential, err := a.config.Verifier.VerifyToken(r.Context(), key)
	if err != nil {
		if auth.KindOf(err) == auth.ErrNoCredentials {
			// As text, so that nothing finds the kind inside: a request with a
			// key must not become anonymous.
			err = errors.New("header: APIKeyConfig.Verifier called a key absent: " + fmt.Sprint(err))
		}
		return nil, nil, err
	}
	return user, credential, nil
}

// isB64token reports a b64token (RFC 6750 §2.1). s is not empty.
func isB64token(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && !strings.ContainsFunc(body, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("-._~+/", r))
	})
}

// Verifier returns APIKeyConfig.Verifier, for [auth.Guard.Has].
func (a *APIKey) Verifier() auth.TokenVerifier { return a.config.Verifier }

// Backend returns APIKeyConfig.Name.
func (a *APIKey) Backend() string { return a.config.Name }

// Challenges returns the scheme with the realm and the name of the header.
func (a *APIKey) Challenges() []auth.Challenge {
	return []auth.Challenge{{Scheme: a.config.Scheme, Params: []auth.Param{
		{Name: "realm", Value: a.config.Realm}, {Name: "header", Value: a.key}}}}
}

// OwnTokens returns the keys that Verifier owns, each behind the name of the
// header, so that keys in two headers are told apart. If Verifier is not an
// [auth.TokenOwner], it returns all keys in this header.
func (a *APIKey) OwnTokens() []auth.TokenClass {
	owner, ok := auth.As[auth.TokenOwner](a.config.Verifier)
	if !ok {
		return []auth.TokenClass{{Scheme: a.config.Scheme, Prefix: a.key + ": "}}
	}
	var classes []auth.TokenClass
	for _, own := range owner.OwnTokens() {
		class := auth.TokenClass{Scheme: a.config.Scheme, Prefix: a.key + ": " + own.Prefix}
		if !slices.Contains(classes, class) { // of two schemes
			classes = append(classes, class)
		}
	}
	return classes
}

// Ambient returns false: no browser adds the header by itself.
func (a *APIKey) Ambient() bool { return false }

// Vary returns the header.
func (a *APIKey) Vary() []string { return []string{a.key} }
