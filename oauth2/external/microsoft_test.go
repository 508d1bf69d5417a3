package external_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitKeysOfMicrosoft(t *testing.T) {
	organizations := func(change func(*external.Microsoft)) func(*authtest.Provider) external.Provider {
		return func(idp *authtest.Provider) external.Provider {
			m := external.Microsoft{Tenant: "common", AllowAnyTenant: true, ClientID: idp.ClientID,
				ClientSecret: idp.ClientSecret, BaseURL: idp.URL()}
			if change != nil {
				change(&m)
			}
			return m
		}
	}
	one := func(m *external.Microsoft) { m.Tenant, m.AllowAnyTenant = tenant, false }
	without := func(m *external.Microsoft) { m.AllowKeysWithoutIssuer = true }
	for _, row := range []struct {
		sentence string
		provider func(*external.Microsoft)
		person   string // the tenant
		issuer   any    // of the key; "…" is the host of the double
		status   int
	}{
		{"a key of all organizations signs for each", nil, tenant, "…/{tenantid}/v2.0", 200},
		{"a key of people's own accounts signs for them", nil, external.MicrosoftConsumers,
			"…/" + external.MicrosoftConsumers + "/v2.0", 200},
		{"and for no organization", nil, tenant, "…/" + external.MicrosoftConsumers + "/v2.0", 400},
		{"a key of one tenant signs for it", nil, tenant, "…/" + tenant + "/v2.0", 200},
		{"and for no other", nil, otherTenant, "…/" + tenant + "/v2.0", 400},
		{"a key of another provider signs for no tenant", nil, tenant, "https://evil.example/{tenantid}/v2.0", 400},
		{"a key that names no issuer signs for no tenant", nil, tenant, nil, 400},
		{"an empty issuer is no issuer", nil, tenant, "", 400},
		{"one that is no text neither", nil, tenant, 7, 400},
		{"a setting takes keys without one", without, tenant, nil, 200},
		{"and no key of another tenant", without, otherTenant, "…/" + tenant + "/v2.0", 400},
		{"where there is one tenant, keys may lack it", one, tenant, nil, 200},
		{"and must not name another one", one, tenant, "…/" + external.MicrosoftConsumers + "/v2.0", 400},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers = []external.Provider{organizations(row.provider)(a.idp)}
			})
			a.idp.SetQuirks(authtest.Quirks{Key: func(members map[string]any) {
				members["issuer"] = row.issuer
				if text, ok := row.issuer.(string); ok {
					members["issuer"] = strings.Replace(text, "…", a.idp.URL(), 1)
				}
			}})
			a.idp.SignIn(authtest.Person{Subject: "42", Tenant: row.person})
			p := a.browser().visit("/login/microsoft/")
			if p.status != row.status {
				t.Errorf("got %d %s, want %d: %s", p.status, p.reason(), row.status, a.log)
			}
			if row.status != 200 && (p.reason() != "untrusted" || !strings.Contains(a.log.String(), "issuer")) {
				t.Errorf("got %s, and the log does not say why: %s", p.reason(), a.log)
			}
		})
	}
	t.Run("settings that contradict each other are mistakes", func(t *testing.T) {
		for want, given := range map[string]external.Provider{
			"AllowKeysWithoutIssuer beside one Tenant": external.Microsoft{ClientID: "x", Tenant: tenant,
				AllowKeysWithoutIssuer: true},
			"AllowKeysWithoutIssuer without KeyIssuers": external.OIDC{Name: "x", ClientID: "x",
				Issuer: "https://idp.example",
				Quirks: external.OIDCQuirks{AllowKeysWithoutIssuer: true}},
		} {
			if err := newOf(given); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}

func TestUnitMicrosoftOfOrganizations(t *testing.T) {
	t.Run("a person's own account is none of an organization", func(t *testing.T) {
		for tenantOf, want := range map[string]int{external.MicrosoftConsumers: 403, tenant: 200} {
			a, p := signsIn(t, authtest.Person{Subject: "42", Tenant: tenantOf},
				func(idp *authtest.Provider) external.Provider {
					return external.Microsoft{Tenant: "organizations", AllowAnyTenant: true, ClientID: idp.ClientID,
						ClientSecret: idp.ClientSecret, BaseURL: idp.URL()}
				})
			if p.status != want {
				t.Errorf("%s: got %d %s, want %d: %s", tenantOf, p.status, p.reason(), want, a.log)
			}
		}
	})
	t.Run("it cannot be allowed", func(t *testing.T) {
		err := newOf(external.Microsoft{Tenant: "organizations", ClientID: "x",
			AllowTenants: []string{tenant, external.MicrosoftConsumers}})
		if err == nil || !strings.Contains(err.Error(), "MicrosoftConsumers") {
			t.Errorf("got %v", err)
		}
	})
}
