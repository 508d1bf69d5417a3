package external_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// stranger is a provider that this package does not know.
type stranger struct {
	define external.Definition
	err    error
}

func (s stranger) Define() (external.Definition, error) { return s.define, s.err }

// strange starts an app with a provider of somebody else, by OpenID Connect.
func strange(t *testing.T, change func(*app, *external.OIDC)) *app {
	t.Helper()
	return newApp(t, func(a *app, c *external.Config) {
		acme := a.acme()
		change(a, &acme)
		c.Providers = []external.Provider{stranger{define: acme}}
	})
}

func TestUnitDefine(t *testing.T) {
	t.Run("a definition that is missing or has a fault is an error of New, by the name of the type",
		func(t *testing.T) {
			fault := errors.New("the fault of Define")
			uuid := func(string) bool { return true }
			secret := func(context.Context) (auth.Secret, error) { return "s", nil }
			for sentence, row := range map[string]struct {
				given stranger
				want  string
			}{
				"an error":      {stranger{err: fault}, fault.Error()},
				"no definition": {stranger{}, "external_test.stranger.Define returned no definition"},
				"no client": {stranger{define: external.OIDC{Name: "x"}},
					"external_test.stranger.ClientID is missing"},
				"a template without IsTenant": {oidcWith("tid", external.OIDCQuirks{
					IssuerTemplate: "https://idp.example/{t}"}), "IssuerTemplate needs"},
				"a template without Tenant": {oidcWith("", external.OIDCQuirks{
					IssuerTemplate: "https://idp.example/{t}", IsTenant: uuid}), "IssuerTemplate needs"},
				"a template without braces": {oidcWith("tid", external.OIDCQuirks{
					IssuerTemplate: "https://idp.example/", IsTenant: uuid}), "one name in braces"},
				"a template of two names": {oidcWith("tid", external.OIDCQuirks{
					IssuerTemplate: "https://idp.example/{t}/{u}", IsTenant: uuid}), "one name in braces"},
				"IsTenant alone": {oidcWith("tid", external.OIDCQuirks{IsTenant: uuid}), "without IssuerTemplate"},
				"an empty alias": {oidcWith("", external.OIDCQuirks{IssuerAliases: []string{""}}), "IssuerAliases"},
				"metadata by http": {oidcWith("", external.OIDCQuirks{MetadataURL: "http://idp.example/"}),
					"Quirks.MetadataURL"},
				"two kinds of secret": {stranger{define: external.OIDC{Name: "x", Issuer: "https://idp.example",
					ClientID:     "x",
					ClientSecret: "s", Quirks: external.OIDCQuirks{MakeSecret: secret}}}, "Quirks.MakeSecret beside"},
			} {
				_, err := external.New(external.Config{URL: "https://app.example", Store: external.NewMemoryStore(),
					Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))},
					Apps: external.AppConfig{Redirects: []string{
						"https://app.example/x"}},
					LoadUser:  func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
					Providers: []external.Provider{row.given}})
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Errorf("%s: got %v, want %q", sentence, err, row.want)
				}
			}
		})
}

func oidcWith(tenantClaim string, quirks external.OIDCQuirks) stranger {
	return stranger{define: external.OIDC{Name: "x", Issuer: "https://idp.example/x", ClientID: "x",
		Tenant: tenantClaim, Quirks: quirks}}
}

func TestUnitHooksOfAProvider(t *testing.T) {
	t.Run("Complete fills in what the claims lack, and changes nothing that was checked", func(t *testing.T) {
		a := strange(t, func(a *app, o *external.OIDC) {
			o.Quirks.Complete = func(_ context.Context, api *external.API, p *external.Profile) error {
				if api.Answer("code") != "" || api.Answer("state") != "" || api.Answer("iss") != a.idp.URL() {
					t.Error("Answer has a code or a state, or lacks the rest")
				}
				p.Subject, p.Issuer, p.Provider = "root", "https://evil.example", "evil"
				p.AuthInfo = auth.AuthInfo{AuthTime: time.Unix(1, 0)}
				p.Email = external.Email{Address: "root@example.com", Verified: true, Authoritative: true}
				p.Username, p.Claims["more"] = "a\u202eb\x00", "x"
				return nil
			}
		})
		b := a.browser()
		b.visit("/login/acme/")
		p := a.last()
		if p.Subject != "1" || p.Issuer != a.idp.URL() || p.Provider != "acme" ||
			p.AuthInfo.AuthTime.Equal(time.Unix(1, 0)) {
			t.Errorf("got another identity: %+v", p)
		}
		if p.Email.Authoritative || p.Email.Source != "acme" || p.Username != "" || p.Claims["more"] != "x" {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("an address outside Domains is not verified, whatever Complete says", func(t *testing.T) {
		a := strange(t, func(_ *app, o *external.OIDC) {
			o.Domains = []string{"acme.example"}
			o.Quirks.Complete = func(_ context.Context, _ *external.API, p *external.Profile) error {
				p.Email.Verified, p.Email.Authoritative = true, true
				return nil
			}
		})
		a.browser().visit("/login/acme/")
		if a.last().Email.Verified || a.last().Email.Authoritative {
			t.Errorf("got %+v", a.last().Email)
		}
	})
	t.Run("Complete refuses, and its error says how", func(t *testing.T) {
		for reason, err := range map[string]error{
			"not_allowed": external.ErrNotAllowed, "untrusted": external.ErrUntrusted,
			"temporarily_unavailable": errDown,
		} {
			a := strange(t, func(_ *app, o *external.OIDC) {
				o.Quirks.Complete = func(context.Context, *external.API, *external.Profile) error { return err }
			})
			if p := a.browser().visit("/login/acme/"); p.reason() != reason || a.logged() != 0 {
				t.Errorf("%v: got %q, want %q", err, p.reason(), reason)
			}
		}
	})
	t.Run("Complete is not asked about a token that is not good", func(t *testing.T) {
		a := strange(t, func(_ *app, o *external.OIDC) {
			o.Quirks.Complete = func(context.Context, *external.API, *external.Profile) error {
				t.Error("was asked")
				return nil
			}
		})
		a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["nonce"] = "x" }})
		b := a.browser()
		b.wants("another nonce", b.visit("/login/acme/"), 400, "untrusted")
	})
	t.Run("an ID token is good once, whatever Complete makes of its claims", func(t *testing.T) {
		a := strange(t, func(_ *app, o *external.OIDC) {
			o.Quirks.Complete = func(_ context.Context, _ *external.API, p *external.Profile) error {
				p.Claims = nil
				return nil
			}
		})
		token := auth.Secret(a.idp.MintWith(map[string]any{"typ": "JWT"},
			map[string]any{"aud": a.idp.ClientID, "sub": "42", "nonce": "n"}))
		for i, want := range []error{nil, auth.ErrInvalid, auth.ErrInvalid} {
			if _, _, err := a.logins.FromIDToken(t.Context(), "acme", token, "n"); auth.KindOf(err) != want {
				t.Errorf("try %d: got %v, want %v", i, err, want)
			}
		}
	})
}

func TestUnitSecretsThatAreMade(t *testing.T) {
	t.Run("a secret is made for each request, and an empty one is an outage", func(t *testing.T) {
		made := []auth.Secret{"", "wrong", "right"}
		a := strange(t, func(a *app, o *external.OIDC) {
			made[2], o.ClientSecret = o.ClientSecret, ""
			o.Quirks.MakeSecret = func(context.Context) (auth.Secret, error) {
				secret := made[0]
				made = made[1:]
				return secret, nil
			}
		})
		for _, want := range []int{503, 503, 200} {
			if p := a.browser().visit("/login/acme/"); p.status != want {
				t.Errorf("got %d %s, want %d", p.status, p.reason(), want)
			}
		}
		if n := len(a.idp.TokenRequests()); n != 2 {
			t.Errorf("got %d requests, want 2: none without a secret", n)
		}
	})
}

func TestUnitIssuersOfTenants(t *testing.T) {
	t.Run("only an issuer by the template is taken, and its tenant must be that of the claim", func(t *testing.T) {
		for sentence, row := range map[string]struct{ issuer, tenant any }{
			"of the tenant":              {"/" + tenant + "/v2.0", tenant},
			"of another one":             {"/" + tenant + "/v2.0", otherTenant},
			"without the claim":          {"/" + tenant + "/v2.0", nil},
			"with more of a path":        {"/" + tenant + "/x/v2.0", tenant},
			"with the template itself":   {"/{tenantid}/v2.0", "{tenantid}"},
			"with no tenant":             {"//v2.0", ""},
			"at another host":            {".evil.example/" + tenant + "/v2.0", tenant},
			"with a query as its tenant": {"/?x=/v2.0", "?x="},
		} {
			want := "untrusted"
			if sentence == "of the tenant" {
				want = ""
			}
			a := strange(t, func(a *app, o *external.OIDC) {
				o.Issuer, o.Tenant = a.idp.URL()+"/common/v2.0", "tid"
				// A function that lets everything by must not be enough.
				o.Quirks = external.OIDCQuirks{IssuerTemplate: a.idp.URL() + "/{tenantid}/v2.0", NoUserInfo: true,
					IsTenant: func(string) bool { return true }}
			})
			a.idp.SignIn(authtest.Person{Subject: "1", Tenant: tenant})
			a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) {
				c["iss"], c["tid"] = a.idp.URL()+row.issuer.(string), row.tenant
			}})
			if p := a.browser().visit("/login/acme/"); p.reason() != want {
				t.Errorf("%s: got %d %q, want %q: %s", sentence, p.status, p.reason(), want, a.log)
			}
		}
	})
}

func TestUnitOAuth2Quirks(t *testing.T) {
	t.Run("without PKCE none is sent, and what is lost is all that is lost", func(t *testing.T) {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{plain(a, func(o *external.OAuth2) { o.Quirks.AllowWithoutPKCE = true })}
		})
		q := mustURL(a.browser().do("GET", "/login/plain/", nil).location).Query()
		if q.Has("code_challenge") || q.Has("code_challenge_method") || len(q.Get("state")) < 26 {
			t.Errorf("got %v", q)
		}
	})
	t.Run("codes of the provider's own say what those of the RFC do", func(t *testing.T) {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{plain(a, func(o *external.OAuth2) {
				o.Quirks.Errors = external.ErrorCodes{InvalidGrant: []string{"stale"},
					AccessDenied: []string{"cancelled"}}
			})}
		})
		b := a.browser()
		a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(a map[string]any) { clear(a); a["error"] = "stale" }})
		b.wants("a stale code", b.visit("/login/plain/"), 400, "refused")
		a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(a map[string]any) { clear(a); a["error"] = "other" }})
		b.wants("another error", b.visit("/login/plain/"), 503, "temporarily_unavailable")
		a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Del("code"); v.Set("error", "cancelled") }})
		b.wants("cancelled", b.visit("/login/plain/"), 403, "access_denied")
	})
	t.Run("a token that the provider repeats in an error of a second exchange is in no log", func(t *testing.T) {
		var token string
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{plain(a, func(o *external.OAuth2) {
				o.Quirks.Extend = func(tokens *external.Tokens) url.Values {
					token = tokens.Access().Reveal()
					return url.Values{"grant_type": {"fb_exchange_token"}, "fb_exchange_token": {token}}
				}
			})}
		})
		a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(answer map[string]any) {
			if token != "" { // the second request
				answer["error"], answer["error_description"] = "invalid_grant", "not "+token
			}
		}})
		b := a.browser()
		b.wants("a second exchange that is refused", b.visit("/login/plain/"), 400, "refused")
		if token == "" || strings.Contains(a.log.String(), token) || !strings.Contains(a.log.String(), "[secret]") {
			t.Errorf("the token is %q, the log %s", token, a.log)
		}
	})
}

func TestUnitAddressesThatWouldHaveToBeChanged(t *testing.T) {
	long := strings.Repeat("a", 255-len("@acme.example")) + "@acme.example"
	for sentence, address := range map[string]string{
		"that is cut": long + ".evil.example", "with a control character": "a@acme\x00.example",
		"with a direction mark": "a@acme\u202e.example",
	} {
		t.Run("an address "+sentence+" is none, and not another one", func(t *testing.T) {
			a := newApp(t, func(a *app, c *external.Config) {
				acme := a.acme()
				acme.Domains = []string{"acme.example"}
				c.Providers = []external.Provider{acme, external.Discord{ClientID: a.idp.ClientID,
					ClientSecret: a.idp.ClientSecret, BaseURL: a.idp.URL() + "/discord"}}
			})
			a.idp.SignIn(authtest.Person{Subject: "1", Email: address, EmailVerified: true})
			for _, name := range []string{"acme", "discord"} {
				a.browser().visit("/login/" + name + "/")
				if got := a.last().Email; got.Address != "" || got.Verified || got.Authoritative {
					t.Errorf("%s: got %+v, want no address", name, got)
				}
			}
		})
	}
}
