package external_test

import (
	"context"
	"slices"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitProfilesOfFunctions(t *testing.T) {
	member := func(p *external.Profile) any { return p.Claims["groups"].([]any)[0].(map[string]any)["name"] }
	t.Run("Complete cannot write to what was checked", func(t *testing.T) {
		a := strange(t, func(_ *app, o *external.OIDC) {
			o.Quirks.Complete = func(_ context.Context, _ *external.API, p *external.Profile) error {
				p.AuthInfo.AMR[0] = "mfa"
				return nil
			}
		})
		a.idp.SignIn(authtest.Person{Subject: "42", Claims: map[string]any{"amr": []string{"pwd"}}})
		a.browser().visit("/login/acme/")
		if got := a.last().AuthInfo.AMR; !slices.Equal(got, []string{"pwd"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("Complete cannot change the tenant of the issuer", func(t *testing.T) {
		a := strange(t, func(a *app, o *external.OIDC) {
			o.Issuer, o.Tenant = a.idp.URL()+"/common/v2.0", "tid"
			o.Quirks = external.OIDCQuirks{IssuerTemplate: a.idp.URL() + "/{tenantid}/v2.0", NoUserInfo: true,
				NoMaxAge: true, IsTenant: func(string) bool { return true },
				Complete: func(_ context.Context, _ *external.API, p *external.Profile) error {
					p.Tenant = otherTenant
					return nil
				}}
		})
		a.idp.SignIn(authtest.Person{Subject: "42", Tenant: tenant})
		a.browser().visit("/login/acme/")
		if got := a.last(); got.Tenant != tenant {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a profile that a function kept is not the one that counts", func(t *testing.T) {
		claims := map[string]any{"amr": []string{"pwd"}, "groups": []any{map[string]any{"name": "staff"}}}
		var kept *external.Profile
		spoil := func(_ context.Context, p *external.Profile) error {
			kept.Subject, kept.Email.Authoritative = "victim", true
			kept.Claims["groups"].([]any)[0].(map[string]any)["name"] = "admin"
			if len(kept.AuthInfo.AMR) > 0 {
				kept.AuthInfo.AMR[0] = "mfa"
			}
			if p.Subject != "42" || member(p) != "staff" || p.Email.Authoritative {
				t.Errorf("got %+v", p)
			}
			return nil
		}
		for name, make := range map[string]func(*app) external.Provider{
			"OIDC": func(a *app) external.Provider {
				o := a.acme()
				o.Quirks.Complete = func(_ context.Context, _ *external.API, p *external.Profile) error {
					kept = p
					return nil
				}
				return o
			},
			"OAuth2": func(a *app) external.Provider {
				defined, err := morePresets(a.idp)["discord"].Define()
				o, ok := defined.(external.OAuth2)
				if err != nil || !ok {
					t.Fatal(err)
				}
				o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
					kept = &external.Profile{Subject: "42", Claims: map[string]any{
						"groups": []any{map[string]any{"name": "staff"}}}}
					return kept, nil
				}
				return o
			},
		} {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers, c.Accounts.Allow = []external.Provider{make(a)}, spoil
			})
			a.idp.SignIn(authtest.Person{Subject: "42", Claims: claims})
			p := a.browser().visit("/login/" + a.logins.Choices("")[0].Name + "/")
			if got := a.last(); p.status != 200 || got.Subject != "42" || member(got) != "staff" ||
				slices.Contains(got.AuthInfo.AMR, "mfa") {
				t.Errorf("%s: got %d %+v", name, p.status, got)
			}
		}
	})
}
