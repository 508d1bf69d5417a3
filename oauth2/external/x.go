package external

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatewarden/auth"
)

// X signs in with X accounts (Twitter). People are known by the identifier of the account:
// usernames change and are taken by others.
//
// X tells only an address that the person has confirmed, and only to an application with
// the permission "Request email from users". It is authoritative for no domain.
type X struct {
	Name         string      // empty is "x"
	ClientID     string      // of OAuth 2.0, not the API key
	ClientSecret auth.Secret // empty is a public client ("native app")
	// Scopes are asked for. Nil is "users.read", "tweet.read" and "users.email". The API
	// that names the person needs the first two. Leave the last out where the
	// application has not the permission.
	Scopes  []string
	Params  map[string]string // of the authorization request
	Domains []string          // as in [OIDC]
	BaseURL string            // of a double, in tests. Empty is X's two hosts
}

// Define implements [Provider].
func (x X) Define() (Definition, error) {
	web, api := trimmed(x.BaseURL, "https://x.com"), trimmed(x.BaseURL, "https://api.x.com")
	if x.Scopes == nil {
		x.Scopes = []string{"users.read", "tweet.read", "users.email"}
	}
	fields := "profile_image_url"
	if slices.Contains(x.Scopes, "users.email") {
		fields += ",confirmed_email"
	}
	return OAuth2{
		Name: cmp.Or(x.Name, "x"), Label: "X", Issuer: web,
		ResponseIssuer: api, // by its metadata
		AuthorizeURL:   web + "/i/oauth2/authorize", TokenURL: api + "/2/oauth2/token",
		RevokeURL: api + "/2/oauth2/revoke",
		ClientID:  x.ClientID, ClientSecret: x.ClientSecret, Scopes: x.Scopes, Params: x.Params, Domains: x.Domains,
		Profile: func(ctx context.Context, from *API) (*Profile, error) {
			answer, err := from.Get(ctx, api+"/2/users/me?user.fields="+fields)
			if err != nil {
				return nil, err
			}
			me, _ := answer["data"].(map[string]any)
			address := Exact(me, "confirmed_email")
			return &Profile{Subject: ID(me, "id"), Name: Text(me, "name"), Username: Exact(me, "username"),
				Picture: Exact(me, "profile_image_url"), Email: Email{Address: address, Verified: address != ""},
				Claims: me}, nil
		},
		// A code or token that is not good is an invalid request.
		Quirks: OAuth2Quirks{Errors: ErrorCodes{InvalidGrant: []string{"invalid_request"}}},
	}, nil
}
