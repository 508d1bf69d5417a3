package external

import (
	"cmp"
	"context"
	"net/url"

	"github.com/gatewarden/auth"
)

// Discord signs in with Discord accounts. People are known by the identifier of the
// account: names are given up and taken by others.
//
// Discord says in its answers that they are its own (RFC 9207).
//
// An address is verified if Discord says so: an account may lack one, or have one that is
// not. Discord is authoritative for no domain.
type Discord struct {
	Name         string // empty is "discord"
	ClientID     string
	ClientSecret auth.Secret
	Scopes       []string          // nil is "identify" and "email"
	Params       map[string]string // of the authorization request, such as "prompt"
	Domains      []string          // as in [OIDC]
	BaseURL      string            // of a double, in tests. Empty is https://discord.com
}

// Define implements [Provider].
func (d Discord) Define() (Definition, error) {
	web := trimmed(d.BaseURL, "https://discord.com")
	if d.Scopes == nil {
		d.Scopes = []string{"identify", "email"}
	}
	return OAuth2{
		Name: cmp.Or(d.Name, "discord"), Label: "Discord", Issuer: web, ResponseIssuer: web,
		AuthorizeURL: web + "/oauth2/authorize", TokenURL: web + "/api/oauth2/token",
		RevokeURL: web + "/api/oauth2/token/revoke",
		ClientID:  d.ClientID, ClientSecret: d.ClientSecret, Scopes: d.Scopes, Params: d.Params, Domains: d.Domains,
		Profile: func(ctx context.Context, api *API) (*Profile, error) {
			me, err := api.Get(ctx, web+"/api/v10/users/@me")
			if err != nil {
				return nil, err
			}
			p := &Profile{Subject: ID(me, "id"), Name: Text(me, "global_name"), Username: Exact(me, "username"),
				Claims: me, Email: Email{Address: Exact(me, "email"), Verified: Flag(me, "verified")}}
			p.Name = cmp.Or(p.Name, p.Username)
			if avatar := Exact(me, "avatar"); avatar != "" {
				p.Picture = "https://cdn.discordapp.com/avatars/" + url.PathEscape(p.Subject) + "/" +
					url.PathEscape(avatar) + ".png"
			}
			return p, nil
		},
	}, nil
}
