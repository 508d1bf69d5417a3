package authtest_test

import (
	"cmp"
	"context"
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// Forge is the provider of docs/external-login.md, as it is there.
type Forge struct {
	ClientID     string
	ClientSecret auth.Secret
	BaseURL      string // of a double, in tests
}

func (f Forge) Define() (external.Definition, error) {
	at := cmp.Or(f.BaseURL, "https://forge.example")
	return external.OAuth2{
		Name: "forge", Label: "Forge", Issuer: at, AuthorizeURL: at + "/oauth/authorize", TokenURL: at + "/oauth/token",
		ClientID: f.ClientID, ClientSecret: f.ClientSecret,
		Profile: func(ctx context.Context, api *external.API) (*external.Profile, error) {
			me, err := api.Get(ctx, at+"/api/me")
			if err != nil {
				return nil, err
			}
			return &external.Profile{Subject: external.ID(me, "id"), Name: external.Text(me, "full_name"), Claims: me},
				nil
		},
	}, nil
}

func TestUnitProviderOfTheDocs(t *testing.T) {
	idp := authtest.NewProvider(t, authtest.FakeProvider{
		Name: "Forge", Authorize: "/oauth/authorize", Token: "/oauth/token", Me: "/api/me",
		Profile: func(s *authtest.SignedIn, _ *http.Request) (int, map[string]any) {
			return 200, map[string]any{"id": s.Person.Subject, "full_name": s.Person.Name}
		},
	})
	authtest.External(t, authtest.ExternalCases{
		Provider: Forge{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, BaseURL: idp.URL()}, At: idp,
		Want: external.Profile{Issuer: idp.URL(), Subject: "42", Name: "Ada Lovelace"},
	})
}
