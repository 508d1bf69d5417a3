package external

import (
	"cmp"
	"context"

	"github.com/gatewarden/auth"
)

// Bitbucket signs in with accounts of Bitbucket Cloud. People are known by the UUID of the
// account, which is in braces: usernames change.
//
// The address is the primary one, if Bitbucket says that it is confirmed. Bitbucket is
// authoritative for no domain.
type Bitbucket struct {
	Name         string      // empty is "bitbucket"
	ClientID     string      // the key of the OAuth consumer, which must be private
	ClientSecret auth.Secret // its secret
	// Scopes are asked for. Nil is "account" and "email", which the consumer must have as
	// permissions.
	Scopes  []string
	Params  map[string]string // of the authorization request
	Domains []string          // as in [OIDC]
	BaseURL string            // of a double, in tests. Empty is Bitbucket's two hosts
}

// Define implements [Provider].
func (b Bitbucket) Define() (Definition, error) {
	web, api := trimmed(b.BaseURL, "https://bitbucket.org"), trimmed(b.BaseURL, "https://api.bitbucket.org")
	if b.Scopes == nil {
		b.Scopes = []string{"account", "email"}
	}
	return OAuth2{
		Name: cmp.Or(b.Name, "bitbucket"), Label: "Bitbucket", Issuer: web,
		AuthorizeURL: web + "/site/oauth2/authorize", TokenURL: web + "/site/oauth2/access_token",
		ClientID: b.ClientID, ClientSecret: b.ClientSecret, Scopes: b.Scopes, Params: b.Params, Domains: b.Domains,
		Profile: func(ctx context.Context, from *API) (*Profile, error) { return bitbucketProfile(ctx, from, api) },
	}, nil
}

func bitbucketProfile(ctx context.Context, from *API, api string) (*Profile, error) {
	user, err := from.Get(ctx, api+"/2.0/user")
	if err != nil {
		return nil, err
	}
	p := &Profile{Subject: ID(user, "uuid"), Name: Text(user, "display_name"), Username: Exact(user, "username"),
		Claims: user}
	p.Name = cmp.Or(p.Name, p.Username)
	links, _ := user["links"].(map[string]any)
	avatar, _ := links["avatar"].(map[string]any)
	p.Picture = Exact(avatar, "href")
	page, err := from.Get(ctx, api+"/2.0/user/emails")
	if withoutScope(err) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	emails, _ := page["values"].([]any)
	for _, each := range emails {
		email, _ := each.(map[string]any)
		if Flag(email, "is_primary") && Flag(email, "is_confirmed") {
			p.Email = Email{Address: Exact(email, "email"), Verified: true}
		}
	}
	return p, nil
}
