package external_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

// newOf makes Logins of providers in the world, which are not asked.
func newOf(providers ...external.Provider) error {
	_, err := external.New(external.Config{URL: "https://app.example", Store: external.NewMemoryStore(),
		Keys:     []auth.Secret{auth.Secret(strings.Repeat("k", 32))},
		LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
		Apps:     external.AppConfig{Redirects: []string{"https://app.example/x"}}, Providers: providers})
	return err
}

func TestUnitProvidersBesideEachOther(t *testing.T) {
	forum := func(issuer string) external.OAuth2 {
		return external.OAuth2{Name: "forum", ClientID: "f", Issuer: issuer, AuthorizeURL: "https://forum.example/a",
			TokenURL: "https://forum.example/t",
			Profile: func(context.Context, *external.API) (*external.Profile, error) {
				return &external.Profile{Subject: "42"}, nil
			}}
	}
	second := forum("https://forum.example")
	second.Name, second.ClientID = "second", "g"
	google := external.Google{ClientID: "web", AppClientIDs: []string{"ios"}}
	acme := external.Microsoft{ClientID: "x", Tenant: tenant}
	common := external.Microsoft{Name: "common", ClientID: "y", Tenant: "common", AllowAnyTenant: true}
	sameClient := common
	sameClient.ClientID = "x"
	of := func(p ...external.Provider) []external.Provider { return p }
	t.Run("two that could name one identity are refused", func(t *testing.T) {
		for sentence, providers := range map[string][]external.Provider{
			"an OAuth2 of the issuer of an OIDC": of(google, forum("https://accounts.google.com")),
			"the other way around":               of(forum("https://accounts.google.com"), google),
			"an OAuth2 of an issuer by template": of(
				common, forum("https://login.microsoftonline.com/"+tenant+"/v2.0")),
			"two OAuth2 of one issuer": of(forum("https://forum.example"), second),
			"two apps of Facebook": of(external.Facebook{ClientID: "1", ClientSecret: "x"},
				external.Facebook{Name: "two", ClientID: "2", ClientSecret: "x"}),
			"two applications of LinkedIn": of(external.LinkedIn{ClientID: "1"},
				external.LinkedIn{Name: "two", ClientID: "2"}),
			"an app that is the client of the other": of(google, external.Google{Name: "two", ClientID: "ios"}),
			"a client that is the app of the other":  of(external.Google{Name: "two", ClientID: "ios"}, google),
			"one app in both": of(google,
				external.Google{Name: "two", ClientID: "z", AppClientIDs: []string{"ios"}}),
			"one client of a tenant and of a template": of(acme, sameClient),
		} {
			if err := newOf(providers...); err == nil || !strings.Contains(err.Error(), "one issuer") &&
				!strings.Contains(err.Error(), "one Issuer") {
				t.Errorf("%s: got %v", sentence, err)
			}
		}
	})
	t.Run("a nil pointer is an error, and no panic", func(t *testing.T) {
		for _, p := range []external.Provider{(*external.GitHub)(nil), stranger{define: (*external.OIDC)(nil)},
			stranger{define: (*external.OAuth2)(nil)}} {
			if err := newOf(p); err == nil {
				t.Errorf("%T: got no error", p)
			}
		}
	})
	t.Run("others are taken", func(t *testing.T) {
		for sentence, providers := range map[string][]external.Provider{
			"two clients of one OIDC":              of(google, external.Google{Name: "two", ClientID: "z"}),
			"a tenant and a template, two clients": of(acme, common),
			"one client ID at two issuers":         of(google, external.GitLab{ClientID: "web"}),
			"two issuers without OpenID Connect":   of(forum("https://one.example"), second),
		} {
			if err := newOf(providers...); err != nil {
				t.Errorf("%s: got %v", sentence, err)
			}
		}
	})
}
