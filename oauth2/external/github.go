package external

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
)

// GitHub signs in with GitHub accounts, by an OAuth app or a GitHub App. People are
// known by their numeric id: a login can be given up, and taken by somebody else.
type GitHub struct {
	Name         string // empty is "github"
	ClientID     string
	ClientSecret auth.Secret
	Scopes       []string          // nil is "user:email", for the address
	Params       map[string]string // of the authorization request, such as "allow_signup"
	Domains      []string          // as in [OIDC]. GitHub itself is authoritative for no domain
	BaseURL      string            // of a GitHub Enterprise Server, empty is https://github.com
}

// Define implements [Provider].
func (g GitHub) Define() (Definition, error) {
	web := trimmed(g.BaseURL, "https://github.com")
	api := "https://api.github.com"
	if web != "https://github.com" {
		api = web + "/api/v3"
	}
	if g.Scopes == nil {
		g.Scopes = []string{"user:email"}
	}
	return OAuth2{
		Name: cmp.Or(g.Name, "github"), Label: "GitHub", Issuer: web, ResponseIssuer: web + "/login/oauth",
		AuthorizeURL: web + "/login/oauth/authorize", TokenURL: web + "/login/oauth/access_token",
		ClientID: g.ClientID, ClientSecret: g.ClientSecret, Method: ClientSecretPost, Scopes: g.Scopes,
		Params: g.Params, Domains: g.Domains,
		Profile: func(ctx context.Context, from *API) (*Profile, error) { return githubProfile(ctx, from, api) },
		Quirks:  OAuth2Quirks{Errors: ErrorCodes{InvalidGrant: []string{"bad_verification_code", "bad_refresh_token"}}},
	}, nil
}

func githubProfile(ctx context.Context, from *API, api string) (*Profile, error) {
	user, err := from.Get(ctx, api+"/user")
	if err != nil {
		return nil, err
	}
	p := &Profile{Subject: ID(user, "id"), Name: Text(user, "name"), Username: Exact(user, "login"),
		Picture: Exact(user, "avatar_url"), Claims: user}
	p.Name = cmp.Or(p.Name, p.Username)
	// The address of the profile is what the person wrote there.
	emails, err := from.List(ctx, api+"/user/emails")
	if withoutScope(err) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	for _, email := range emails {
		if Flag(email, "primary") && Flag(email, "verified") {
			p.Email.Address, p.Email.Verified = Exact(email, "email"), true
		}
	}
	return p, nil
}

// withoutScope reports the answer of an API to a token that lacks a scope.
func withoutScope(err error) bool {
	status := (*StatusError)(nil)
	return errors.As(err, &status) && (status.Status == http.StatusForbidden || status.Status == http.StatusNotFound)
}
