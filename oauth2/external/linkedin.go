package external

import (
	"cmp"
	"context"

	"github.com/gatewarden/auth"
)

// LinkedIn signs in with LinkedIn accounts ("Sign In with LinkedIn using OpenID Connect").
// People are known by the identifier that LinkedIn has for them at this application:
// another application of yours gets another one.
//
// An address is verified if LinkedIn says so: a member may hide it. LinkedIn is
// authoritative for no domain.
//
// LinkedIn puts no nonce into its ID tokens, so they prove nothing about this login, and
// this package does not use them: it asks the userinfo endpoint with the access token
// that came from the token endpoint itself.
type LinkedIn struct {
	Name         string // empty is "linkedin"
	ClientID     string
	ClientSecret auth.Secret
	// AllowWithoutPKCE leaves PKCE out. LinkedIn refuses a code_verifier with
	// "invalid_client", unless it has enabled PKCE for the application, which one has to
	// ask LinkedIn for. Most applications therefore need this. What is lost is that
	// a code which leaks is of no use to others: see [OAuth2Quirks].
	AllowWithoutPKCE bool
	Scopes           []string          // nil is "openid", "profile" and "email"
	Params           map[string]string // of the authorization request
	Domains          []string          // as in [OIDC]
	BaseURL          string            // of a double, in tests. Empty is LinkedIn's two hosts
}

// Define implements [Provider].
func (l LinkedIn) Define() (Definition, error) {
	web, api := trimmed(l.BaseURL, "https://www.linkedin.com"), trimmed(l.BaseURL, "https://api.linkedin.com")
	if l.Scopes == nil {
		l.Scopes = []string{"openid", "profile", "email"}
	}
	return OAuth2{
		Name: cmp.Or(l.Name, "linkedin"), Label: "LinkedIn", Issuer: web + "/oauth",
		AuthorizeURL: web + "/oauth/v2/authorization", TokenURL: web + "/oauth/v2/accessToken",
		ClientID: l.ClientID, ClientSecret: l.ClientSecret, Method: ClientSecretPost, Scopes: l.Scopes,
		Params: l.Params, Domains: l.Domains,
		Profile: func(ctx context.Context, from *API) (*Profile, error) {
			me, err := from.Get(ctx, api+"/v2/userinfo")
			if err != nil {
				return nil, err
			}
			return &Profile{Subject: ID(me, "sub"), Name: Text(me, "name"), Picture: Exact(me, "picture"), Claims: me,
				Email: Email{Address: Exact(me, "email"), Verified: Flag(me, "email_verified")}}, nil
		},
		Quirks: OAuth2Quirks{
			AllowWithoutPKCE: l.AllowWithoutPKCE,
			Errors: ErrorCodes{
				InvalidGrant: []string{"invalid_request"}, // a code that is unknown, used or expired
				AccessDenied: []string{"user_cancelled_login", "user_cancelled_authorize"},
			},
		},
	}, nil
}
