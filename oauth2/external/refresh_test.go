package external_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/external"
)

// keeping is an app that keeps tokens, with the identity that they are of.
func keeping(t *testing.T, name string, providers func(*app) []external.Provider) (a *app, of *external.Identity,
	kept *external.Tokens) {
	t.Helper()
	a = newApp(t, func(a *app, c *external.Config) {
		if providers != nil {
			c.Providers = providers(a)
		}
		c.Accounts.KeepTokens = func(_ context.Context, u auth.User, p *external.Profile,
			tokens *external.Tokens) error {
			of, kept = p.Identity(u.UserID(), time.Now()), tokens
			return nil
		}
	})
	a.idp.SignIn(authtest.Person{Subject: "1", Tenant: tenant})
	if p := a.browser().visit("/login/" + name + "/"); p.status != 200 || kept == nil {
		t.Fatalf("got %d: %s", p.status, a.log)
	}
	return a, of, kept
}

func TestUnitRefreshedIDTokens(t *testing.T) {
	stranger, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(key *jwt.Key) authtest.Quirks {
		return authtest.Quirks{Sign: func(c map[string]any) string {
			delete(c, "jti")
			text, _ := jwt.Sign(key, "JWT", c)
			return text
		}}
	}
	claim := func(name string, value any) authtest.Quirks {
		return authtest.Quirks{IDToken: func(c map[string]any) { c[name] = value }}
	}
	t.Run("one that is not of the same person, for this client and good is refused", func(t *testing.T) {
		for sentence, row := range map[string]struct {
			quirks authtest.Quirks
			why    string
		}{
			"another subject": {claim("sub", "2"),
				`another subject than the tokens (OpenID Connect Core §12.2): "2", want "1"`},
			"no subject":       {claim("sub", nil), "sub"},
			"another issuer":   {claim("iss", "https://evil.example"), "another issuer"},
			"no issuer":        {claim("iss", nil), "another issuer"},
			"another audience": {claim("aud", "another"), "see OIDC.ClientID"},
			"no audience":      {claim("aud", nil), "aud is missing"},
			"two audiences":    {claim("aud", []string{"another", "third"}), "aud"},
			"another party":    {claim("azp", "another"), "azp"},
			"another at_hash":  {claim("at_hash", "AAAA"), "at_hash"},
			"expired":          {claim("exp", time.Now().Add(-time.Hour).Unix()), "exp is past"},
			"no iat":           {claim("iat", nil), "iat is missing"},
			"another key":      {signed(stranger), "kid"},
			"no token at all": {authtest.Quirks{TokenAnswer: func(m map[string]any) { m["id_token"] = "x" }},
				"the provider did not sign it"},
			"no signature": {authtest.Quirks{TokenAnswer: func(m map[string]any) {
				m["id_token"] = cut(m["id_token"].(string))
			}}, "not three parts"},
			"no access token": {authtest.Quirks{TokenAnswer: func(m map[string]any) { delete(m, "access_token") }},
				"no access token"},
			"of another person": {claim("sub", "1 "), "another subject"},
		} {
			a, of, kept := keeping(t, "acme", nil)
			a.idp.SetQuirks(row.quirks)
			tokens, err := a.logins.Refresh(t.Context(), of, kept.Refresh())
			if tokens != nil || !errors.Is(err, external.ErrUntrusted) || errors.Is(err, external.ErrRejected) ||
				!strings.Contains(err.Error(), row.why) {
				t.Errorf("%s: got %v, want ErrUntrusted with %q", sentence, err, row.why)
			}
		}
	})
	t.Run("a good one is returned, with or without a nonce, and so are tokens without one", func(t *testing.T) {
		for sentence, row := range map[string]struct {
			quirks authtest.Quirks
			has    bool
		}{
			"with the nonce of the login": {authtest.Quirks{}, true},
			"without":                     {claim("nonce", nil), true},
			"for two, as azp says":        {authtest.Quirks{IDToken: forTwo}, true},
			"no ID token": {authtest.Quirks{TokenAnswer: func(m map[string]any) {
				delete(m, "id_token")
			}}, false},
			"null": {authtest.Quirks{TokenAnswer: func(m map[string]any) { m["id_token"] = nil }}, false},
		} {
			a, of, kept := keeping(t, "acme", nil)
			a.idp.SetQuirks(row.quirks)
			tokens, err := a.logins.Refresh(t.Context(), of, kept.Refresh())
			if err != nil || (tokens.ID() != "") != row.has || tokens.Access() == "" {
				t.Errorf("%s: got %v", sentence, err)
			}
		}
	})
	t.Run("the identity is one of Identities, too", func(t *testing.T) {
		a, of, kept := keeping(t, "acme", nil)
		all, err := a.logins.Identities(t.Context(), of.UserID)
		if err != nil || len(all) != 1 {
			t.Fatalf("got %v, error %v, want 1 identity", all, err)
		}
		if _, err := a.logins.Refresh(t.Context(), all[0], kept.Refresh()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a key that the provider has begun to sign with is found", func(t *testing.T) {
		a, of, kept := keeping(t, "acme", nil)
		a.idp.Rotate(jwt.RS256)
		a.idp.Retire()
		if _, err := a.logins.Refresh(t.Context(), of, kept.Refresh()); err != nil {
			t.Error(err)
		}
	})
	t.Run("of an issuer by tenant, and of one with an alias, as the identity has it", func(t *testing.T) {
		for name, want := range map[string]string{"microsoft": "/" + tenant + "/v2.0", "google": ""} {
			a, of, kept := keeping(t, name, func(a *app) []external.Provider {
				id, secret, at := a.idp.ClientID, a.idp.ClientSecret, a.idp.URL()
				return []external.Provider{
					external.Microsoft{ClientID: id, ClientSecret: secret, Tenant: "common", AllowAnyTenant: true,
						BaseURL: at},
					external.Google{ClientID: id, ClientSecret: secret, BaseURL: at}}
			})
			if of.Issuer != a.idp.URL()+want {
				t.Fatalf("got %s", of.Issuer)
			}
			a.idp.SetQuirks(authtest.Quirks{BareIssuer: name == "google"})
			if _, err := a.logins.Refresh(t.Context(), of, kept.Refresh()); err != nil {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
	t.Run("another tenant is another issuer", func(t *testing.T) {
		a, of, kept := keeping(t, "microsoft", func(a *app) []external.Provider {
			return []external.Provider{external.Microsoft{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
				Tenant: "common", AllowAnyTenant: true, BaseURL: a.idp.URL()}}
		})
		a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) {
			c["iss"], c["tid"] = a.idp.URL()+"/"+otherTenant+"/v2.0", otherTenant
		}})
		if _, err := a.logins.Refresh(t.Context(), of, kept.Refresh()); !errors.Is(err, external.ErrUntrusted) {
			t.Errorf("got %v, want ErrUntrusted", err)
		}
	})
}

// forTwo makes an ID token for this client and another one.
func forTwo(c map[string]any) { c["azp"], c["aud"] = c["aud"], []any{c["aud"], "another"} }

// cut takes the signature off a token.
func cut(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func TestUnitRefreshOfWhom(t *testing.T) {
	a, of, kept := keeping(t, "acme", nil)
	before := len(a.idp.TokenRequests())
	with := func(change func(*external.Identity)) *external.Identity {
		own := *of
		change(&own)
		return &own
	}
	t.Run("an identity that the provider cannot have sends nothing", func(t *testing.T) {
		for sentence, of := range map[string]*external.Identity{
			"nil":              nil,
			"no subject":       with(func(i *external.Identity) { i.Subject = "" }),
			"another provider": with(func(i *external.Identity) { i.Provider = "other" }),
			"another issuer":   with(func(i *external.Identity) { i.Issuer = "https://evil.example" }),
			"no issuer":        with(func(i *external.Identity) { i.Issuer = "" }),
		} {
			_, err := a.logins.Refresh(t.Context(), of, kept.Refresh())
			if err == nil || errors.Is(err, external.ErrRejected) || errors.Is(err, external.ErrUntrusted) {
				t.Errorf("%s: got %v", sentence, err)
			}
		}
		if _, err := a.logins.Refresh(t.Context(), of, ""); err == nil {
			t.Error("without a refresh token: got no error")
		}
		if n := len(a.idp.TokenRequests()); n != before {
			t.Errorf("got %d requests, want none", n-before)
		}
	})
	t.Run("a refresh token is not used up while the keys of the provider cannot be had", func(t *testing.T) {
		a, of, kept := keeping(t, "acme", nil)
		logins, err := external.New(external.Config{
			URL: a.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: a.store, LoadUser: a.load,
			Providers: []external.Provider{a.acme()},
			Apps:      external.AppConfig{Redirects: []string{"https://app.example/"}},
			Logger:    slog.New(slog.NewTextHandler(a.log, nil)),
			HTTP: external.HTTPConfig{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response,
				error) {
				if r.URL.Path == "/jwks.json" {
					return nil, errDown
				}
				return http.DefaultTransport.RoundTrip(r)
			})}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := logins.Refresh(t.Context(), of, kept.Refresh()); err == nil ||
			errors.Is(err, external.ErrUntrusted) {
			t.Errorf("got %v, want an outage", err)
		}
		if _, err := a.logins.Refresh(t.Context(), of, kept.Refresh()); err != nil {
			t.Errorf("afterwards: got %v", err)
		}
	})
}

func TestUnitARefreshThatCannotBeChecked(t *testing.T) {
	a, of, kept := keeping(t, "acme", nil)
	var down atomic.Bool
	logins, err := external.New(external.Config{
		URL: a.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: a.store, LoadUser: a.load,
		Providers: []external.Provider{a.acme()},
		Apps:      external.AppConfig{Redirects: []string{"https://app.example/"}},
		Logger:    slog.New(slog.NewTextHandler(a.log, nil)),
		HTTP: external.HTTPConfig{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response,
			error) {
			if r.URL.Path == "/jwks.json" && down.Load() {
				return nil, errDown
			}
			return http.DefaultTransport.RoundTrip(r)
		})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := logins.Refresh(t.Context(), of, kept.Refresh())
	if err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	a.idp.Rotate(jwt.RS256) // while its keys cannot be had
	a.idp.Retire()
	unchecked, err := logins.Refresh(t.Context(), of, tokens.Refresh())
	if !errors.Is(err, external.ErrUnchecked) || unchecked == nil || unchecked.Refresh() == "" ||
		unchecked.Access() != "" || unchecked.ID() != "" {
		t.Fatalf("got %+v, %v, want the refresh token alone and ErrUnchecked", unchecked, err)
	}
	down.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // keys are asked for once in a cool-down
	defer cancel()
	for err = external.ErrUnchecked; errors.Is(err, external.ErrUnchecked) && ctx.Err() == nil; {
		unchecked, err = logins.Refresh(ctx, of, unchecked.Refresh())
	}
	if err != nil || unchecked.ID() == "" {
		t.Errorf("later, with the refresh token that was returned: %v", err)
	}
}

func TestARefreshTokenThatIsNotReplacedStays(t *testing.T) {
	var kept *external.Tokens
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
			tokens *external.Tokens) error {
			kept = tokens
			return nil
		}
	})
	a.browser().visit("/login/acme/")
	a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(a map[string]any) { delete(a, "refresh_token") }})
	fresh, err := a.logins.Refresh(t.Context(), a.last().Identity("alice", time.Now()), kept.Refresh())
	if err != nil || fresh.Refresh() != kept.Refresh() {
		t.Errorf("got the error %v, want none, and the old refresh token", err)
	}
}
