package external_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/external"
)

// thin has userinfo tell what is not in the ID token.
func thin(change func(map[string]any)) authtest.Quirks {
	return authtest.Quirks{Thin: true, UserInfo: change}
}

func TestUnitUserInfo(t *testing.T) {
	ada := external.Email{Address: "ada@example.com", Verified: true, Source: "acme"}
	t.Run("what is null is not there, and what is odd is not used", func(t *testing.T) {
		for sentence, row := range map[string]struct {
			idToken, userInfo func(map[string]any)
			want              external.Profile
		}{
			"nothing odd": {nil, nil, external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"a subject that is a number": {func(c map[string]any) { c["sub"] = 42 },
				func(c map[string]any) { c["sub"] = 42 }, external.Profile{Subject: "42", Name: "Ada", Username: "ada",
					Email: ada}},
			"a number here, and text there": {nil, func(c map[string]any) { c["sub"] = json.Number("42") },
				external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"null in the ID token, and a value in userinfo": {
				func(c map[string]any) { c["email"], c["name"] = json.RawMessage("null"), json.RawMessage("null") },
				nil, external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"null in userinfo": {nil, func(c map[string]any) {
				c["email"], c["name"], c["preferred_username"] = nil, nil, nil
			},
				external.Profile{Subject: "42", Email: external.Email{Source: "acme"}}},
			"other types in userinfo": {nil, func(c map[string]any) {
				c["email"], c["name"], c["preferred_username"] = []string{"a@b.example"}, 7, map[string]any{}
			}, external.Profile{Subject: "42", Email: external.Email{Source: "acme"}}},
			"verified by text": {nil, func(c map[string]any) { c["email_verified"] = "true" },
				external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"verified by a number": {nil, func(c map[string]any) { c["email_verified"] = 1 },
				external.Profile{Subject: "42",
					Name: "Ada", Username: "ada", Email: external.Email{Address: "ada@example.com", Source: "acme"}}},
			"claims of others": {nil, func(c map[string]any) {
				delete(c, "email")
				c["_claim_names"] = map[string]string{"email": "src1"}
				c["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": "https://evil.example/",
					"JWT": "x.y.z"}}
			}, external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: external.Email{Source: "acme"}}},
			"an azp that is null": {func(c map[string]any) { c["azp"] = json.RawMessage("null") }, nil,
				external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"an azp that is an object": {func(c map[string]any) { c["azp"] = map[string]any{} }, nil,
				external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
			"an at_hash that is null": {func(c map[string]any) { c["at_hash"] = json.RawMessage("null") }, nil,
				external.Profile{Subject: "42", Name: "Ada", Username: "ada", Email: ada}},
		} {
			a := newApp(t, nil)
			a.idp.SignIn(authtest.Person{Subject: "42", Name: "Ada", Username: "ada", Email: "ada@example.com",
				EmailVerified: true})
			quirks := thin(row.userInfo)
			quirks.IDToken = row.idToken
			a.idp.SetQuirks(quirks)
			if p := a.browser().visit("/login/acme/"); p.status != 200 {
				t.Errorf("%s: got %d: %s", sentence, p.status, a.log)
				continue
			}
			got := a.last()
			for name, value := range got.Claims {
				if value == nil {
					t.Errorf("%s: the claim %s is null", sentence, name)
				}
			}
			if got.Subject != row.want.Subject || got.Name != row.want.Name || got.Username != row.want.Username ||
				got.Email.Address != row.want.Email.Address || got.Email.Verified != row.want.Email.Verified {
				t.Errorf("%s: got %+v, want %+v", sentence, got, row.want)
			}
		}
	})
	t.Run("an endpoint that does not answer is an outage, and the log says why it was asked", func(t *testing.T) {
		for status, why := range map[int]string{503: "503", 403: "403", 404: "404"} {
			a := newApp(t, nil)
			a.idp.SetQuirks(authtest.Quirks{Thin: true, UserInfoStatus: status})
			b := a.browser()
			b.wants(why, b.visit("/login/acme/"), 503, "temporarily_unavailable")
			for _, want := range []string{why, "the ID token has no email", "Quirks.NoUserInfo of OIDC", "/userinfo"} {
				if !strings.Contains(a.log.String(), want) {
					t.Errorf("%d: want %q in the log: %s", status, want, a.log)
				}
			}
		}
	})
}

func TestUnitSignedUserInfo(t *testing.T) {
	stranger, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	signs := func(a *app, change func(claims map[string]any)) authtest.Quirks {
		return authtest.Quirks{Thin: true, SignUserInfo: func(claims map[string]any) string {
			claims["aud"], claims["exp"], claims["iat"], claims["jti"] = a.idp.ClientID, nil, nil, nil
			if change != nil {
				change(claims)
			}
			return a.idp.MintWith(map[string]any{"typ": nil}, claims)
		}}
	}
	t.Run("it is read", func(t *testing.T) {
		a := newApp(t, nil)
		a.idp.SetQuirks(signs(a, nil))
		p := a.browser().visit("/login/acme/")
		if p.status != 200 || a.last().Email.Address != "alice@example.com" || a.last().Name != "Alice A." {
			t.Errorf("got %d: %s", p.status, a.log)
		}
	})
	t.Run("it is refused unless the provider signed it, about this person and for this client", func(t *testing.T) {
		for sentence, row := range map[string]struct {
			quirks func(*app) authtest.Quirks
			why    string
		}{
			"another subject": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["sub"] = "2" })
			}, "another subject"},
			"no subject": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["sub"] = nil })
			}, "sub"},
			"another client": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["aud"] = "x" })
			}, "OIDC.ClientID"},
			"no audience": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["aud"] = nil })
			}, "aud is missing"},
			"another issuer": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["iss"] = "https://evil.example" })
			}, "userinfo is refused"},
			"expired": {func(a *app) authtest.Quirks {
				return signs(a, func(c map[string]any) { c["exp"] = 1 })
			}, "exp is past"},
			"a stranger's key": {func(*app) authtest.Quirks { return signedBy(stranger) }, "userinfo is refused"},
			"encrypted": {func(*app) authtest.Quirks {
				return authtest.Quirks{Thin: true, SignUserInfo: func(map[string]any) string { return "a.b.c.d.e" }}
			}, "userinfo_encrypted_response_alg"},
		} {
			a := newApp(t, nil)
			a.idp.SetQuirks(row.quirks(a))
			b := a.browser()
			b.wants(sentence, b.visit("/login/acme/"), 400, "untrusted")
			if !strings.Contains(a.log.String(), row.why) {
				t.Errorf("%s: want %q in the log: %s", sentence, row.why, a.log)
			}
		}
	})
	t.Run("it is of the tenant of the ID token", func(t *testing.T) {
		for issuer, want := range map[string]int{tenant: 200, otherTenant: 400} {
			a := newApp(t, func(a *app, c *external.Config) {
				m, err := external.Microsoft{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
					Tenant:         "common",
					AllowAnyTenant: true, BaseURL: a.idp.URL()}.Define()
				if err != nil {
					t.Fatal(err)
				}
				o := m.(external.OIDC)
				o.Quirks.NoUserInfo = false
				c.Providers = []external.Provider{o}
			})
			a.idp.SignIn(authtest.Person{Subject: "1", Tenant: tenant, Email: "ada@example.com"})
			a.idp.SetQuirks(signs(a, func(c map[string]any) { c["iss"] = a.idp.URL() + "/" + issuer + "/v2.0" }))
			if p := a.browser().visit("/login/microsoft/"); p.status != want {
				t.Errorf("%s: got %d, want %d: %s", issuer, p.status, want, a.log)
			}
		}
	})
}

// signedBy has another key sign userinfo.
func signedBy(key *jwt.Key) authtest.Quirks {
	return authtest.Quirks{Thin: true, SignUserInfo: func(claims map[string]any) string {
		text, _ := jwt.Sign(key, "JWT", claims)
		return text
	}}
}
