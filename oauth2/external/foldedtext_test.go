package external_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitTextThatLooksLikeAnother(t *testing.T) {
	t.Run("an address that lower case or a screen makes another one asks for no account", func(t *testing.T) {
		for address, want := range map[string]bool{
			"ada@kelvin.example": true,
			"Ada@Kelvin.Example": true,
			// the sign of the unit kelvin, "k" in lower case
			"ada@\u212aelvin.example":                              false,
			"\u212aada@kelvin.example":                             false,
			"\u0131da@kelvin.example":                              false, // a dotless i
			"ada@kelvin.\u200fexample":                             false,
			"ada@kelvin.example\x01":                               false,
			" ada@kelvin.example":                                  false,
			"ada@kelvin.example@evil.test":                         false,
			"ada@evil.test,kelvin.example":                         false,
			strings.Repeat("a", 238) + "@kelvin.example":           true,
			strings.Repeat("a", 239) + "@kelvin.example.evil.test": false,
		} {
			asked := ""
			a := newApp(t, func(a *app, c *external.Config) {
				acme := a.acme()
				acme.Domains = []string{"kelvin.example"}
				c.Providers = []external.Provider{acme}
				c.Accounts.ByEmail = func(_ context.Context, address string) (external.Account, error) {
					asked = address
					return external.Account{}, auth.ErrUserNotFound
				}
			})
			a.idp.SignIn(authtest.Person{Subject: "1", Email: address, EmailVerified: true})
			if p := a.browser().visit("/login/acme/"); p.status != 200 {
				t.Fatalf("%q: got %d", address, p.status)
			}
			if got := a.last().Email; got.Authoritative != want || (asked == address) != want || !want && asked != "" {
				t.Errorf("%q: got %+v, and asked for %q", address, got, asked)
			}
			if got := a.last().Email.Address; got != "" && got != address {
				t.Errorf("%q: got the address %q", address, got)
			}
		}
	})
	t.Run("an organization that is written like another one is another one", func(t *testing.T) {
		for tenant, want := range map[string]int{"kelvin.example": 200, "Kelvin.Example": 200,
			"\u212aelvin.example":  403,
			"kelvin.exa\u200bmple": 403, "kelvin.example ": 403} {
			_, p := signsIn(t, authtest.Person{Subject: "1", Tenant: tenant},
				func(idp *authtest.Provider) external.Provider {
					return external.Google{HostedDomain: "kelvin.example", ClientID: idp.ClientID,
						ClientSecret: idp.ClientSecret, BaseURL: idp.URL()}
				})
			if p.status != want {
				t.Errorf("%q: got %d, want %d", tenant, p.status, want)
			}
		}
	})
	t.Run("a username is as the provider has it, or none", func(t *testing.T) {
		for username, want := range map[string]string{"ada": "ada", "a\u202eda": "", " ada": "",
			strings.Repeat("a", 255): strings.Repeat("a", 255), strings.Repeat("a", 256): ""} {
			for _, name := range []string{"acme", "github", "discord", "x", "bitbucket"} {
				a := newApp(t, func(a *app, c *external.Config) {
					id, secret := a.idp.ClientID, a.idp.ClientSecret
					all := morePresets(a.idp)
					all["acme"], all["github"] = a.acme(), external.GitHub{ClientID: id, ClientSecret: secret,
						BaseURL: a.idp.URL()}
					c.Providers = []external.Provider{all[name]}
				})
				a.idp.SignIn(authtest.Person{Subject: "1", Username: username})
				if p := a.browser().visit("/login/" + name + "/"); p.status != 200 {
					t.Fatalf("%s: got %d: %s", name, p.status, a.log)
				}
				if got := a.last().Username; got != want {
					t.Errorf("%s, %.20q: got %.20q, want %.20q", name, username, got, want)
				}
			}
		}
	})
}
