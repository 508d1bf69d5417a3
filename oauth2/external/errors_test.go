package external_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/external"
)

// take returns what was logged, and forgets it.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.String()
	b.text.Reset()
	return strings.ReplaceAll(text, `\"`, `"`)
}

// refused is a login that fails, and what the log and the person are told.
type refused struct {
	visit  func(b *browser) page
	log    string // with "…" for what is not compared
	status int    // of the page
	reason string // the word on the page
}

// leavesTheReason runs a table with an app for each row.
func leavesTheReason(t *testing.T, level string, configure func(*app, *external.Config), rows map[string]refused) {
	t.Helper()
	for sentence, row := range rows {
		t.Run(sentence, func(t *testing.T) {
			a := newApp(t, configure)
			b := a.browser()
			a.log.take()
			p := row.visit(b)
			b.wants(sentence, p, row.status, row.reason)
			text := ""
			for line := range strings.Lines(a.log.take()) {
				if strings.Contains(line, `msg="auth failure"`) {
					text += line
				}
			}
			parts := strings.Split(strings.ReplaceAll(row.log, "IDP", a.idp.URL()), "…")
			shown := append([]string{"level=" + level, "backend=login", "route=", "error="}, parts...)
			rest := text
			for _, want := range shown {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("want %s in the log, got %s", want, text)
				}
				rest = after
			}
			if strings.Count(text, "\n") != 1 {
				t.Errorf("want one line, got %s", text)
			}
			for _, part := range parts {
				if strings.Contains(p.body, part) || strings.Contains(p.location, part) {
					t.Errorf("want nothing of the cause on the page, got %q in %s", part, p.body)
				}
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if last := a.failures[len(a.failures)-1]; len(a.failures) != 1 || last.Status != row.status ||
				!strings.Contains(strings.ReplaceAll(last.Err.Error(), "\n", `\n`), parts[0][:min(len(parts[0]), 40)]) {
				t.Errorf("want one event with %q, got %v", row.log, a.failures)
			}
			for _, secret := range []string{a.idp.ClientSecret.Reveal(), strings.Repeat("k", 32)} {
				if strings.Contains(text, secret) {
					t.Errorf("a secret is in the log: %s", text)
				}
			}
		})
	}
}

func quirk(q authtest.Quirks) func(*browser) page {
	return func(b *browser) page {
		b.idp.SetQuirks(q)
		return b.visit("/login/acme/")
	}
}

func answering(change func(url.Values)) func(*browser) page {
	return quirk(authtest.Quirks{Answer: change})
}

func claiming(change func(map[string]any)) func(*browser) page {
	return quirk(authtest.Quirks{IDToken: change})
}

func metadata(change func(map[string]any)) func(*browser) page {
	return quirk(authtest.Quirks{Metadata: change})
}

func TestUnitARefusedAnswerOfAProviderLeavesTheReasonInTheLog(t *testing.T) {
	secretKey, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	leavesTheReason(t, "INFO", nil, map[string]refused{
		"the person says no": {answering(func(v url.Values) {
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("error_description", "AADSTS65004: the user\nsaid no"+strings.Repeat(" x", 200))
		}), `provider acme: access_denied: the provider says "access_denied", "AADSTS65004: the user\\nsaid no ` +
			`x`, 403, "access_denied"},
		"an error that is not known": {answering(func(v url.Values) {
			v.Del("code")
			v.Set("error", "unauthorized_client")
			v.Set("error_description", "redirect_uri is not registered")
		}), `the provider says "unauthorized_client", "redirect_uri is not registered"`, 400, "refused"},
		"an error without a state": {answering(func(v url.Values) {
			v.Del("code")
			v.Del("state")
			v.Set("error", "invalid_client")
		}), `the state is missing; the provider says "invalid_client"`, 400, "invalid_request"},
		"a repeated parameter": {answering(func(v url.Values) { v["code"] = []string{"a", "b"} }),
			`a parameter is repeated (RFC 6749 §3.1): "code"`, 400, "invalid_request"},
		"no code": {answering(func(v url.Values) { v.Del("code") }),
			"the answer has no code and no error", 400, "invalid_request"},
		"an iss with a slash too many": {answering(func(v url.Values) { v.Set("iss", v.Get("iss")+"/") }),
			`the iss of the answer is another issuer (RFC 9207 §2.4): "IDP/", want "IDP", see Issuer of the ` +
				`provider`, 400, "untrusted"},
		"no iss where there must be one": {answering(func(v url.Values) { v.Del("iss") }),
			`the answer has no iss, and the metadata says that there is one`, 400, "untrusted"},
		"a code that the provider does not take": {answering(func(v url.Values) { v.Set("code", "other") }),
			`the provider says "invalid_grant", "no" at IDP…with status 400`, 400, "refused"},
		"an ID token of another issuer": {claiming(func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }),
			`the iss of the ID token is another issuer: "IDP/", want "IDP", see Issuer of the provider`, 400,
			"untrusted"},
		"an ID token of another issuer and key": {quirk(authtest.Quirks{Sign: func(c map[string]any) string {
			c["iss"] = "https://evil.example"
			text, _ := jwt.Sign(secretKey, "JWT", c)
			return text
		}}), "the ID token is refused, and the provider did not sign it", 400, "untrusted"},
		"an ID token of another audience": {claiming(func(c map[string]any) { c["aud"] = "other" }),
			`the ID token is refused: aud is "other", want "…see OIDC.ClientID`, 400, "untrusted"},
		"an ID token that has expired": {claiming(func(c map[string]any) {
			c["exp"] = time.Now().Add(-time.Hour).Unix()
		}),
			"the ID token is refused: exp", 400, "untrusted"},
		"another nonce": {claiming(func(c map[string]any) { c["nonce"] = "other" }),
			"the ID token has another nonce, or none", 400, "untrusted"},
		"another azp": {claiming(func(c map[string]any) { c["azp"] = "other" }),
			`the azp of the ID token is missing or another client: "other", want "`, 400, "untrusted"},
		"userinfo about another subject": {quirk(authtest.Quirks{Thin: true,
			UserInfo: func(c map[string]any) { c["sub"] = "2" }}),
			`userinfo is about another subject than the ID token: "2", want "1"`, 400, "untrusted"},
		"a token of another type": {quirk(authtest.Quirks{TokenAnswer: func(a map[string]any) {
			a["token_type"] = "DPoP"
		}}),
			`the access token is of another token_type: "DPoP", want "Bearer"`, 400, "untrusted"},
		"no attempt in this browser": {func(b *browser) page {
			back := b.away("/login/acme/")
			return b.browser().do("GET", back.location, nil)
		}, "this browser sent no cookie for the state: it is another browser or host", 400, "expired"},
		"a state that was cut": {func(b *browser) page {
			return b.do("GET", "/login/acme/callback/?state=x&code=y", nil)
		},
			"the state does not have the form of one of this package", 400, "expired"},
		"an attempt that was used": {func(b *browser) page {
			back := b.away("/login/acme/")
			cookies := b.client.Jar.Cookies(mustURL(b.url))
			b.do("GET", back.location, nil)
			b.log.take()
			b.client.Jar.SetCookies(mustURL(b.url), cookies)
			for _, c := range cookies {
				c.Secure, c.Path = true, "/"
			}
			b.client.Jar.SetCookies(mustURL(b.url), cookies)
			return b.do("GET", back.location, nil)
		}, "the attempt was finished before", 400, "used"},
		"no such provider": {func(b *browser) page { return b.do("GET", "/login/other/", nil) },
			`there is no provider of this name: "other", want "acme", see Config.Providers`, 404, "no_provider"},
		"another method": {func(b *browser) page { return b.do("PUT", "/login/acme/", nil) },
			`the method is not one of the endpoint: "PUT"`, 405, "method_not_allowed"},
		"an app that is not registered": {func(b *browser) page {
			return b.do("GET", "/login/acme/?return_to=https%3A%2F%2Fevil.example%2F", nil)
		}, `return_to is not registered: "https://evil.example/", see Config.Apps.Redirects`, 400, "invalid_request"},
		"a strange max_age": {func(b *browser) page { return b.do("GET", "/login/acme/?max_age=soon", nil) },
			`max_age is no number of seconds: "soon"`, 400, "invalid_request"},
		"a link without a login": {func(b *browser) page { return b.do("POST", "/login/acme/link/", url.Values{}) },
			"no credentials", 403, "sign_in"},
		"a link from another site": {func(b *browser) page {
			return b.signedInAs("alice").do("POST", "/login/acme/link/", url.Values{}, "Sec-Fetch-Site", "cross-site")
		}, "cross-origin request", 403, "cross_origin"},
		"a link of an identity of another user": {func(b *browser) page {
			b.visit("/login/acme/")
			b.log.take()
			other := b.browser().signedInAs("alice")
			return other.follow(other.do("POST", "/login/acme/link/", url.Values{}))
		}, `the identity is linked to another user: "acme-1", want "alice"`, 409, "taken"},
		"a link that another user ends": {func(b *browser) page {
			b.signedInAs("alice")
			back := b.next(b.do("POST", "/login/acme/link/", url.Values{}))
			b.signedInAs("bob")
			return b.next(back)
		}, `another user than the one that began is signed in by now: "bob", want "alice"`, 403, "sign_in"},
	})
}

func TestUnitARefusalOfTheApplicationNamesTheFunction(t *testing.T) {
	visit := func(b *browser) page { return b.visit("/login/acme/") }
	refusal := &auth.Error{Kind: auth.ErrInsufficient, Cause: errors.New("not on the list")}
	for sentence, row := range map[string]struct {
		configure func(*app, *external.Config)
		want      refused
	}{
		"Allow": {func(_ *app, c *external.Config) {
			c.Accounts.Allow = func(context.Context, *external.Profile) error { return refusal }
		}, refused{visit, "Config.Accounts.Allow: auth: insufficient credential: not on the list", 403, "not_allowed"}},
		"NewUser": {func(_ *app, c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return nil, external.ErrAccountExists
			}
		}, refused{visit, "Config.Accounts.NewUser: oauth2/external: there is an account already", 409,
			"account_exists"}},
		"no NewUser": {func(_ *app, c *external.Config) { c.Accounts.NewUser = nil },
			refused{visit, "the identity is not linked to a user, and Config.Accounts.NewUser is nil", 403,
				"no_account"}},
		"SignIn": {func(_ *app, c *external.Config) {
			c.SignIn = func(http.ResponseWriter, *http.Request, auth.User, *external.Credential) error {
				return refusal
			}
		}, refused{visit, "Config.SignIn: auth: insufficient credential: not on the list", 403, "not_allowed"}},
		"LoadUser": {func(a *app, c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return a.users["carol"], nil
			}
		}, refused{visit, "Config.LoadUser: auth: invalid credential: User inactive or deleted.: the user is " +
			"inactive", 403, "inactive"}},
		"an address that is not verified": {func(a *app, c *external.Config) {
			c.Accounts.NewUser, c.Accounts.ByEmail = nil, nobodyByEmail
			a.unverified = true
		}, refused{visit, "Config.Accounts.ByEmail was not asked: the provider does not say that the e-mail address " +
			"is " +
			"verified", 403, "no_account"}},
		"a domain that is not listed": {func(_ *app, c *external.Config) {
			c.Accounts.NewUser, c.Accounts.ByEmail = nil, nobodyByEmail
		},
			refused{visit, `not authoritative for the domain of the e-mail address: "example.com", see Domains ` +
				`of the provider`, 403, "no_account"}},
		"an address of no user": {func(a *app, c *external.Config) {
			provider := a.acme()
			provider.Domains = []string{"example.com"}
			c.Providers, c.Accounts.NewUser, c.Accounts.ByEmail = []external.Provider{provider}, nil, nobodyByEmail
		}, refused{visit, "Config.Accounts.ByEmail knows no user with the e-mail address", 403, "no_account"}},
		"an account that has not proved the address": {func(a *app, c *external.Config) {
			provider := a.acme()
			provider.Domains = []string{"example.com"}
			c.Providers = []external.Provider{provider}
			c.Accounts.ByEmail = func(context.Context, string) (external.Account, error) {
				return external.Account{User: a.users["bob"]}, nil
			}
		}, refused{visit, "has not proved the address, and Config.Accounts.DropUnverified is nil", 409,
			"account_exists"}},
		"a domain of Google's": {func(a *app, c *external.Config) {
			c.Providers = []external.Provider{external.Google{Name: "acme", BaseURL: a.idp.URL(),
				ClientID:     a.idp.ClientID,
				ClientSecret: a.idp.ClientSecret, HostedDomain: "corp.example"}}
		}, refused{visit, `Google.HostedDomain: oauth2/external: not allowed: the hd of the ID token is missing or ` +
			`another domain, want "corp.example"`,
			403, "not_allowed"}},
		"no linking": {func(_ *app, c *external.Config) { c.Linking.Disabled = true },
			refused{func(b *browser) page {
				handlers := b.handlers()
				r := httptest.NewRequest("POST", "/login/acme/link/", nil)
				r.SetPathValue("provider", "acme")
				r.Pattern = "/login/{provider}/link/"
				w := httptest.NewRecorder()
				handlers.Link.ServeHTTP(w, r)
				return page{status: w.Code, header: w.Result().Header, body: w.Body.String()}
			}, "accounts are not linked here, see Config.Linking.Disabled", 404, "no_provider"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			leavesTheReason(t, "INFO", row.configure, map[string]refused{"is named": row.want})
		})
	}
}

func nobodyByEmail(context.Context, string) (external.Account, error) {
	return external.Account{}, auth.ErrUserNotFound
}

func TestUnitAnOutageOfAProviderNamesItsPlaceAndStatus(t *testing.T) {
	const down = "temporarily_unavailable"
	leavesTheReason(t, "ERROR", nil, map[string]refused{
		"metadata of another issuer": {func(b *browser) page {
			return metadata(func(m map[string]any) { m["issuer"] = b.idp.URL() + "/" })(b)
		},
			`IDP/.well-known/openid-configuration: metadata is of another issuer (RFC 8414 §3.3): it says ` +
				`"IDP/", and the setting is "IDP"`,
			503, down},
		"metadata without an endpoint": {metadata(func(m map[string]any) { m["token_endpoint"] = nil }),
			"metadata of IDP has no token_endpoint", 503, down},
		"the token endpoint": {quirk(authtest.Quirks{TokenStatus: 502}), "IDP…the provider answered 502", 503, down},
		"a client that is not known": {func(b *browser) page {
			b.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(a map[string]any) {
				a["error"], a["error_description"] = "invalid_client", "bad secret "+b.idp.ClientSecret.Reveal()
			}})
			return b.visit("/login/acme/")
		}, `the provider says "invalid_client", "bad secret [secret]" at IDP…, with status 200`, 503, down},
		"userinfo": {quirk(authtest.Quirks{Thin: true, UserInfoStatus: 500}), "IDP…: the provider answered 500", 503,
			down},
	})
	t.Run("metadata that is not there", func(t *testing.T) {
		nowhere := httptest.NewServer(http.NotFoundHandler())
		defer nowhere.Close()
		leavesTheReason(t, "ERROR", func(a *app, c *external.Config) {
			provider := a.acme()
			provider.Issuer = nowhere.URL
			c.Providers = []external.Provider{provider}
		}, map[string]refused{"names both places": {func(b *browser) page { return b.visit("/login/acme/") },
			"the issuer has no metadata: " + nowhere.URL + "/.well-known/openid-configuration: 404 Not Found…" +
				nowhere.URL + "/.well-known/oauth-authorization-server: 404 Not Found", 503, down}})
	})
}

func TestUnitACodeOfAnAppThatIsRefusedHasACause(t *testing.T) {
	a := newApp(t, nil)
	post := func(body string) error {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, _, err := a.logins.Authenticate(r)
		return err
	}
	for sentence, row := range map[string]struct{ body, want string }{
		"unknown":          {"login_code=x&code_verifier=" + strings.Repeat("v", 43), "no such code is kept"},
		"half of them":     {"login_code=x", "the body has one of login_code and code_verifier without the other"},
		"a short verifier": {"login_code=x&code_verifier=x", "the code_verifier is not 43 to 128 characters"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := post(row.body); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("want %s, got %v", row.want, err)
			}
		})
	}
}
