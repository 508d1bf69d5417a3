package external_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

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
