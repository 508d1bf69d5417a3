package external_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitDomainsThatAProviderDecidesAbout(t *testing.T) {
	t.Run("Apple decides about its own, and about no other that is listed", func(t *testing.T) {
		for address, want := range map[string]bool{"ada@acme.example": false, "ada@icloud.com": true,
			"ada@privaterelay.appleid.com": true} {
			a, _ := signsIn(t, authtest.Person{Subject: "42", Email: address, EmailVerified: true},
				func(idp *authtest.Provider) external.Provider {
					return external.Apple{ClientID: idp.ClientID, TeamID: "t", KeyID: "k", PrivateKey: applePEM(t),
						BaseURL: idp.URL(),
						Domains: []string{"acme.example", "icloud.com", "privaterelay.appleid.com"}}
				})
			if got := a.last().Email; got.Authoritative != want || !got.Verified {
				t.Errorf("%s: got %+v, want Authoritative %v", address, got, want)
			}
		}
	})
	t.Run("gitlab.com decides about none, and a GitLab of one's own about those that are listed", func(t *testing.T) {
		defined, err := external.GitLab{Domains: []string{"acme.example"}}.Define()
		o, ok := defined.(external.OIDC)
		if err != nil || !ok || o.Quirks.Complete == nil {
			t.Fatalf("got %v %T", err, defined)
		}
		p := &external.Profile{Email: external.Email{Address: "a@acme.example", Verified: true, Authoritative: true}}
		if err := o.Quirks.Complete(t.Context(), nil, p); err != nil || p.Email.Authoritative || !p.Email.Verified {
			t.Errorf("got %v %+v", err, p.Email)
		}
		a, _ := signsIn(t, authtest.Person{Subject: "42", Email: "ada@acme.example", EmailVerified: true},
			func(idp *authtest.Provider) external.Provider {
				return external.GitLab{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, BaseURL: idp.URL(),
					Domains: []string{"acme.example"}}
			})
		if got := a.last().Email; !got.Authoritative {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a provider that serves everybody decides about none, unless it says so", func(t *testing.T) {
		a := strange(t, func(_ *app, o *external.OIDC) {
			o.Domains, o.Quirks.AnyDomain = []string{"acme.example"}, true
		})
		a.idp.SignIn(authtest.Person{Subject: "42", Email: "ada@acme.example", EmailVerified: true})
		a.browser().visit("/login/acme/")
		if got := a.last().Email; got.Authoritative || !got.Verified {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUnitDomainsWithoutOpenIDConnect(t *testing.T) {
	t.Run("an address outside the listed domains is not verified, as with OpenID Connect", func(t *testing.T) {
		for address, want := range map[string]bool{"ada@acme.example": true, "ada@other.example": false} {
			for _, name := range []string{"discord", "linkedin", "bitbucket", "keycloak"} {
				a, _ := signsIn(t, authtest.Person{Subject: "42", Email: address, EmailVerified: true},
					func(idp *authtest.Provider) external.Provider {
						domains := []string{"acme.example"}
						switch p := morePresets(idp)[name].(type) {
						case external.Discord:
							p.Domains = domains
							return p
						case external.LinkedIn:
							p.Domains = domains
							return p
						case external.Bitbucket:
							p.Domains = domains
							return p
						case external.Keycloak:
							p.Domains = domains
							return p
						}
						return nil
					})
				if got := a.last().Email; got.Address != address || got.Verified != want {
					t.Errorf("%s, %s: got %+v, want Verified %v", name, address, got, want)
				}
			}
		}
	})
}

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

func TestUnitIdentifiers(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	b.visit("/login/acme/")
	identities, err := a.logins.Identities(t.Context(), "acme-1")
	if err != nil || len(identities) != 1 {
		t.Fatalf("got %d identities, %v, want 1", len(identities), err)
	}
	if id, err := uuid.Parse(identities[0].ID); err != nil || id.Version() != 7 {
		t.Errorf("got the identifier %q, want a UUID of version 7", identities[0].ID)
	}
	start, err := url.Parse(b.do("GET", "/login/acme/", nil).location)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "nonce"} {
		// 26 characters of base32 have 130 bits.
		secret := start.Query().Get(name)
		if _, err := uuid.Parse(secret); err == nil || len(secret) != 26 {
			t.Errorf("%s: got %q, want 26 random characters", name, secret)
		}
	}
}
