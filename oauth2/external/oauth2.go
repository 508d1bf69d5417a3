package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
)

// OAuth2 is a provider that has OAuth 2 (RFC 6749), an API that names the owner of a
// token, and no OpenID Connect. Name, Issuer, AuthorizeURL, TokenURL, ClientID and Profile
// are required.
//
// This package always sends and checks state, sends PKCE, and checks "iss" of answers
// (RFC 9207).
type OAuth2 struct {
	// Name is in the paths, of a-z, 0-9, - and _.
	Name string
	// Label is for people. Empty is Name.
	Label string
	// Issuer tells this provider's identities from those of others, for ever: use the
	// URL that the provider is known by.
	Issuer string
	// ResponseIssuer is what the provider says in "iss" when a browser comes back from
	// it (RFC 9207). Empty is nothing: an answer that has it is then refused.
	ResponseIssuer string
	// AuthorizeURL is the authorization endpoint: https, or http of a loopback host.
	AuthorizeURL string
	// TokenURL is the token endpoint, as AuthorizeURL.
	TokenURL string
	// RevokeURL is the revocation endpoint, as AuthorizeURL. It may be empty.
	RevokeURL string

	ClientID     string
	ClientSecret auth.Secret
	// Method is how the secret is sent. Empty is by Basic.
	Method Method
	Scopes []string
	// Params are added to the authorization request.
	Params map[string]string
	// Domains are as in [OIDC]: an address in another one is not taken for verified.
	Domains []string

	// Profile names the owner of the token that api asks with. Subject must be set, to what
	// never changes and is given to no other person: not to a name or an address. Issuer
	// and Provider are filled in. An error is an outage, unless it is [ErrNotAllowed] or
	// [ErrUntrusted].
	//
	// All that it says must come from the provider, by api. Email.Verified must be true
	// only if the provider saw that the person reads the mail there, and
	// Email.Authoritative only if it gives out the addresses of that domain: that counts
	// for a verified address in Domains. It must be safe for concurrent use.
	Profile func(ctx context.Context, api *API) (*Profile, error)

	// Quirks are in what the provider differs from others.
	Quirks OAuth2Quirks
}

// OAuth2Quirks are in what a provider without OpenID Connect differs from others. The zero
// value is a provider that does what the specifications say. The functions must be safe
// for concurrent use.
type OAuth2Quirks struct {
	// Extend returns the parameters of one more request to the token endpoint, which
	// exchanges the tokens for ones that live longer. It is sent with the client's
	// authentication. Without parameters the tokens stay. It must not ask for tokens of
	// somebody else than those it is given.
	Extend func(tokens *Tokens) url.Values
	// CheckToken asks the provider whether the access token of api was issued to ClientID
	// and is good. It returns [ErrUntrusted] if not, and another error if the provider
	// cannot be asked. It must not return nil unless the provider named ClientID itself:
	// each other app that a person uses has tokens of that person. If nil,
	// [Logins.FromToken] does not take tokens of this provider.
	CheckToken func(ctx context.Context, api *API) error
	// Fragment is that browsers come back with a fragment, which must not follow them.
	Fragment bool
	// AllowWithoutPKCE leaves PKCE out, for a provider that refuses it. What is lost: a code
	// that leaks on the way back, from a log or by another app, is good for everybody that
	// can begin a login here, since nothing else binds it to the browser that asked for it
	// (RFC 9700 §2.1.1, §4.5). State still protects against a login that somebody else began.
	AllowWithoutPKCE bool

	// Errors are the codes that the provider has in place of those of RFC 6749.
	Errors ErrorCodes
}

// Define returns o.
func (o OAuth2) Define() (Definition, error) { return o, nil }

// ready implements [Definition].
func (o OAuth2) ready(env environment, kind string) (*provider, error) {
	p, err := newProvider(env, kind, o.Name, o.Label, o.ClientID, o.Domains)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Issuer == "":
		return nil, fmt.Errorf("oauth2/external: %s.Issuer is missing", kind)
	case !backend.ValidText(o.Issuer, maxIssuer):
		return nil, fmt.Errorf("oauth2/external: %s.Issuer is longer than %d bytes, or not UTF-8 without NUL", kind,
			maxIssuer)
	case o.Profile == nil:
		return nil, fmt.Errorf("oauth2/external: %s.Profile is missing", kind)
	case o.Method != "" && o.Method != ClientSecretBasic && o.Method != ClientSecretPost:
		return nil, fmt.Errorf("oauth2/external: %s.Method %q is not known", kind, o.Method)
	}
	for name, at := range map[string]string{
		"AuthorizeURL": o.AuthorizeURL, "TokenURL": o.TokenURL, "RevokeURL": o.RevokeURL,
	} {
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
	if err := checkScopes(kind, o.Scopes); err != nil {
		return nil, err
	}
	p.issuer, p.scopes, p.params, p.formResponses = o.Issuer, slices.Clone(o.Scopes), maps.Clone(o.Params), true
	if o.ResponseIssuer != "" {
		p.iss, p.isIssuer = o.ResponseIssuer, func(iss string) bool { return iss == o.ResponseIssuer }
	}
	p.endpoints = fixedEndpoints(endpoints{authorize: o.AuthorizeURL, token: o.TokenURL, revoke: o.RevokeURL})
	p.authenticate = p.bySecret(fixedSecret(o.ClientSecret), o.Method)
	p.codes, p.fragment, p.withoutPKCE = o.Quirks.Errors, o.Quirks.Fragment, o.Quirks.AllowWithoutPKCE
	p.extend, p.checkToken = o.Quirks.Extend, o.Quirks.CheckToken
	p.profile = profileBy(p, o.Profile, kind)
	return p, nil
}

// profileBy makes a profile by OAuth2.Profile.
func profileBy(p *provider, ask func(context.Context, *API) (*Profile, error), kind string) func(context.Context,
	*loginResult) (*Profile, error) {
	return func(ctx context.Context, a *loginResult) (*Profile, error) {
		ctx, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		profile, err := ask(ctx, newAPI(p, a))
		if err != nil {
			return nil, err
		}
		if profile == nil {
			return nil, errors.New("oauth2/external: " + kind + ".Profile returned no profile and no error")
		}
		own := profile.copied() // the function may keep its own one
		own.Issuer = p.issuer
		return own, nil
	}
}

// trimmed is a base URL without a slash at its end, or a default.
func trimmed(own, standard string) string {
	if own == "" {
		return standard
	}
	return strings.TrimSuffix(own, "/")
}
