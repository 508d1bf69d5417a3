package external

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/redact"
)

// Provider is where people can have their accounts.
//
// [OIDC] is any provider that speaks OpenID Connect, and [OAuth2] one that has OAuth 2
// and an API of its own. The presets, such as [Google] and [GitHub], know more: where
// their provider is, and in what it differs. A preset of your own is a type with this one
// method. It can do all that the presets of this package do.
//
// A type that has secrets in its fields may implement [fmt.Formatter], so that they are
// not printed with it.
type Provider interface {
	// Define returns the provider as an [OIDC] or an [OAuth2], or an error that names
	// the setting at fault. [New] calls it once. It must not ask the network.
	Define() (Definition, error)
}

// Definition is an [OIDC] or an [OAuth2].
type Definition interface {
	// ready checks the definition. kind is what errors call the provider.
	ready(env environment, kind string) (*provider, error)
}

var (
	_ Definition = OIDC{}
	_ Definition = OAuth2{}
)

// kindOf returns what errors call a provider, which is the name of its type.
func kindOf(given Provider) string {
	return strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", given), "*"), "external.")
}

// isNil reports an interface that is nil, or has a nil pointer.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return value == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// ErrorCodes are what a provider says in place of the codes of RFC 6749.
type ErrorCodes struct {
	// InvalidGrant are codes of the token endpoint that say what "invalid_grant" does
	// (RFC 6749 §5.2): a code or token is unknown, expired or was used. Of an error that
	// is an object, its "type" and its "code" are compared.
	InvalidGrant []string
	// AccessDenied are codes of the authorization endpoint that say what "access_denied"
	// does (RFC 6749 §4.1.2.1): the person did not agree.
	AccessDenied []string
}

// environment is what all providers have.
type environment struct {
	client  *http.Client
	timeout time.Duration
	logger  *slog.Logger
}

// provider is a Provider made ready.
type provider struct {
	environment
	name          string
	label         string
	issuer        string // of its identities, or the template of theirs
	clientID      string
	clients       []string // those that native apps have ID tokens of, may be nil
	scopes        []string
	params        map[string]string // of the authorization request, besides
	domains       []string          // in lower case
	anyDomain     bool              // OIDCQuirks.AnyDomain
	formPost      bool              // the answer comes by POST
	nonce         bool              // there is an ID token, which must have ours
	maxAge        bool              // it knows max_age
	fragment      bool              // the browser comes back with a fragment of the provider's
	formResponses bool              // token answers may be forms
	withoutPKCE   bool              // OAuth2Quirks.AllowWithoutPKCE
	codes         ErrorCodes

	endpoints func(ctx context.Context, now time.Time) (*endpoints, error)
	// isIssuer reports what may be "iss" in an answer (RFC 9207). Nil is that it may
	// not be there.
	isIssuer func(iss string) bool
	iss      string // what isIssuer wants, for the log
	// authenticate adds the client's authentication to a request of the token endpoint
	// or of those that are like it.
	authenticate func(ctx context.Context, e *endpoints, form url.Values, header http.Header) error
	// extend is OAuth2Quirks.Extend, or nil.
	extend func(tokens *Tokens) url.Values
	// checkToken is OAuth2Quirks.CheckToken, or nil.
	checkToken func(ctx context.Context, api *API) error
	// profile returns the person.
	profile func(ctx context.Context, a *loginResult) (*Profile, error)
	// checkRefreshed holds an answer to a refresh token to an identity. It is nil if answers have no ID token.
	checkRefreshed func(ctx context.Context, a *loginResult, identity *Identity) error
	// ready returns an error if checkRefreshed could not tell now.
	ready func(ctx context.Context, now time.Time) error
}

// loginResult is what a login has when the provider has issued the tokens.
type loginResult struct {
	endpoints *endpoints
	tokens    *Tokens
	attempt   *attempt
	clients   []string   // which clients the ID token may be for
	form      url.Values // of the callback
	now       time.Time
	expires   time.Time // until when the ID token can be used. profile sets it
	replayKey string    // of the ID token in the ReplayStore. profile sets it
}

// endpoints are where a provider is asked.
type endpoints struct {
	authorize       string
	token           string
	userInfo        string // may be ""
	revoke          string // may be ""
	end             string // may be ""
	issuerInAnswers bool   // RFC 9207 §3
	post            bool   // the secret goes into the body
	keys            string
}

// newProvider returns a provider with what OIDC and OAuth2 have in common.
func newProvider(env environment, kind, name, label, clientID string, domains []string) (*provider, error) {
	p := &provider{environment: env, name: name, label: cmp.Or(label, name), clientID: clientID}
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}):
		return nil, fmt.Errorf("oauth2/external: %s.Name %q is empty, or has other characters than a-z, 0-9, - and _",
			kind, name)
	case clientID == "":
		return nil, fmt.Errorf("oauth2/external: %s.ClientID is missing", kind)
	}
	for _, domain := range domains {
		if domainOf("x@"+domain) == "" {
			return nil, fmt.Errorf("oauth2/external: %s.Domains: %q is no domain", kind, domain)
		}
		p.domains = append(p.domains, lower(domain))
	}
	return p, nil
}

// Method is how a client authenticates at the token endpoint (OpenID Connect Core §9).
type Method string

// The methods with a secret. A key in its place is private_key_jwt.
const (
	ClientSecretBasic Method = "client_secret_basic"
	ClientSecretPost  Method = "client_secret_post"
)

// bySecret returns how a client authenticates that may have a secret. An empty
// method is the one the provider's metadata names.
func (p *provider) bySecret(secretFor func(context.Context) (auth.Secret, error), method Method) func(
	context.Context, *endpoints, url.Values, http.Header) error {
	return func(ctx context.Context, e *endpoints, form url.Values, header http.Header) error {
		secret, err := secretFor(ctx)
		if err != nil {
			return err
		}
		post := method == ClientSecretPost || method == "" && e.post
		switch {
		case secret == "" || post:
			form.Set("client_id", p.clientID)
			if secret != "" {
				form.Set("client_secret", secret.Reveal())
			}
		default: // RFC 6749 §2.3.1
			r := http.Request{Header: header}
			r.SetBasicAuth(url.QueryEscape(p.clientID), url.QueryEscape(secret.Reveal()))
		}
		return nil
	}
}

// fixedSecret returns a function that always returns this secret.
func fixedSecret(secret auth.Secret) func(context.Context) (auth.Secret, error) {
	kept := redact.New(secret.Reveal())
	return func(context.Context) (auth.Secret, error) { return auth.Secret(kept.Reveal()), nil }
}

// fixedEndpoints returns a function that always returns these endpoints.
func fixedEndpoints(e endpoints) func(context.Context, time.Time) (*endpoints, error) {
	return func(context.Context, time.Time) (*endpoints, error) { return &e, nil }
}
