package external_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// morePresets are those of enterprises and of further networks, at the double.
func morePresets(idp *authtest.Provider) map[string]external.Provider {
	id, secret, at := idp.ClientID, idp.ClientSecret, idp.URL()
	return map[string]external.Provider{
		"keycloak": external.Keycloak{ClientID: id, ClientSecret: secret, BaseURL: at + "/", Realm: "acme"},
		"okta":     external.Okta{ClientID: id, ClientSecret: secret, BaseURL: at + "/okta"},
		"okta-as": external.Okta{Name: "okta-as", AuthorizationServer: "default", ClientID: id, ClientSecret: secret,
			BaseURL: at + "/okta"},
		"auth0":   external.Auth0{ClientID: id, ClientSecret: secret, BaseURL: at + "/auth0"},
		"slack":   external.Slack{ClientID: id, ClientSecret: secret, BaseURL: at + "/slack"},
		"discord": external.Discord{ClientID: id, ClientSecret: secret, BaseURL: at + "/discord"},
		"linkedin": external.LinkedIn{ClientID: id, ClientSecret: secret, BaseURL: at + "/linkedin",
			AllowWithoutPKCE: true},
		"x":         external.X{ClientID: id, ClientSecret: secret, BaseURL: at + "/x"},
		"bitbucket": external.Bitbucket{ClientID: id, ClientSecret: secret, BaseURL: at + "/bitbucket"},
	}
}

func TestUnitMorePresetsConform(t *testing.T) {
	verified := external.Email{Address: "ada@example.com", Verified: true}
	for name, want := range map[string]external.Profile{
		"keycloak": {Issuer: "/realms/acme", Name: "Ada Lovelace", Username: "ada", Email: verified},
		"okta":     {Issuer: "/okta", Name: "Ada Lovelace", Username: "ada", Email: verified},
		"okta-as":  {Issuer: "/okta/oauth2/default", Name: "Ada Lovelace", Username: "ada", Email: verified},
		"auth0": {Issuer: "/auth0/", Subject: "auth0|42", Name: "Ada Lovelace", Username: "ada", Tenant: "org_1",
			Email: verified},
		"slack": {Issuer: "/slack", Name: "Ada Lovelace", Tenant: "org_1", Email: verified},
		"discord": {Issuer: "/discord", Name: "Ada Lovelace", Username: "ada", Email: verified,
			Picture: "https://cdn.discordapp.com/avatars/42/a_1f.png"},
		"linkedin": {Issuer: "/linkedin/oauth", Name: "Ada Lovelace", Picture: "https://media.example/1",
			Email: verified},
		"x": {Issuer: "/x", Name: "Ada Lovelace", Username: "ada", Picture: "https://pbs.example/1",
			Email: verified},
		"bitbucket": {Issuer: "/bitbucket", Subject: "{42}", Name: "Ada Lovelace", Username: "ada",
			Picture: "https://avatar.example/1", Email: verified},
	} {
		t.Run(name, func(t *testing.T) {
			idp := authtest.NewProvider(t)
			want.Issuer = idp.URL() + want.Issuer
			if want.Subject == "" {
				want.Subject = "42"
			}
			authtest.External(t, authtest.ExternalCases{Provider: morePresets(idp)[name], At: idp,
				Person: authtest.Person{Tenant: "org_1"}, Want: want})
		})
	}
}

// signsIn starts an app with one provider, and signs a person in by it.
func signsIn(t *testing.T, person authtest.Person, make func(*authtest.Provider) external.Provider) (*app, page) {
	t.Helper()
	var name string
	a := newApp(t, func(a *app, c *external.Config) {
		c.Providers = []external.Provider{make(a.idp)}
	})
	name = a.logins.Choices("")[0].Name
	a.idp.SignIn(person)
	return a, a.browser().visit("/login/" + name + "/")
}

func TestUnitPresetsOfOrganizations(t *testing.T) {
	ada := authtest.Person{Subject: "42", Email: "ada@acme.example", EmailVerified: true, Tenant: "org_1"}
	t.Run("only members of the organization or workspace get in, whatever the request asked for", func(t *testing.T) {
		for name, row := range map[string]struct {
			provider func(*authtest.Provider) external.Provider
			status   int
		}{
			"Auth0, a member": {func(idp *authtest.Provider) external.Provider {
				return external.Auth0{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL:      idp.URL() + "/auth0",
					Organization: "org_1"}
			}, 200},
			"Auth0, somebody else": {func(idp *authtest.Provider) external.Provider {
				return external.Auth0{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL:      idp.URL() + "/auth0",
					Organization: "org_2"}
			}, 403},
			"Auth0, by a name that the token lacks": {func(idp *authtest.Provider) external.Provider {
				return external.Auth0{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL:      idp.URL() + "/auth0",
					Organization: "acme"}
			}, 403},
			"Slack, a member": {func(idp *authtest.Provider) external.Provider {
				return external.Slack{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL: idp.URL() + "/slack",
					Team:    "org_1"}
			}, 200},
			"Slack, somebody else": {func(idp *authtest.Provider) external.Provider {
				return external.Slack{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL: idp.URL() + "/slack",
					Team:    "T2"}
			}, 403},
		} {
			if a, p := signsIn(t, ada, row.provider); p.status != row.status {
				t.Errorf("%s: got %d %s, want %d: %s", name, p.status, p.reason(), row.status, a.log)
			}
		}
	})
	t.Run("an address of Slack is authoritative only with one workspace", func(t *testing.T) {
		for team, want := range map[string]bool{"": false, "org_1": true} {
			a, _ := signsIn(t, ada, func(idp *authtest.Provider) external.Provider {
				return external.Slack{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL: idp.URL() + "/slack",
					Team:    team, Domains: []string{"acme.example"}}
			})
			if got := a.last().Email; got.Authoritative != want || !got.Verified {
				t.Errorf("Team %q: got %+v, want Authoritative %v", team, got, want)
			}
		}
	})
	t.Run("an address outside the domains of an organization is not verified", func(t *testing.T) {
		for name := range map[string]bool{"keycloak": true, "okta": true, "auth0": true} {
			for domain, want := range map[string]bool{"acme.example": true, "other.example": false} {
				a, _ := signsIn(t, ada, func(idp *authtest.Provider) external.Provider {
					domains := []string{domain}
					switch p := morePresets(idp)[name].(type) {
					case external.Keycloak:
						p.Domains = domains
						return p
					case external.Okta:
						p.Domains = domains
						return p
					case external.Auth0:
						p.Domains = domains
						return p
					}
					return nil
				})
				if got := a.last().Email; got.Verified != want || got.Authoritative != want {
					t.Errorf("%s with %s: got %+v, want %v", name, domain, got, want)
				}
			}
		}
	})
	t.Run("userinfo does not verify an address that is not that of the ID token", func(t *testing.T) {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{morePresets(a.idp)["okta"]}
		})
		a.idp.SignIn(ada)
		a.idp.SetQuirks(authtest.Quirks{UserInfo: func(c map[string]any) { c["email"] = "other@acme.example" }})
		a.browser().visit("/login/okta/")
		if got := a.last().Email; got.Address != "ada@acme.example" || got.Verified {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUnitPresetsOfNetworks(t *testing.T) {
	ada := authtest.Person{Subject: "42", Name: "Ada", Username: "ada", Email: "ada@example.com", EmailVerified: true}
	t.Run("LinkedIn with PKCE is refused as a fault of the configuration, by an application that has none",
		func(t *testing.T) {
			a, p := signsIn(t, ada, func(idp *authtest.Provider) external.Provider {
				return external.LinkedIn{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
					BaseURL: idp.URL() + "/linkedin"}
			})
			if p.status != http.StatusServiceUnavailable || !strings.Contains(a.log.String(), "invalid_client") {
				t.Errorf("got %d, %s", p.status, a.log)
			}
		})
	t.Run("who presses cancel at LinkedIn did not agree", func(t *testing.T) {
		for _, word := range []string{"user_cancelled_login", "user_cancelled_authorize"} {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers = []external.Provider{morePresets(a.idp)["linkedin"]}
			})
			b := a.browser()
			start := mustURL(b.do("GET", "/login/linkedin/", nil).location).Query()
			b.wants(word, b.do("GET", "/login/linkedin/callback/?error="+word+"&state="+start.Get("state"), nil), 403,
				"access_denied")
		}
	})
	t.Run("X is not asked for an address without its scope", func(t *testing.T) {
		a, _ := signsIn(t, ada, func(idp *authtest.Provider) external.Provider {
			return external.X{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, BaseURL: idp.URL() + "/x",
				Scopes: []string{"users.read", "tweet.read"}}
		})
		if got := a.last().Email; got.Address != "" || got.Verified {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("Bitbucket without the scope of addresses has none", func(t *testing.T) {
		a, _ := signsIn(t, ada, func(idp *authtest.Provider) external.Provider {
			return external.Bitbucket{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
				BaseURL: idp.URL() + "/bitbucket",
				Scopes:  []string{"account"}}
		})
		if got := a.last(); got.Email.Address != "" || got.Subject != "{42}" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a name at Discord is that for people, or the username", func(t *testing.T) {
		ada.Name = ""
		a, _ := signsIn(t, ada, func(idp *authtest.Provider) external.Provider { return morePresets(idp)["discord"] })
		if got := a.last(); got.Name != "ada" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUnitPresetsInTheWorld(t *testing.T) {
	t.Run("each is at the addresses that its provider documents", func(t *testing.T) {
		for want, p := range map[string]external.Provider{
			"https://sso.acme.example/realms/a%20b": external.Keycloak{BaseURL: "https://sso.acme.example/",
				Realm: "a b"},
			"https://acme.okta.com": external.Okta{Domain: "acme.okta.com"},
			"https://acme.okta.com/oauth2/default": external.Okta{Domain: "Acme.okta.com",
				AuthorizationServer: "default"},
			"https://acme.eu.auth0.com/":                      external.Auth0{Domain: "acme.eu.auth0.com"},
			"https://slack.com":                               external.Slack{},
			"https://discord.com/api/oauth2/token":            external.Discord{},
			"https://x.com/i/oauth2/authorize":                external.X{},
			"https://api.x.com/2/oauth2/token":                external.X{},
			"https://bitbucket.org/site/oauth2/authorize":     external.Bitbucket{},
			"https://www.linkedin.com/oauth/v2/authorization": external.LinkedIn{},
			"https://www.linkedin.com/oauth/v2/accessToken":   external.LinkedIn{},
		} {
			defined, err := p.Define()
			if err != nil {
				t.Errorf("%s: %v", want, err)
			}
			var got []string
			switch d := defined.(type) {
			case external.OIDC:
				got = []string{d.Issuer}
			case external.OAuth2:
				got = []string{d.AuthorizeURL, d.TokenURL}
			}
			if !slices.Contains(got, want) {
				t.Errorf("got %q, want %s among them", got, want)
			}
		}
	})
	t.Run("a setting that cannot be right is an error", func(t *testing.T) {
		for _, p := range []external.Provider{external.Okta{Domain: "acme.okta.com."},
			external.Auth0{Domain: "acme.auth0.com."}, external.Okta{Domain: "ACME-ADMIN.okta.com"}} {
			if _, err := p.Define(); err == nil {
				t.Errorf("%+v: got no error", p)
			}
		}
		for want, p := range map[string]external.Provider{
			"Keycloak.BaseURL or Realm": external.Keycloak{BaseURL: "https://sso.acme.example"},
			"Okta.Domain is missing":    external.Okta{},
			"Okta.Domain is no domain":  external.Okta{Domain: "https://acme.okta.com"},
			"admin console":             external.Okta{Domain: "acme-admin.okta.com"},
			"Auth0.Domain is missing":   external.Auth0{},
			"Auth0.Domain is no domain": external.Auth0{Domain: "acme.auth0.com/"},
		} {
			if _, err := p.Define(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}

func TestUnitIssuersOfAnswers(t *testing.T) {
	t.Run("what Discord and X publish as their issuer may be in an answer, and nothing else", func(t *testing.T) {
		for _, name := range []string{"discord", "x"} {
			for iss, want := range map[string]int{"/" + name: 200, "/other": 400} {
				a := newApp(t, func(a *app, c *external.Config) {
					c.Providers = []external.Provider{morePresets(a.idp)[name]}
				})
				a.idp.SignIn(authtest.Person{Subject: "42"})
				a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", a.idp.URL()+iss) }})
				if p := a.browser().visit("/login/" + name + "/"); p.status != want {
					t.Errorf("%s, %s: got %d %s, want %d", name, iss, p.status, p.reason(), want)
				}
			}
		}
	})
	t.Run("an answer of LinkedIn or Bitbucket with an issuer is refused, since they publish none", func(t *testing.T) {
		for name, iss := range map[string]string{"linkedin": "/linkedin/oauth", "bitbucket": "/bitbucket"} {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers = []external.Provider{morePresets(a.idp)[name]}
			})
			a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", a.idp.URL()+iss) }})
			if p := a.browser().visit("/login/" + name + "/"); p.status != 400 {
				t.Errorf("%s: got %d %s, want 400", name, p.status, p.reason())
			}
		}
	})
}

// adas are the profiles of Ada Lovelace, by the names of the presets. Issuers are without
// the URL of the double.
func adas() map[string]external.Profile {
	verified := external.Email{Address: "ada@example.com", Verified: true}
	return map[string]external.Profile{
		"acme":   {Name: "Ada Lovelace", Username: "ada", Email: verified},
		"google": {Name: "Ada Lovelace", Username: "ada", Tenant: tenant, Email: verified},
		"github": {Name: "Ada Lovelace", Username: "ada", Picture: "https://avatars.example/1", Email: verified},
		"microsoft": {Issuer: "/" + tenant + "/v2.0", Name: "Ada Lovelace", Username: "ada", Tenant: tenant,
			Email: external.Email{Address: "ada@example.com"}},
		"facebook": {Name: "Ada Lovelace", Email: external.Email{Address: "ada@example.com"}},
		"gitlab":   {Name: "Ada Lovelace", Username: "ada", Email: verified},
		"apple":    {Name: "Ada Lovelace", Email: verified},
	}
}

func TestUnitPresetsConform(t *testing.T) {
	for name, want := range adas() {
		t.Run(name, func(t *testing.T) {
			idp := authtest.NewProvider(t)
			want.Subject, want.Issuer = "42", idp.URL()+want.Issuer
			authtest.External(t, authtest.ExternalCases{Provider: presets(t, idp)[name], At: idp,
				NumericSubjects: name == "github",
				Person:          authtest.Person{Tenant: tenant}, Want: want})
		})
	}
}
