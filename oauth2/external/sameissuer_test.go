package external_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// twoClients starts an app with two clients of one issuer, each with a name of its own.
// The second is not known at the double, which issues nothing to it.
func twoClients(t *testing.T) *app {
	t.Helper()
	return newApp(t, func(a *app, c *external.Config) {
		staff := a.acme()
		staff.Name, staff.ClientID = "staff", "another-client"
		c.Providers = []external.Provider{a.acme(), staff}
	})
}

func TestUnitTwoClientsOfOneIssuer(t *testing.T) {
	t.Run("each is sent to the issuer as itself, with a redirect URI of its own", func(t *testing.T) {
		a := twoClients(t)
		for name, client := range map[string]string{"acme": a.idp.ClientID, "staff": "another-client"} {
			q := mustURL(a.browser().do("GET", "/login/"+name+"/", nil).location).Query()
			if q.Get("client_id") != client || q.Get("redirect_uri") != a.url+"/login/"+name+"/callback/" {
				t.Errorf("%s: got %v", name, q)
			}
		}
		a.browser().visit("/login/acme/")
		if p := a.last(); p.Provider != "acme" {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("an ID token is taken by the provider that it is for, and by no other", func(t *testing.T) {
		a := twoClients(t)
		mint := func(aud string) auth.Secret {
			return auth.Secret(a.idp.MintWith(map[string]any{"typ": "JWT"},
				map[string]any{"aud": aud, "sub": "42", "nonce": "n"}))
		}
		for name, row := range map[string]struct{ own, other string }{
			"acme": {a.idp.ClientID, "another-client"}, "staff": {"another-client", a.idp.ClientID},
		} {
			_, proof, err := a.logins.FromIDToken(t.Context(), name, mint(row.own), "n")
			if err != nil || proof.Profile.Provider != name {
				t.Errorf("%s: got %v", name, err)
			}
			if _, _, err := a.logins.FromIDToken(t.Context(), name, mint(row.other), "n"); auth.KindOf(
				err) != auth.ErrInvalid {
				t.Errorf("%s: got %v for the token of the other client, want ErrInvalid", name, err)
			}
		}
		if all := append(a.identities("acme-42"), a.identities("staff-42")...); len(all) != 1 {
			t.Errorf("got %d identities of one subject of one issuer, want one", len(all))
		}
	})
	t.Run("a code of the one is no use at the callback of the other", func(t *testing.T) {
		a := twoClients(t)
		for _, pair := range [][2]string{{"acme", "staff"}, {"staff", "acme"}} {
			b := a.browser()
			start := mustURL(b.do("GET", "/login/"+pair[0]+"/", nil).location).Query()
			back := "/login/" + pair[1] + "/callback/?code=x&iss=" + a.idp.URL() + "&state=" + start.Get("state")
			b.wants(pair[0], b.do("GET", back, nil), 400, "untrusted")
		}
		if n := len(a.idp.TokenRequests()); n != 0 {
			t.Errorf("a code was sent %d times", n)
		}
	})
	t.Run("a token for the other client in a browser's login is refused", func(t *testing.T) {
		a := twoClients(t)
		a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["aud"] = "another-client" }})
		b := a.browser()
		b.wants("for the other", b.visit("/login/acme/"), 400, "untrusted")
	})
}

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
