package external_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/external"
)

const tenant, otherTenant = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"

func applePEM(t testing.TB) auth.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// presets are the seven, at the double.
func presets(t testing.TB, idp *authtest.Provider) map[string]external.Provider {
	id, secret, at := idp.ClientID, idp.ClientSecret, idp.URL()
	return map[string]external.Provider{
		"acme":   external.OIDC{Name: "acme", Issuer: at, ClientID: id, ClientSecret: secret},
		"google": external.Google{ClientID: id, ClientSecret: secret, BaseURL: at},
		"github": external.GitHub{ClientID: id, ClientSecret: secret, BaseURL: at},
		"microsoft": external.Microsoft{ClientID: id, ClientSecret: secret, BaseURL: at, Tenant: "common",
			AllowTenants: []string{tenant}},
		"apple":    external.Apple{ClientID: id, TeamID: "team", KeyID: "key", PrivateKey: applePEM(t), BaseURL: at},
		"facebook": external.Facebook{ClientID: id, ClientSecret: secret, BaseURL: at},
		"gitlab":   external.GitLab{ClientID: id, ClientSecret: secret, BaseURL: at},
	}
}

func only(p external.Provider) func(*app, *external.Config) {
	return func(_ *app, c *external.Config) { c.Providers = []external.Provider{p} }
}

// preset starts an app with one of the seven.
func preset(t *testing.T, name string, configure func(*app, *external.Config)) *app {
	t.Helper()
	return newApp(t, func(a *app, c *external.Config) {
		c.Providers = []external.Provider{presets(t, a.idp)[name]}
		if configure != nil {
			configure(a, c)
		}
	})
}

func TestAPersonIsSignedInByEachProvider(t *testing.T) {
	for name, want := range map[string]external.Profile{
		"acme": {Issuer: "", Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Email: external.Email{Address: "ada@example.com", Verified: true}},
		"google": {Issuer: "", Subject: "42", Name: "Ada Lovelace", Username: "ada", Tenant: tenant,
			Email: external.Email{Address: "ada@example.com", Verified: true}},
		"github": {Issuer: "", Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Picture: "https://avatars.example/1", Email: external.Email{Address: "ada@example.com", Verified: true}},
		"microsoft": {Issuer: "/" + tenant + "/v2.0", Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Tenant: tenant, Email: external.Email{Address: "ada@example.com"}},
		"apple": {Issuer: "", Subject: "42", Name: "Ada Lovelace", Email: external.Email{Address: "ada@example.com",
			Verified: true}},
		"facebook": {Issuer: "", Subject: "42", Name: "Ada Lovelace",
			Email: external.Email{Address: "ada@example.com"}},
		"gitlab": {Issuer: "", Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Email: external.Email{Address: "ada@example.com", Verified: true}},
	} {
		t.Run(name, func(t *testing.T) {
			a := preset(t, name, nil)
			a.idp.SignIn(authtest.Person{Subject: "42", Name: "Ada Lovelace", Username: "ada", Email: "ada@example.com",
				EmailVerified: true, Tenant: tenant})
			b := a.browser()
			if p := b.visit("/login/" + name + "/?next=/reports%3Fa=b"); p.status != 200 ||
				strings.TrimSuffix(p.at, "#") != a.url+"/reports?a=b" {
				t.Fatalf("got %d at %s: %s, want 200 at /reports?a=b", p.status, p.at, p.body)
			}
			if b.who() != name+"-42" {
				t.Errorf("signed in as %q", b.who())
			}
			got := *a.last()
			want.Provider, want.Email.Source, want.Issuer = name, name, a.idp.URL()+want.Issuer
			if name == "apple" {
				want.Username = "" // it has no such scope
			}
			got.Claims, got.AuthInfo = nil, auth.AuthInfo{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			// The second time it is the same person, whatever they are called now.
			a.idp.SignIn(authtest.Person{Subject: "42", Name: "Countess", Email: "c@example.com", Tenant: tenant})
			c := a.browser()
			c.visit("/login/" + name + "/")
			all, err := a.logins.Identities(t.Context(), name+"-42")
			// which tells verified ones only
			if err != nil || c.who() != name+"-42" || len(all) != 1 || all[0].EmailVerified ||
				(all[0].Email != "c@example.com") != (name == "github") {
				t.Errorf("signed in as %q with %+v, error %v, want the same user with the new address",
					c.who(), all, err)
			}
			// Somebody else is somebody else, by the same address or not.
			a.idp.SignIn(authtest.Person{Subject: "43", Name: "Countess", Username: "ada", Email: "c@example.com",
				EmailVerified: true, Tenant: tenant})
			d := a.browser()
			if d.visit("/login/" + name + "/"); d.who() != name+"-43" {
				t.Errorf("signed in as %q, want %s-43", d.who(), name)
			}
		})
	}
}

func TestWhatAProviderIsSent(t *testing.T) {
	for name := range presets(t, authtest.NewProvider(t)) {
		t.Run(name, func(t *testing.T) {
			a := preset(t, name, nil)
			a.idp.SignIn(authtest.Person{Subject: "42", Tenant: tenant})
			b := a.browser()
			start := b.do("GET", "/login/"+name+"/", nil)
			u, err := url.Parse(start.location)
			if err != nil || start.status != 303 {
				t.Fatalf("got %v, error %v, want 303 with a URL", start, err)
			}
			q := u.Query()
			if q.Get("response_type") != "code" || q.Get("client_id") != a.idp.ClientID ||
				q.Get("redirect_uri") != a.url+"/login/"+name+"/callback/" ||
				len(q.Get("state")) < 26 || q.Get("code_challenge_method") != "S256" ||
				len(q.Get("code_challenge")) != 43 || strings.Contains(u.RawQuery, "+") {
				t.Errorf("got the authorization request %v, want it as RFC 6749 §4.1.1 and RFC 7636 say", u)
			}
			plain := name == "github" || name == "facebook"
			if plain == q.Has("nonce") || plain == slices.Contains(strings.Fields(q.Get("scope")), "openid") {
				t.Errorf("got the query %v, want a nonce and openid: %v", q, !plain)
			}
			if (name == "apple") != (q.Get("response_mode") == "form_post") {
				t.Errorf("got the query %v, want form_post for Apple only", q)
			}
			cookie := start.header.Get("Set-Cookie")
			sameSite := "SameSite=Lax"
			if name == "apple" {
				sameSite = "SameSite=None"
			}
			for _, part := range []string{"__Host-login-", "Path=/", "HttpOnly", "Secure", sameSite, "Max-Age=600"} {
				if !strings.Contains(cookie, part) {
					t.Errorf("cookie %q lacks %s", cookie, part)
				}
			}
			for _, secret := range []string{q.Get("state")[8:], q.Get("code_challenge")} {
				if strings.Contains(cookie, secret) {
					t.Error("the cookie shows what it holds")
				}
			}
			other, _ := url.Parse(a.browser().do("GET", "/login/"+name+"/", nil).location)
			for _, parameter := range []string{"state", "code_challenge", "nonce"} {
				if q.Get(parameter) == other.Query().Get(parameter) && q.Has(parameter) {
					t.Errorf("%s came twice", parameter)
				}
			}
			b.follow(start)
			requests := a.idp.TokenRequests()
			if len(requests) != 1 {
				t.Fatalf("got the requests %+v, want 1", requests)
			}
			form := requests[0].Form
			if s256(form.Get("code_verifier")) != q.Get("code_challenge") || form.Get("redirect_uri") != q.Get(
				"redirect_uri") || form.Get("grant_type") != "authorization_code" {
				t.Errorf("got the form %v, want the verifier, the redirect URI and the code", form)
			}
			post := plain || name == "apple"
			if requests[0].Basic == post || (form.Get("client_secret") != "") != post {
				t.Errorf("basic %v, %v", requests[0].Basic, form)
			}
		})
	}
}

func TestEachAttackIsRefusedWithItsPage(t *testing.T) {
	quirk := func(q authtest.Quirks) func(*browser) page {
		return func(b *browser) page {
			b.idp.SetQuirks(q)
			return b.visit("/login/acme/")
		}
	}
	claims := func(change func(map[string]any)) func(*browser) page { return quirk(authtest.Quirks{IDToken: change}) }
	set := func(name string, value any) func(*browser) page {
		return claims(func(c map[string]any) { c[name] = value })
	}
	answer := func(change func(url.Values)) func(*browser) page { return quirk(authtest.Quirks{Answer: change}) }
	stranger, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		act    func(b *browser) page
		status int
		reason string
		asked  int // how often the token endpoint was
	}{
		"a wrong state": {answer(func(v url.Values) { v.Set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA") }),
			400, "expired", 0},
		"a state cut short": {answer(func(v url.Values) { v.Set("state", v.Get("state")[:20]) }), 400,
			"expired", 0},
		"a state whose end is another": {answer(func(v url.Values) {
			v.Set("state", v.Get("state")[:8]+"AAAAAAAAAAAAAAAAAA")
		}), 400, "expired", 0},
		"no state":       {answer(func(v url.Values) { v.Del("state") }), 400, "invalid_request", 0},
		"an empty state": {answer(func(v url.Values) { v.Set("state", "") }), 400, "expired", 0},
		"two states": {answer(func(v url.Values) { v.Add("state", v.Get("state")) }), 400,
			"invalid_request", 0},
		"two codes": {answer(func(v url.Values) { v.Add("code", v.Get("code")) }), 400,
			"invalid_request", 0},
		"no code": {answer(func(v url.Values) { v.Del("code") }), 400, "invalid_request", 0},
		"a huge code": {answer(func(v url.Values) { v.Set("code", strings.Repeat("x", 5000)) }), 400,
			"invalid_request", 0},
		"another browser's callback": {func(b *browser) page { return b.browser().next(b.away("/login/acme/")) }, 400,
			"expired", 0},
		"a replayed callback": {func(b *browser) page {
			back := b.away("/login/acme/")
			cookies := b.client.Jar.Cookies(mustURL(b.url))
			other := b.browser()
			other.client.Jar.SetCookies(mustURL(b.url), cookies) // which has stolen even the cookie
			b.next(back)
			b.profiles = nil
			return other.next(back)
		}, 400, "used", 1},
		"a replay in the same browser": {func(b *browser) page {
			back := b.away("/login/acme/")
			b.next(back)
			b.profiles = nil
			b.client.Jar, _ = newJar()
			return b.next(back)
		}, 400, "expired", 1},
		"a wrong iss": {answer(func(v url.Values) { v.Set("iss", "https://evil.example") }), 400,
			"untrusted", 0},
		"an empty iss": {answer(func(v url.Values) { v.Set("iss", "") }), 400, "untrusted", 0},
		"two iss": {answer(func(v url.Values) { v.Add("iss", v.Get("iss")) }), 400,
			"invalid_request", 0},
		"no iss where one is due": {answer(func(v url.Values) { v.Del("iss") }), 400, "untrusted", 0},
		"an error of another iss": {answer(func(v url.Values) {
			v.Set("iss", "https://evil.example")
			v.Set("error", "access_denied")
		}), 400, "untrusted", 0},
		"the person says no":   {quirk(authtest.Quirks{Deny: true}), 403, "access_denied", 0},
		"an error with markup": {answer(func(v url.Values) { v.Set("error", "<b>x</b>") }), 400, "refused", 0},
		"the provider is busy": {answer(func(v url.Values) { v.Set("error", "temporarily_unavailable") }), 503,
			"temporarily_unavailable", 0},
		"a code of somebody else": {answer(func(v url.Values) { v.Set("code", "stolen") }), 400, "refused", 1},
		"a code of another attempt (injection)": {func(b *browser) page {
			victim := b.browser().away("/login/acme/") // with another verifier and nonce
			stolen := mustURL(victim.location).Query().Get("code")
			b.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set("code", stolen) }})
			return b.visit("/login/acme/")
		}, 400, "refused", 1},
		"an answer for another provider's attempt (mix-up)": {func(b *browser) page {
			back := b.away("/login/acme/")
			return b.do("GET", strings.Replace(back.location, "/login/acme/", "/login/other/", 1), nil)
		}, 400, "untrusted", 0},
		"a POST where a GET is due": {func(b *browser) page {
			back := b.away("/login/acme/")
			return b.do("POST", back.location, nil)
		}, 405, "method_not_allowed", 0},
		"no ID token": {quirk(authtest.Quirks{TokenAnswer: func(a map[string]any) { delete(a, "id_token") }}), 400,
			"untrusted", 1},
		"an unsigned ID token": {quirk(authtest.Quirks{Sign: func(c map[string]any) string {
			body, _ := json.Marshal(c)
			return "eyJhbGciOiJub25lIn0." + base64url(body) + "."
		}}), 400, "untrusted", 1},
		"an ID token signed with the client's secret": {func(b *browser) page {
			secret, err := jwt.NewKey(jwt.HS256, []byte(b.idp.ClientSecret.Reveal()+"padding-to-32-bytes"))
			if err != nil {
				b.Fatal(err)
			}
			b.idp.SetQuirks(authtest.Quirks{Sign: func(c map[string]any) string {
				text, _ := jwt.Sign(secret, "JWT", c)
				return text
			}})
			return b.visit("/login/acme/")
		}, 400, "untrusted", 1},
		"an ID token of another key": {
			quirk(authtest.Quirks{Sign: func(c map[string]any) string {
				text, _ := jwt.Sign(stranger, "JWT", c)
				return text
			}}), 400, "untrusted", 1},
		"another key by the name of theirs": {func(b *browser) page {
			b.idp.SetQuirks(authtest.Quirks{Sign: func(c map[string]any) string {
				text, _ := jwt.Sign(stranger.WithID(b.idp.Keys()[0].ID()), "JWT", c)
				return text
			}})
			return b.visit("/login/acme/")
		}, 400, "untrusted", 1},
		"an access token as ID token": {func(b *browser) page {
			b.idp.SetQuirks(authtest.Quirks{Sign: func(c map[string]any) string {
				delete(c, "jti")
				return b.idp.Mint(c)
			}})
			return b.visit("/login/acme/")
		}, 400, "untrusted", 1},
		"a wrong nonce":           {set("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAA"), 400, "untrusted", 1},
		"no nonce":                {set("nonce", nil), 400, "untrusted", 1},
		"a nonce that is no text": {set("nonce", 7), 400, "untrusted", 1},
		"for another client":      {set("aud", "other"), 400, "untrusted", 1},
		"for another client, too": {claims(func(c map[string]any) { c["aud"] = []any{c["aud"], "other"} }),
			400, "untrusted", 1},
		"made for another party": {set("azp", "other"), 400, "untrusted", 1},
		"of another issuer":      {set("iss", "https://evil.example"), 400, "untrusted", 1},
		"of the issuer with a slash": {claims(func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }),
			400, "untrusted", 1},
		"expired":                 {set("exp", time.Now().Add(-2*time.Minute).Unix()), 400, "untrusted", 1},
		"without an end":          {set("exp", nil), 400, "untrusted", 1},
		"issued in the future":    {set("iat", time.Now().Add(time.Hour).Unix()), 400, "untrusted", 1},
		"without a subject":       {set("sub", nil), 400, "untrusted", 1},
		"an empty subject":        {set("sub", ""), 400, "untrusted", 1},
		"a subject with a space":  {set("sub", "1 "), 400, "untrusted", 1},
		"a subject with a NUL":    {set("sub", "1\x00"), 400, "untrusted", 1},
		"a subject of 256 bytes":  {set("sub", strings.Repeat("1", 256)), 400, "untrusted", 1},
		"of another access token": {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), 400, "untrusted", 1},
		"userinfo about another": {
			quirk(authtest.Quirks{Thin: true, UserInfo: func(c map[string]any) { c["sub"] = "2" }}), 400,
			"untrusted", 1},
		"userinfo about nobody": {
			quirk(authtest.Quirks{Thin: true, UserInfo: func(c map[string]any) { delete(c, "sub") }}), 400,
			"untrusted", 1},
		"no access token": {
			quirk(authtest.Quirks{TokenAnswer: func(a map[string]any) { delete(a, "access_token") }}), 400,
			"untrusted", 1},
		"an access token with a line break": {
			quirk(authtest.Quirks{TokenAnswer: func(a map[string]any) { a["access_token"] = "a\r\nX: y" }}), 400,
			"untrusted", 1},
		"a token of another type": {
			quirk(authtest.Quirks{TokenAnswer: func(a map[string]any) { a["token_type"] = "DPoP" }}), 400,
			"untrusted", 1},
		"form answers of OpenID Connect": {quirk(authtest.Quirks{FormAnswers: true}), 503,
			"temporarily_unavailable", 1},
		"an unknown provider": {func(b *browser) page { return b.do("GET", "/login/nobody/", nil) }, 404,
			"no_provider", 0},
		"a callback of an unknown provider": {func(b *browser) page {
			return b.do("GET", "/login/nobody/callback/?state=x", nil)
		}, 404, "no_provider", 0},
		"a callback out of nowhere": {func(b *browser) page {
			return b.do("GET", "/login/acme/callback/?code=x&state=AAAAAAAAAAAAAAAAAAAAAAAAAA", nil)
		}, 400, "expired", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers = []external.Provider{a.acme(), external.GitHub{Name: "other", ClientID: a.idp.ClientID,
					BaseURL: a.idp.URL() + "/x"}}
			})
			b := a.browser()
			p := row.act(b)
			b.wants(sentence, p, row.status, row.reason)
			if a.logged() != 0 {
				t.Error("somebody was signed in")
			}
			if n := len(a.idp.TokenRequests()); n != row.asked {
				t.Errorf("the token endpoint was asked %d times, want %d", n, row.asked)
			}
			if len(a.failures) == 0 || a.failures[len(a.failures)-1].Backend != "login" {
				t.Errorf("got the failures %+v, want the last one of login", a.failures)
			}
			for _, secret := range []string{a.idp.ClientSecret.Reveal(), "eyJ"} {
				if strings.Contains(a.log.String(), secret) {
					t.Errorf("logged: %s", a.log)
				}
			}
			for _, request := range a.idp.TokenRequests() {
				if code := request.Form.Get("code"); strings.Contains(a.log.String(), code) ||
					strings.Contains(a.log.String(), request.Form.Get("code_verifier")) {
					t.Errorf("a code or verifier was logged: %s", a.log)
				}
			}
			// Nothing is left that could be tried again.
			a.idp.SetQuirks(authtest.Quirks{})
			if c := a.browser(); c.visit("/login/acme/").status != 200 || c.who() != "acme-1" {
				t.Error("nobody can sign in after it")
			}
		})
	}
}

func TestAFailedAttemptIsUsedUp(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	back := b.away("/login/acme/")
	cookies := b.client.Jar.Cookies(mustURL(b.url))
	wrong := strings.Replace(back.location, "code=", "error=access_denied&x=", 1)
	b.wants("no", b.do("GET", wrong, nil), 403, "access_denied")
	b.client.Jar.SetCookies(mustURL(b.url), cookies)
	b.wants("the code after all", b.next(back), 400, "used")
}

func TestAnAttemptEndsInTime(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) { c.Cookie.TTL = time.Nanosecond })
	b := a.browser()
	start := b.do("GET", "/login/acme/", nil)
	back := b.next(start)
	name, value, _ := strings.Cut(strings.SplitN(start.header.Get("Set-Cookie"), ";", 2)[0], "=")
	b.client.Jar.SetCookies(mustURL(b.url), []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
	b.wants("late", b.next(back), 400, "expired")
}

func TestAttemptsInSeveralTabsDoNotEndEachOther(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	first, second := b.away("/login/acme/?next=/first"), b.away("/login/acme/?next=/second")
	if p := b.next(first); p.location != a.url+"/first" {
		t.Errorf("got %+v, want a redirect to /first", p)
	}
	if p := b.next(second); p.location != a.url+"/second" {
		t.Errorf("got %+v, want a redirect to /second", p)
	}
	for range 20 {
		b.do("GET", "/login/acme/", nil)
	}
	b.client.Jar.SetCookies(mustURL(b.url),
		[]*http.Cookie{{Name: "__Host-login-other-AAAAAAAA", Value: "x", Path: "/", Secure: true}})
	for range 7 {
		b.do("GET", "/login/acme/", nil)
	}
	if !slices.ContainsFunc(b.client.Jar.Cookies(mustURL(b.url)), func(c *http.Cookie) bool {
		return c.Name == "__Host-login-other-AAAAAAAA"
	}) {
		t.Error("the cookie of another service of this host is gone")
	}
	if n := len(b.client.Jar.Cookies(mustURL(b.url))); n > 8 {
		t.Errorf("%d cookies", n)
	}
}

func TestAWayBackIsAPathOfThisService(t *testing.T) {
	a := newApp(t, nil)
	for next, want := range map[string]string{
		"/a?b=c": "/a?b=c", "": "/", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example`: "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "a": "/",
		"/%0d%0aSet-Cookie:x=y": "/%0d%0aSet-Cookie:x=y",
	} {
		b := a.browser()
		if p := b.next(b.away("/login/acme/?next=" + url.QueryEscape(next))); p.header.Get("Location") != want ||
			p.status != 303 {
			t.Errorf("%q: %q", next, p.header.Get("Location"))
		}
	}
	// Facebook's fragment stays behind.
	f := preset(t, "facebook", nil)
	b := f.browser()
	if p := b.next(b.away("/login/facebook/?next=/a")); p.header.Get("Location") != "/a#" {
		t.Errorf("got the location %q, want /a#", p.header.Get("Location"))
	}
	b.wants("a parameter twice", b.do("GET", "/login/facebook/?next=/a&next=/b", nil), 400, "invalid_request")
}

func TestTheSessionIsANewOne(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser().signedInAs("bob")
	before := b.client.Jar.Cookies(mustURL(a.url))
	b.visit("/login/acme/")
	after := b.client.Jar.Cookies(mustURL(a.url))
	if b.who() != "acme-1" || len(after) != len(before) || after[0].Value == before[0].Value {
		t.Errorf("got the cookies %v, then %v, and the user %q, want another session of acme-1", before, after, b.who())
	}
}

func TestALoginTellsWhenAndHowThePersonProvedWhoTheyAre(t *testing.T) {
	a := newApp(t, nil)
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	a.idp.SignIn(
		authtest.Person{Subject: "1", AuthTime: at, Claims: map[string]any{"amr": []string{"hwk"}, "acr": "high"}})
	a.browser().visit("/login/acme/")
	if p := a.last(); !p.AuthInfo.AuthTime.Equal(at) || p.AuthInfo.ACR != "high" ||
		!slices.Equal(p.AuthInfo.AMR, []string{"hwk"}) {
		t.Errorf("got %+v, want the auth_time, the acr and the amr of the ID token", p.AuthInfo)
	}
	b := a.browser()
	b.wants("older than asked for", b.visit("/login/acme/?max_age=60"), 400, "untrusted")
	a.idp.SignIn(authtest.Person{Subject: "1"})
	if p := b.visit("/login/acme/?max_age=60"); p.status != 200 {
		t.Errorf("got %+v, want 200", p)
	}
	b.wants("no number", b.do("GET", "/login/acme/?max_age=x", nil), 400, "invalid_request")
}

func TestKeysOfAProviderMayChange(t *testing.T) {
	a := newApp(t, nil)
	for _, algorithm := range []jwt.Algorithm{jwt.ES256, jwt.RS256, jwt.PS256, jwt.ES384, jwt.EdDSA} {
		a.idp.Rotate(algorithm)
		a.idp.Retire()
		// A fresh service, since an unknown key is asked for every 10 seconds only.
		c := newApp(t, func(c *app, config *external.Config) {
			c.idp = a.idp
			config.Providers = []external.Provider{a.acme()}
		})
		if p := c.browser().visit("/login/acme/"); p.status != 200 {
			t.Errorf("%s: %d %s %s", algorithm, p.status, p.reason(), c.log)
		}
	}
}

func TestANewKeyIsFetched(t *testing.T) {
	a := newApp(t, nil)
	if p := a.browser().visit("/login/acme/"); p.status != 200 {
		t.Fatalf("got %+v, want 200", p)
	}
	a.idp.Rotate(jwt.ES256)
	a.idp.Retire()
	fetches, tries := a.idp.Fetches(), 0
	for began := time.Now(); ; tries++ { // the keys are asked for once a second at most
		b := a.browser()
		if p := b.visit("/login/acme/"); p.status == 200 && b.who() == "acme-1" {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the new key is not found")
		}
	}
	if n := a.idp.Fetches() - fetches; n > 3 {
		t.Errorf("%d fetches for %d logins", n, tries)
	}
}

func TestAProviderThatIsDownIsAPageWithAWayBack(t *testing.T) {
	for sentence, row := range map[string]struct {
		during func(a *app)
		when   string
	}{
		"metadata":          {func(a *app) { a.idp.SetDown(true) }, "start"},
		"no connection":     {func(a *app) { a.idp.SetBroken(true) }, "start"},
		"the token 503":     {func(a *app) { a.idp.SetQuirks(authtest.Quirks{TokenStatus: 503}) }, "callback"},
		"too many requests": {func(a *app) { a.idp.SetQuirks(authtest.Quirks{TokenStatus: 429}) }, "callback"},
		"the token page":    {func(a *app) { a.idp.SetQuirks(authtest.Quirks{TokenStatus: 400}) }, "callback"},
		"a slow one": {func(a *app) { a.idp.SetQuirks(authtest.Quirks{Stall: make(chan struct{})}) },
			"callback"},
		"userinfo": {func(a *app) { a.idp.SetQuirks(authtest.Quirks{Thin: true, UserInfoStatus: 500}) },
			"callback"},
		"keys": {func(a *app) { a.idp.SetDown(true) }, "callback"},
		"a huge answer": {func(a *app) {
			a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(m map[string]any) {
				m["x"] = strings.Repeat("x", 2<<20)
			}})
		}, "callback"},
	} {
		t.Run(sentence, func(t *testing.T) {
			a := newApp(t, func(_ *app, c *external.Config) { c.HTTP.Timeout = 200 * time.Millisecond })
			b := a.browser()
			var p page
			if row.when == "start" {
				row.during(a)
				p = b.visit("/login/acme/?next=/reports")
			} else {
				back := b.away("/login/acme/?next=/reports")
				row.during(a)
				p = b.next(back)
			}
			b.wants(sentence, p, 503, "temporarily_unavailable")
			if p.header.Get("Retry-After") == "" || !strings.Contains(p.body, `href="/login/acme/?next=%2Freports"`) ||
				!strings.Contains(p.body, `href="/sign-in"`) {
				t.Errorf("no way back: %s", p.body)
			}
			if a.failures[0].Err == nil || auth.KindOf(a.failures[0].Err) != nil {
				t.Errorf("no outage: %+v", a.failures)
			}
			if a.logged() != 0 {
				t.Error("signed in")
			}
		})
	}
}

func TestAStoreThatIsDownSignsNobodyInAndForgetsNobody(t *testing.T) {
	for _, method := range []string{"PutOnce", "Identity", "Reserve", "Confirm", "Touch", "LoadUser", "SignIn",
		"NewUser", "Allow", "KeepTokens"} {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Store = &failing{Store: a.store, method: method}
			load, signIn := c.LoadUser, c.SignIn
			c.LoadUser = func(ctx context.Context, id string) (auth.User, error) {
				if method == "LoadUser" {
					return nil, errDown
				}
				return load(ctx, id)
			}
			c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, l *external.Credential) error {
				if method == "SignIn" {
					return errDown
				}
				return signIn(w, r, u, l)
			}
			if method == "NewUser" {
				c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
					return nil, errDown
				}
			}
			if method == "Allow" {
				c.Accounts.Allow = func(context.Context, *external.Profile) error { return errDown }
			}
			if method == "KeepTokens" {
				c.Accounts.KeepTokens = func(context.Context, auth.User, *external.Profile, *external.Tokens) error {
					return errDown
				}
			}
		})
		b := a.browser()
		p := b.visit("/login/acme/")
		if method == "Touch" { // which may fail
			p = b.visit("/login/acme/")
			if p.status != 200 || !strings.Contains(a.log.String(), "not noted") {
				t.Errorf("%s: %d %s", method, p.status, a.log)
			}
			continue
		}
		b.wants(method, p, 503, "temporarily_unavailable")
		if a.logged() != 0 || b.who() != "" || strings.Contains(p.body, errDown.Error()) ||
			!strings.Contains(a.log.String(), errDown.Error()) {
			t.Errorf("%s: %q %s", method, b.who(), a.log)
		}
	}
}

// failing is a store one method of which fails.
type failing struct {
	external.Store
	method string
}

func (f *failing) err(method string) error {
	if f.method == method {
		return errDown
	}
	return nil
}

func (f *failing) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if err := f.err("PutOnce"); err != nil {
		return false, err
	}
	return f.Store.PutOnce(ctx, key, expires, now)
}

func (f *failing) Identity(ctx context.Context, issuer, subject string) (*external.Identity, error) {
	if err := f.err("Identity"); err != nil {
		return nil, err
	}
	return f.Store.Identity(ctx, issuer, subject)
}

func (f *failing) Link(ctx context.Context, i *external.Identity) (string, bool, error) {
	if err := f.err("Link"); err != nil {
		return "", false, err
	}
	return f.Store.Link(ctx, i)
}

func (f *failing) LinkFirst(ctx context.Context, i *external.Identity) (string, bool, error) {
	if err := f.err("LinkFirst"); err != nil {
		return "", false, err
	}
	return f.Store.LinkFirst(ctx, i)
}

func (f *failing) Reserve(ctx context.Context, r *external.Reservation, now time.Time) (string, string, error) {
	if err := f.err("Reserve"); err != nil {
		return "", "", err
	}
	return f.Store.Reserve(ctx, r, now)
}

func (f *failing) Confirm(ctx context.Context, id string, i *external.Identity, now time.Time) (string, bool, error) {
	if err := f.err("Confirm"); err != nil {
		return "", false, err
	}
	return f.Store.Confirm(ctx, id, i, now)
}

func (f *failing) Touch(ctx context.Context, i *external.Identity) error {
	if err := f.err("Touch"); err != nil {
		return err
	}
	return f.Store.Touch(ctx, i)
}

func (f *failing) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	if err := f.err("TakeCode"); err != nil {
		return nil, err
	}
	return f.Store.TakeCode(ctx, digest, now)
}

func TestWhatAProviderSaysInItsOwnWay(t *testing.T) {
	person := authtest.Person{Subject: "42", Name: "Ada Lovelace", Username: "ada", Email: "ada@example.com",
		EmailVerified: true, Tenant: tenant}
	visit := func(a *app, name string, person authtest.Person, quirks authtest.Quirks) (*browser, page) {
		a.idp.SignIn(person)
		a.idp.SetQuirks(quirks)
		b := a.browser()
		return b, b.visit("/login/" + name + "/")
	}
	t.Run("Google leaves out the scheme of its issuer", func(t *testing.T) {
		a := preset(t, "google", nil)
		if _, p := visit(a, "google", person, authtest.Quirks{BareIssuer: true}); p.status != 200 ||
			a.last().Issuer != a.idp.URL() {
			t.Errorf("got %d and the issuer %q, want 200 and the issuer with its scheme: %s",
				p.status, a.last().Issuer, a.log)
		}
		if b, p := visit(a, "google", person, authtest.Quirks{BareIssuer: true}); b.who() != "google-42" ||
			p.status != 200 {
			t.Error("another person with it")
		}
	})
	t.Run("Google tells of what organization a person is, and only the claim counts", func(t *testing.T) {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{
				external.Google{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret, BaseURL: a.idp.URL(),
					HostedDomain: "acme.example", Offline: true}}
		})
		q := mustURL(a.browser().do("GET", "/login/google/", nil).location).Query()
		if q.Get("hd") != "acme.example" || q.Get("access_type") != "offline" || q.Get("prompt") != "consent" {
			t.Errorf("got the query %v, want hd, offline and consent", q)
		}
		for hd, status := range map[string]int{"acme.example": 200, "ACME.example": 200,
			"other.example": 403, "": 403} {
			one := person
			one.Tenant = hd
			if _, p := visit(a, "google", one, authtest.Quirks{}); p.status != status {
				t.Errorf("hd %q: %d %s", hd, p.status, p.reason())
			}
		}
	})
	t.Run("Microsoft's issuer is a template that the tenant fills in", func(t *testing.T) {
		a := preset(t, "microsoft", nil)
		for sentence, row := range map[string]struct {
			tenant string
			change func(map[string]any)
			status int
			reason string
		}{
			"its tenant":                  {tenant, nil, 200, ""},
			"a tenant that is not listed": {otherTenant, nil, 403, "not_allowed"},
			"tid of another tenant": {tenant, func(c map[string]any) { c["tid"] = otherTenant }, 400,
				"untrusted"},
			"no tid": {tenant, func(c map[string]any) { c["tid"] = nil }, 400, "untrusted"},
			"the template itself": {tenant, func(c map[string]any) {
				c["iss"] = a.idp.URL() + "/{tenantid}/v2.0"
			}, 400, "untrusted"},
			"no UUID": {tenant, func(c map[string]any) {
				c["iss"], c["tid"] = a.idp.URL()+"/x/v2.0",
					"x"
			}, 400, "untrusted"},
			"another host": {tenant, func(c map[string]any) {
				c["iss"] = "https://evil.example/" + tenant + "/v2.0"
			}, 400, "untrusted"},
			"another version": {tenant, func(c map[string]any) {
				c["iss"] = a.idp.URL() + "/" + tenant + "/v1.0"
			}, 400, "untrusted"},
		} {
			one := person
			one.Tenant = row.tenant
			if _, p := visit(a, "microsoft", one, authtest.Quirks{IDToken: row.change}); p.status != row.status ||
				p.reason() != row.reason {
				t.Errorf("%s: %d %s %s", sentence, p.status, p.reason(), a.log)
			}
		}
		// One subject of two tenants is two people.
		b := newApp(t, func(b *app, c *external.Config) {
			c.Providers = []external.Provider{
				external.Microsoft{ClientID: b.idp.ClientID, ClientSecret: b.idp.ClientSecret, BaseURL: b.idp.URL(),
					Tenant: "organizations", AllowAnyTenant: true}}
			c.Accounts.NewUser = func(_ context.Context, p *external.Profile, _ string) (auth.User, error) {
				return b.add(p.Tenant), nil
			}
		})
		for _, each := range []string{tenant, otherTenant} {
			one := person
			one.Tenant = each
			if c, _ := visit(b, "microsoft", one, authtest.Quirks{}); c.who() != each {
				t.Errorf("%s: %q %s", each, c.who(), b.log)
			}
		}
	})
	t.Run("one tenant of Microsoft is one issuer", func(t *testing.T) {
		for name, id := range map[string]string{tenant: tenant, "consumers": external.MicrosoftConsumers} {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Providers = []external.Provider{
					external.Microsoft{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret, BaseURL: a.idp.URL(),
						Tenant: name, Domains: []string{"example.com"}}}
			})
			one := person
			one.Tenant = id
			_, p := visit(a, "microsoft", one, authtest.Quirks{})
			if p.status != 200 || a.last().Email.Verified != (name == tenant) {
				t.Errorf("%s: %d %s %s", name, p.status, p.reason(), a.log)
			}
			one.Tenant = otherTenant
			if _, p := visit(a, "microsoft", one, authtest.Quirks{}); p.status != 400 {
				t.Errorf("another tenant: %d", p.status)
			}
		}
	})
	t.Run("Apple wants a secret that is signed, and tells a name once", func(t *testing.T) {
		key := applePEM(t)
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{external.Apple{ClientID: a.idp.ClientID, TeamID: "TEAM", KeyID: "KEY",
				PrivateKey: key, BaseURL: a.idp.URL()}}
		})
		one := person
		one.EmailVerified = "true"
		if _, p := visit(a, "apple", one, authtest.Quirks{IDToken: func(c map[string]any) {
			delete(c, "name")
		}}); p.status != 200 {
			t.Fatalf("got %d, want 200: %s", p.status, a.log)
		}
		if p := a.last(); p.Name != "Ada Lovelace" || p.Email.Address != "ada@example.com" || !p.Email.Verified {
			t.Errorf("got %+v, want the name of the form, and the verified address", p)
		}
		visit(a, "apple", one, authtest.Quirks{IDToken: func(c map[string]any) { delete(c, "name") }})
		if p := a.last(); p.Name != "" {
			t.Errorf("told twice: %+v", p)
		}
		requests := a.idp.TokenRequests()
		signing, err := jwt.ParsePEM(jwt.ES256, []byte(key.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		set, err := jwt.NewKeySet(nil, signing.Public().WithID("KEY"))
		if err != nil {
			t.Fatal(err)
		}
		_, payload, err := jwt.Open(set, requests[0].Secret)
		var claims map[string]any
		if err != nil || json.Unmarshal(payload, &claims) != nil || claims["iss"] != "TEAM" ||
			claims["sub"] != a.idp.ClientID || claims["aud"] != a.idp.URL() ||
			claims["exp"].(float64)-claims["iat"].(float64) > 15777000 || requests[0].Secret == requests[1].Secret {
			t.Errorf("got the claims %v, error %v, want a secret of the team for this client, another one each time",
				claims, err)
		}
		// What is unsigned is a name, and no address.
		other := one
		other.Subject, other.Email = "77", ""
		visit(a, "apple", other, authtest.Quirks{})
		if p := a.last(); p.Email.Address != "" || p.Subject != "77" {
			t.Errorf("got %+v, want the subject 77 without an address", p)
		}
		for _, user := range []string{"{", "[]", `{"name":7}`, `{"name":{"firstName":7,"lastName":"<b>"}}`,
			strings.Repeat("x", 60_000)} {
			if _, p := visit(a, "apple", one, authtest.Quirks{Answer: func(v url.Values) {
				v.Set("user", user)
			}}); p.status != 200 {
				t.Errorf("%.20q: %d", user, p.status)
			}
		}
		if _, p := visit(a, "apple", one, authtest.Quirks{Answer: func(v url.Values) {
			v.Set("user", strings.Repeat("x", 70_000))
		}}); p.status != 400 {
			t.Errorf("got %d, want 400", p.status)
		}
	})
	t.Run("GitHub answers errors with 200, forms if it likes, and numbers for people", func(t *testing.T) {
		a := preset(t, "github", nil)
		if _, p := visit(a, "github", person, authtest.Quirks{FormAnswers: true}); p.status != 200 {
			t.Errorf("got %d, want 200: %s", p.status, a.log)
		}
		big := person
		big.Subject = "9007199254740993" // more than a float64 tells apart
		if b, _ := visit(a, "github", big, authtest.Quirks{}); b.who() != "github-9007199254740993" {
			t.Errorf("signed in as %q, want github-9007199254740993", b.who())
		}
		b, p := visit(a, "github", person, authtest.Quirks{Answer: func(v url.Values) { v.Set("code", "used") }})
		b.wants("a bad code", p, 400, "refused")
		b, p = visit(a, "github", person, authtest.Quirks{Answer: func(v url.Values) {
			v.Set("iss", "https://evil.example")
		}})
		b.wants("another issuer", p, 400, "untrusted")
		if b, _ = visit(a, "github", person, authtest.Quirks{Answer: func(v url.Values) {
			v.Set("iss", a.idp.URL()+"/login/oauth")
		}}); b.who() != "github-42" {
			t.Errorf("its own issuer: %s", a.log)
		}
		for _, id := range []any{nil, "", 1.5, true, []int{1}} {
			b, p = visit(a, "github", person, authtest.Quirks{UserInfo: func(m map[string]any) { m["id"] = id }})
			b.wants("no id", p, 400, "untrusted")
		}
		unverified := person
		unverified.EmailVerified = false
		for sentence, one := range map[string]func(){
			"not verified": func() { visit(a, "github", unverified, authtest.Quirks{}) },
			"not told":     func() { visit(a, "github", person, authtest.Quirks{NoEmails: true}) },
		} {
			if one(); a.last().Email.Address != "" {
				t.Errorf("%s: %+v", sentence, a.last().Email)
			}
		}
	})
	t.Run("Facebook has errors of its own", func(t *testing.T) {
		a := preset(t, "facebook", nil)
		b, p := visit(a, "facebook", person, authtest.Quirks{Answer: func(v url.Values) { v.Set("code", "used") }})
		b.wants("a bad code", p, 400, "refused")
		none := person
		none.Email = ""
		if _, p = visit(a, "facebook", none, authtest.Quirks{}); p.status != 200 || a.last().Email.Address != "" ||
			a.last().Email.Verified {
			t.Errorf("got %d %+v, want 200 without an address", p.status, a.last())
		}
	})
	t.Run("a profile may be at the userinfo endpoint, and what is signed counts", func(t *testing.T) {
		a := newApp(t, nil)
		if _, p := visit(a, "acme", person, authtest.Quirks{Thin: true}); p.status != 200 ||
			a.last().Email.Address != "ada@example.com" || !a.last().Email.Verified || a.last().Name != "Ada Lovelace" {
			t.Errorf("got %d %+v, want 200 with the address and the name of userinfo", p.status, a.last())
		}
		visit(a, "acme", person, authtest.Quirks{IDToken: func(c map[string]any) {
			c["email_verified"] = nil
			c["name"] = nil
		},
			UserInfo: func(c map[string]any) { c["email"], c["email_verified"] = "other@example.com", true }})
		if p := a.last(); p.Email.Address != "ada@example.com" || p.Email.Verified || p.Name != "Ada Lovelace" {
			t.Errorf("got %+v, want the address of the ID token, not verified, and the name of userinfo", p)
		}
		visit(a, "acme", person, authtest.Quirks{IDToken: func(c map[string]any) {
			c["email"], c["email_verified"] = nil, true
		},
			UserInfo: func(c map[string]any) { delete(c, "email_verified") }})
		if p := a.last(); p.Email.Address != "ada@example.com" || p.Email.Verified {
			t.Errorf("verified by a statement about no address: %+v", p)
		}
		list := func(c map[string]any) { c["email"] = []any{"ada@example.com"} }
		visit(a, "acme", person, authtest.Quirks{IDToken: func(c map[string]any) { list(c); c["name"] = nil },
			UserInfo: list})
		if p := a.last(); p.Email.Address != "" || p.Email.Verified || p.Name != "Ada Lovelace" {
			t.Errorf("a list of addresses in both: %+v", p)
		}
	})
	t.Run("what is no address, or no text, is left out", func(t *testing.T) {
		a := newApp(t, nil)
		for _, email := range []any{"alice", "a@b@c", "<a@b.example>", 7, "@example.com", "a@", "a b@example.com"} {
			visit(a, "acme", person, authtest.Quirks{IDToken: func(c map[string]any) {
				c["email"], c["name"], c["picture"] = email, 7, "javascript:alert(1)"
			}})
			if p := a.last(); p.Email.Address != "" || p.Email.Verified || p.Name != "" || p.Picture != "" {
				t.Errorf("%v: %+v", email, p)
			}
		}
	})
}

func TestAnAddressCountsWhereTheOperatorSaysSo(t *testing.T) {
	for sentence, row := range map[string]struct {
		provider                func(idp *authtest.Provider) external.Provider
		email                   string
		verified                any
		tenant                  string
		wantVerified, wantTrust bool
	}{
		"listed, verified":           {oidc("acme.example"), "a@acme.example", true, "", true, true},
		"listed, in capitals":        {oidc("Acme.example"), "a@ACME.example", true, "", true, true},
		"listed, not verified":       {oidc("acme.example"), "a@acme.example", false, "", false, false},
		"listed, nothing said":       {oidc("acme.example"), "a@acme.example", nil, "", false, false},
		"another domain":             {oidc("acme.example"), "a@other.example", true, "", false, false},
		"a subdomain":                {oidc("acme.example"), "a@x.acme.example", true, "", false, false},
		"none listed":                {oidc(), "a@acme.example", true, "", true, false},
		"Google, gmail":              {google("gmail.com"), "a@gmail.com", true, "", true, true},
		"Google, an organization":    {google("acme.example"), "a@acme.example", true, "acme.example", true, true},
		"Google, seen once":          {google("acme.example"), "a@acme.example", true, "", true, false},
		"Google, gmail not listed":   {google(), "a@gmail.com", true, "", true, false},
		"GitHub is none's authority": {github("acme.example"), "a@acme.example", true, "", true, false},
	} {
		a := newApp(t, func(a *app, c *external.Config) { c.Providers = []external.Provider{row.provider(a.idp)} })
		a.idp.SignIn(authtest.Person{Subject: "1", Email: row.email, EmailVerified: row.verified, Tenant: row.tenant})
		a.browser().visit(a.logins.Choices("")[0].URL)
		if got := a.last().Email; got.Verified != row.wantVerified || got.Authoritative != row.wantTrust {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
}

func oidc(domains ...string) func(*authtest.Provider) external.Provider {
	return func(idp *authtest.Provider) external.Provider {
		return external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
			Domains: domains}
	}
}

func google(domains ...string) func(*authtest.Provider) external.Provider {
	return func(idp *authtest.Provider) external.Provider {
		return external.Google{BaseURL: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
			Domains: domains}
	}
}

func github(domains ...string) func(*authtest.Provider) external.Provider {
	return func(idp *authtest.Provider) external.Provider {
		return external.GitHub{BaseURL: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
			Domains: domains}
	}
}

func TestAClientMayProveItselfByAKey(t *testing.T) {
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, func(a *app, c *external.Config) {
		acme := a.acme()
		acme.ClientSecret, acme.Key = "", key
		c.Providers = []external.Provider{acme}
	})
	a.browser().visit("/login/acme/")
	a.browser().visit("/login/acme/")
	set, err := jwt.NewKeySet(nil, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var seen []any
	for _, request := range a.idp.TokenRequests() {
		_, payload, err := jwt.Open(set, request.Form.Get("client_assertion"))
		var claims map[string]any
		if err != nil || json.Unmarshal(payload, &claims) != nil || claims["iss"] != a.idp.ClientID ||
			claims["sub"] != a.idp.ClientID || claims["aud"] != a.idp.URL()+"/token" ||
			request.Form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
			request.Form.Has("client_secret") {
			t.Errorf("got the claims %v, error %v, form %v, want an assertion and no secret", claims, err, request.Form)
		}
		seen = append(seen, claims["jti"])
	}
	if len(seen) != 2 || seen[0] == seen[1] {
		t.Errorf("got the jti %v, want 2 that differ", seen)
	}
}

func TestTokensAreHandedOverOrDropped(t *testing.T) {
	var kept []*external.Tokens
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
			tokens *external.Tokens) error {
			kept = append(kept, tokens)
			return nil
		}
	})
	a.browser().visit("/login/acme/")
	if len(kept) != 1 || kept[0].Access() == "" || kept[0].Refresh() == "" || kept[0].ID() == "" ||
		!slices.Contains(kept[0].Scopes, "openid") || time.Until(kept[0].ExpiresAt) < 59*time.Minute {
		t.Fatalf("got %d logins with tokens, want 1 with all three tokens, the scope openid and an hour to go",
			len(kept))
	}
	of := a.last().Identity("alice", time.Now())
	fresh, err := a.logins.Refresh(t.Context(), of, kept[0].Refresh())
	if err != nil || fresh.Access() == kept[0].Access() || fresh.Refresh() == kept[0].Refresh() {
		t.Errorf("got the error %v, want none, and other tokens", err)
	}
	if _, err := a.logins.Refresh(t.Context(), of, kept[0].Refresh()); !errors.Is(err, external.ErrRejected) {
		t.Errorf("used twice: %v", err)
	}
	if err := a.logins.RevokeToken(t.Context(), "acme", fresh.Refresh()); err != nil {
		t.Error(err)
	}
	if _, err := a.logins.Refresh(t.Context(), of, fresh.Refresh()); !errors.Is(err, external.ErrRejected) {
		t.Errorf("revoked: %v", err)
	}
	a.idp.SetQuirks(authtest.Quirks{TokenStatus: 503})
	if _, err := a.logins.Refresh(t.Context(), of, fresh.Refresh()); err == nil ||
		errors.Is(err, external.ErrRejected) {
		t.Errorf("down: %v", err)
	}
	at, err := a.logins.EndSessionURL(t.Context(), "acme", kept[0].ID(), a.url+"/")
	if q := mustURL(at).Query(); err != nil || !strings.HasPrefix(at, a.idp.URL()+"/logout?") ||
		q.Get("id_token_hint") != kept[0].ID().Reveal() || q.Get("post_logout_redirect_uri") != a.url+"/" ||
		q.Get("client_id") != a.idp.ClientID {
		t.Errorf("got %s, error %v, want the logout endpoint with the hint, the client and the address to return to",
			at, err)
	}
	for _, name := range []string{"nobody", ""} {
		_, e1 := a.logins.Refresh(t.Context(), &external.Identity{Provider: name, Issuer: a.idp.URL(), Subject: "1"},
			"x")
		_, e2 := a.logins.EndSessionURL(t.Context(), name, "", "")
		if e3 := a.logins.RevokeToken(t.Context(), name, "x"); e1 == nil || e2 == nil || e3 == nil {
			t.Errorf("got the errors %v, %v and %v, want three", e1, e2, e3)
		}
	}
}

func TestAConfigurationThatCannotBeRightIsAnError(t *testing.T) {
	good := func() external.Config {
		return external.Config{URL: "https://app.example", Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))},
			Store:     external.NewMemoryStore(),
			LoadUser:  func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
			SignIn:    func(http.ResponseWriter, *http.Request, auth.User, *external.Credential) error { return nil },
			Providers: []external.Provider{external.Google{ClientID: "x", ClientSecret: "y"}}}
	}
	if l, err := external.New(good()); err != nil || l.RedirectURI("google") != "https://app.example/login/google/"+
		"callback/" {
		t.Fatal(err)
	}
	own := external.OAuth2{Name: "own", Issuer: "own", AuthorizeURL: "https://own.example/a",
		TokenURL: "https://own.example/t", ClientID: "x",
		Profile: func(context.Context, *external.API) (*external.Profile, error) { return nil, nil }}
	acme := external.OIDC{Name: "acme", Issuer: "https://login.example", ClientID: "x"}
	for sentence, change := range map[string]func(c *external.Config){
		"no provider":            func(c *external.Config) { c.Providers = nil },
		"a nil provider":         func(c *external.Config) { c.Providers = []external.Provider{nil} },
		"no URL":                 func(c *external.Config) { c.URL = "" },
		"a URL by http":          func(c *external.Config) { c.URL = "http://app.example" },
		"a URL with a path":      func(c *external.Config) { c.URL = "https://app.example/x" },
		"no keys":                func(c *external.Config) { c.Keys = nil },
		"a short key":            func(c *external.Config) { c.Keys = []auth.Secret{"short"} },
		"no store":               func(c *external.Config) { c.Store = nil },
		"no loader":              func(c *external.Config) { c.LoadUser = nil },
		"no end":                 func(c *external.Config) { c.SignIn = nil },
		"a long attempt":         func(c *external.Config) { c.Cookie.TTL = time.Hour },
		"a negative age":         func(c *external.Config) { c.Linking.MaxAge = -1 },
		"a bad path":             func(c *external.Config) { c.Path = "login" },
		"a path with a wildcard": func(c *external.Config) { c.Path = "/{x}" },
		"a foreign page":         func(c *external.Config) { c.Pages.SignInURL = "https://evil.example" },
		"a bad cookie":           func(c *external.Config) { c.Cookie.Name = "a;b" },
		"an app by http":         func(c *external.Config) { c.Apps.Redirects = []string{"http://app.example/"} },
		"an app with a fragment": func(c *external.Config) { c.Apps.Redirects = []string{"https://app.example/#x"} },
		"an app of javascript":   func(c *external.Config) { c.Apps.Redirects = []string{"javascript:alert(1)"} },
		"a drop without ByEmail": func(c *external.Config) {
			c.Accounts.DropUnverified = func(context.Context, auth.User, *external.Profile) error { return nil }
		},
		"two of one name": func(c *external.Config) {
			c.Providers = append(c.Providers, external.Google{ClientID: "z"})
		},
		"one client of one issuer twice": func(c *external.Config) {
			c.Providers = []external.Provider{external.Google{ClientID: "z"},
				external.Google{Name: "g2", ClientID: "z"}}
		},
		"no client": func(c *external.Config) { c.Providers = []external.Provider{external.Google{}} },
		"a bad name": func(c *external.Config) {
			c.Providers = []external.Provider{external.Google{Name: "a/b", ClientID: "x"}}
		},
		"a reserved parameter": func(c *external.Config) {
			c.Providers = []external.Provider{external.Google{ClientID: "x", Params: map[string]string{"state": "x"}}}
		},
		"an http issuer": func(c *external.Config) {
			o := acme
			o.Issuer = "http://login.example"
			c.Providers = []external.Provider{o}
		},
		"no issuer": func(c *external.Config) { o := acme; o.Issuer = ""; c.Providers = []external.Provider{o} },
		"secret and key": func(c *external.Config) {
			o := acme
			o.ClientSecret, o.Key = "x", mustKey(t, jwt.ES256)
			c.Providers = []external.Provider{o}
		},
		"a public key": func(c *external.Config) {
			o := acme
			o.Key = mustKey(t, jwt.ES256).Public()
			c.Providers = []external.Provider{o}
		},
		"a symmetric key": func(c *external.Config) {
			o := acme
			o.Key = mustKey(t, jwt.HS256)
			c.Providers = []external.Provider{o}
		},
		"a bad method": func(c *external.Config) {
			o := acme
			o.Method = "none"
			c.Providers = []external.Provider{o}
		},
		"a bad scope": func(c *external.Config) {
			o := acme
			o.Scopes = []string{"a b"}
			c.Providers = []external.Provider{o}
		},
		"a bad domain": func(c *external.Config) {
			o := acme
			o.Domains = []string{"@x"}
			c.Providers = []external.Provider{o}
		},
		"OAuth without profile": func(c *external.Config) {
			o := own
			o.Profile = nil
			c.Providers = []external.Provider{o}
		},
		"OAuth without issuer": func(c *external.Config) {
			o := own
			o.Issuer = ""
			c.Providers = []external.Provider{o}
		},
		"OAuth by http": func(c *external.Config) {
			o := own
			o.TokenURL = "http://own.example/t"
			c.Providers = []external.Provider{o}
		},
		"Microsoft, no tenant": func(c *external.Config) {
			c.Providers = []external.Provider{external.Microsoft{ClientID: "x"}}
		},
		"Microsoft, no tenant and any allowed": func(c *external.Config) {
			c.Providers = []external.Provider{external.Microsoft{ClientID: "x", AllowAnyTenant: true}}
		},
		"an empty client of an app": func(c *external.Config) {
			c.Providers = []external.Provider{external.Google{ClientID: "x", AppClientIDs: []string{""}}}
		},
		"Microsoft, any tenant unsaid": func(c *external.Config) {
			c.Providers = []external.Provider{external.Microsoft{ClientID: "x", Tenant: "common"}}
		},
		"Microsoft, both": func(c *external.Config) {
			c.Providers = []external.Provider{external.Microsoft{ClientID: "x", Tenant: "common", AllowAnyTenant: true,
				AllowTenants: []string{tenant}}}
		},
		"Microsoft, a domain": func(c *external.Config) {
			c.Providers = []external.Provider{external.Microsoft{ClientID: "x", Tenant: "acme.example"}}
		},
		"Apple, no key": func(c *external.Config) {
			c.Providers = []external.Provider{external.Apple{ClientID: "x", TeamID: "t", KeyID: "k"}}
		},
		"Apple, a bad key": func(c *external.Config) {
			c.Providers = []external.Provider{external.Apple{ClientID: "x", TeamID: "t", KeyID: "k", PrivateKey: "x"}}
		},
		"Facebook, no secret": func(c *external.Config) {
			c.Providers = []external.Provider{external.Facebook{ClientID: "x"}}
		},
		"an insecure cookie and a form": func(c *external.Config) {
			c.Cookie.Insecure, c.Providers = true, []external.Provider{
				external.Apple{ClientID: "x", TeamID: "t", KeyID: "k", PrivateKey: applePEM(t)}}
		},
	} {
		c := good()
		change(&c)
		if _, err := external.New(c); err == nil || !strings.HasPrefix(err.Error(), "oauth2/external: ") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	for _, at := range []string{"com.example.app:/signed-in", "http://127.0.0.1/x", "http://localhost:8/",
		"https://spa.example/"} {
		c := good()
		c.SignIn, c.Apps.Redirects = nil, []string{at}
		if _, err := external.New(c); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestWhereTheRealProvidersAre(t *testing.T) {
	// The presets that need no metadata; the others are found by their issuers.
	for name, row := range map[string]struct {
		provider external.Provider
		want     string
	}{
		"github": {external.GitHub{ClientID: "x", ClientSecret: "y"}, "https://github.com/login/oauth/authorize?"},
		"facebook": {external.Facebook{ClientID: "x", ClientSecret: "y"},
			"https://www.facebook.com/v24.0/dialog/oauth?"},
	} {
		a := newApp(t, only(row.provider))
		if p := a.browser().do("GET", "/login/"+name+"/", nil); !strings.HasPrefix(p.location, row.want) {
			t.Errorf("got the location %s, want it to start with %s", p.location, row.want)
		}
	}
	asked := make(chan string, 10)
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked <- r.URL.String()
		return nil, errDown
	})}
	for want, provider := range map[string]external.Provider{
		"https://accounts.google.com/.well-known/openid-configuration": external.Google{
			Name: "p", ClientID: "x"},
		"https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration": external.Microsoft{
			Name: "p", ClientID: "x", Tenant: "common", AllowAnyTenant: true},
		"https://login.microsoftonline.com/" + tenant + "/v2.0/.well-known/openid-configuration": external.Microsoft{
			Name: "p", ClientID: "x", Tenant: tenant},
		"https://appleid.apple.com/.well-known/openid-configuration": external.Apple{
			Name: "p", ClientID: "x", TeamID: "t", KeyID: "k", PrivateKey: applePEM(t)},
		"https://gitlab.com/.well-known/openid-configuration": external.GitLab{
			Name: "p", ClientID: "x"},
		"https://gitlab.acme.example/sub/.well-known/openid-configuration": external.GitLab{
			Name: "p", ClientID: "x", BaseURL: "https://gitlab.acme.example/sub/"},
	} {
		a := newApp(t, func(_ *app, c *external.Config) {
			c.Providers, c.HTTP.Client = []external.Provider{provider}, client
		})
		a.browser().do("GET", "/login/p/", nil)
		if got := <-asked; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestMetadataIsRememberedAndOneThatIsDownIsNotAskedEachTime(t *testing.T) {
	n := 0
	a := newApp(t, func(a *app, c *external.Config) {
		c.HTTP.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n++
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	a.idp.SetDown(true)
	for range 3 {
		a.browser().do("GET", "/login/acme/", nil)
	}
	if n != 1 {
		t.Errorf("asked %d times while it was down", n)
	}
	b := newApp(t, nil)
	b.browser().away("/login/acme/")
	b.idp.SetDown(true)
	if p := b.browser().do("GET", "/login/acme/", nil); p.status != 303 {
		t.Errorf("%d, though it is known", p.status)
	}
}

func TestChoicesAreInTheOrderOfTheConfiguration(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		one := a.acme()
		one.Domains = []string{"acme.example"}
		c.Providers = []external.Provider{external.GitHub{ClientID: "x"}, one, external.Google{ClientID: "x"}}
	})
	want := []external.Choice{{"github", "GitHub", "/login/github/?next=%2Fa%3Fb"},
		{"acme", "Acme <b>", "/login/acme/?next=%2Fa%3Fb"}, {"google", "Google", "/login/google/?next=%2Fa%3Fb"}}
	if got := a.logins.Choices("/a?b"); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for address, want := range map[string]string{"bob@acme.example": "acme", "bob@ACME.EXAMPLE": "acme",
		"bob@other.example": "", "acme.example": "", "": ""} {
		if got, ok := a.logins.ForEmail(address); got != want || ok != (want != "") {
			t.Errorf("%q: %q", address, got)
		}
	}
}

func mustKey(t testing.TB, algorithm jwt.Algorithm) *jwt.Key {
	t.Helper()
	key, err := jwt.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
