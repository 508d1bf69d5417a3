package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
)

// OAuth2 is a provider that has OAuth 2 (RFC 6749) and an API that says whose a token
// is, and no OpenID Connect. Name, Issuer, AuthorizeURL, TokenURL, ClientID and Profile
// are required.
type OAuth2 struct {
	// Name is in the paths, of a-z, 0-9, - and _; Label is for people, Name by default.
	Name, Label string
	// Issuer tells this provider's identities from those of others, for ever: use the
	// URL that the provider is known by.
	Issuer string
	// ResponseIssuer is what the provider says in "iss" when a browser comes back from
	// it (RFC 9207). Empty is nothing: an answer that has it is then refused.
	ResponseIssuer string
	// AuthorizeURL and TokenURL are its endpoints: https, or http of a loopback host.
	// RevokeURL may be empty.
	AuthorizeURL, TokenURL, RevokeURL string

	ClientID     string
	ClientSecret auth.Secret
	// Method is how the secret is sent; empty is by Basic.
	Method Method
	Scopes []string
	// Params are added to the authorization request.
	Params map[string]string
	// Domains are as in [OIDC].
	Domains []string

	// Profile says whose the token is that api asks with. Subject must be set, to what
	// never changes and is given to nobody else: not to a name or an address. Issuer
	// and Provider are filled in. An error is an outage, unless it is [ErrNotAllowed].
	Profile func(ctx context.Context, api *API) (*Profile, error)
}

// API asks a provider with the token of who has just come back from it.
type API struct {
	provider *provider
	tokens   *Tokens
}

// Token returns the access token, for APIs that want more than a header.
func (a *API) Token() auth.Secret { return a.tokens.Access() }

// Scopes are those of the token, if the provider told them.
func (a *API) Scopes() []string { return a.tokens.Scopes }

// StatusError is an answer of a provider of another status than 200.
type StatusError struct {
	Status int

	from string // what was asked, without its query
}

// Error returns what was asked, and the status.
func (e *StatusError) Error() string {
	if e.from == "" {
		return fmt.Sprintf("the provider answered %d", e.Status)
	}
	return fmt.Sprintf("%s: the provider answered %d", e.from, e.Status)
}

// Get returns the members of the JSON object at a URL: https, or http of a loopback
// host. Numbers are [json.Number]: identifiers of many digits stay what they are. An
// answer of another status is a [*StatusError].
func (a *API) Get(ctx context.Context, from string) (map[string]any, error) {
	text, err := a.text(ctx, from)
	if err != nil {
		return nil, err
	}
	return decode(text)
}

// List is Get for an array of objects.
func (a *API) List(ctx context.Context, from string) ([]map[string]any, error) {
	text, err := a.text(ctx, from)
	if err != nil {
		return nil, err
	}
	members, err := decode([]byte(`{"list":` + string(text) + `}`))
	if err != nil {
		return nil, err
	}
	list, ok := members["list"].([]any)
	if !ok {
		return nil, errors.New("no JSON array")
	}
	var all []map[string]any
	for _, each := range list {
		if object, ok := each.(map[string]any); ok {
			all = append(all, object)
		}
	}
	return all, nil
}

func (a *API) text(ctx context.Context, from string) ([]byte, error) {
	if err := fetch.CheckURL(from); err != nil {
		return nil, fmt.Errorf("oauth2/external: the URL %w", err)
	}
	return a.provider.get(ctx, from, a.tokens)
}

func (o OAuth2) provider(env environment) (*provider, error) { return o.ready(env, "OAuth2") }

func (o OAuth2) ready(env environment, kind string) (*provider, error) {
	p, err := base(env, kind, o.Name, o.Label, o.ClientID, o.Domains)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Issuer == "":
		return nil, fmt.Errorf("oauth2/external: %s.Issuer is missing", kind)
	case o.Profile == nil:
		return nil, fmt.Errorf("oauth2/external: %s.Profile is missing", kind)
	case o.Method != "" && o.Method != ClientSecretBasic && o.Method != ClientSecretPost:
		return nil, fmt.Errorf("oauth2/external: %s.Method %q is not known", kind, o.Method)
	}
	for name, at := range map[string]string{"AuthorizeURL": o.AuthorizeURL, "TokenURL": o.TokenURL, "RevokeURL": o.RevokeURL} {
		if at == "" && name == "RevokeURL" {
			continue
		}
		if err := fetch.CheckURL(at); err != nil {
			return nil, fmt.Errorf("oauth2/external: %s.%s %w", kind, name, err)
		}
	}
	if err := checkParams(kind, o.Params); err != nil {
		return nil, err
	}
	for _, scope := range o.Scopes {
		if !backend.ValidScope(scope) {
			return nil, fmt.Errorf("oauth2/external: %s.Scopes: %q is no scope (RFC 6749 §3.3)", kind, scope)
		}
	}
	p.key, p.scopes, p.params, p.lenient = o.Issuer, slices.Clone(o.Scopes), maps.Clone(o.Params), true
	if o.ResponseIssuer != "" {
		p.iss, p.isIssuer = o.ResponseIssuer, func(iss string) bool { return iss == o.ResponseIssuer }
	}
	p.endpoints = fixed(endpoints{authorize: o.AuthorizeURL, token: o.TokenURL, revoke: o.RevokeURL})
	p.authenticate = p.bySecret(o.ClientSecret, o.Method)
	p.profile = func(ctx context.Context, a *answer) (*Profile, error) {
		ctx, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		profile, err := o.Profile(ctx, &API{p, a.tokens})
		if err != nil {
			return nil, err
		}
		if profile == nil {
			return nil, errors.New("oauth2/external: " + kind + ".Profile returned neither a profile nor an error")
		}
		own := *profile
		own.Issuer = o.Issuer
		return &own, nil
	}
	return p, nil
}

// trimmed is a base URL without a slash at its end, or a default.
func trimmed(own, standard string) string {
	if own == "" {
		return standard
	}
	return strings.TrimSuffix(own, "/")
}
