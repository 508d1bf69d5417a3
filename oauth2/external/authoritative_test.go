package external_test

import (
	"testing"

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
