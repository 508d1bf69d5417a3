package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatewarden/auth/authtest"
)

// twoDemos are two, of which the first is the provider "other" of the second.
func twoDemos(t *testing.T) (there, here *program) {
	t.Helper()
	address := freePort(t)
	clients := filepath.Join(t.TempDir(), "clients.json")
	if err := os.WriteFile(clients,
		[]byte(`[{"client_id":"second","client_secret":"second-secret-of-32-characters-xx","client_name":"Second demo",
		"redirect_uris":["http://`+address+`/login/other/callback/"],"scope":"openid profile email"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	there = launch(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "there.db"), "-clients", clients)
	here = launch(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "here.db"), "-addr", address, "-provider",
		"other,"+there.url+",second,second-secret-of-32-characters-xx")
	return there, here
}

// tourist is a visitor of several servers.
type tourist struct {
	*testing.T
	at map[string]*visitor // by origin
}

func newTourist(t *testing.T, all ...*program) *tourist {
	to := &tourist{t, make(map[string]*visitor)}
	for _, p := range all {
		to.at[p.url] = p.visit()
	}
	return to
}

// go on follows redirects from an answer of a server, and presses Allow where it is asked
// for; it returns the last answer and where it was.
func (to *tourist) follow(origin string, got answer) (answer, string) {
	to.Helper()
	at := origin
	for range 15 {
		location := got.header.Get("Location")
		if to, ok := strings.CutPrefix(got.header.Get("Refresh"), "0; url="); ok {
			location = to
		}
		if location == "" {
			if !strings.Contains(got.body, `name="allow"`) {
				return got, at
			}
			form := url.Values{"allow": {"Allow"}}
			for _, input := range inputPattern.FindAllStringSubmatch(got.body, -1) {
				form.Set(input[1], input[2])
			}
			action := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(got.body)[1]
			u, err := url.Parse(at)
			if err != nil {
				to.Fatal(err)
			}
			got = to.at[u.Scheme+"://"+u.Host].post(action, form)
			continue
		}
		base, err := url.Parse(at)
		if err != nil {
			to.Fatal(err)
		}
		next, err := base.Parse(location)
		if err != nil {
			to.Fatal(err)
		}
		at = next.String()
		v := to.at[next.Scheme+"://"+next.Host]
		if v == nil {
			to.Fatalf("sent to %s", at)
		}
		got = v.get(next.RequestURI())
	}
	to.Fatal("no end")
	return got, at
}

func (to *tourist) visit(p *program, path string) (answer, string) {
	to.Helper()
	return to.follow(p.url, to.at[p.url].get(path))
}

func TestADemoIsTheProviderOfAnother(t *testing.T) {
	there, here := twoDemos(t)
	to := newTourist(t, there, here)
	if page, _ := to.visit(here, "/session/login?next=/devices"); !strings.Contains(page.body,
		`href="/login/other/?next=%2Fdevices"`) {
		t.Fatalf("no button: %s", page.body)
	}
	// A visitor that wanted to see a page comes to it by each way to sign in.
	wanted := newTourist(t, there, here)
	if page, _ := wanted.visit(here, "/devices"); !strings.Contains(page.body, `href="/login/other/?next=%2Fdevices"`) {
		t.Errorf("visit: got %s, want %q in it", page.body, `href="/login/other/?next=%2Fdevices"`)
	}
	// bob is not signed in there yet: he is asked, and comes back to the same request.
	page, at := to.visit(here, "/login/other/?next=/devices")
	if !strings.HasPrefix(at, there.url+"/session/login?next=") {
		t.Fatalf("%d at %s", page.status, at)
	}
	u, _ := url.Parse(at)
	if got := to.at[there.url].logIn(bob, ""); got.status != 303 {
		t.Fatalf("logIn: got %v, want status 303", got)
	}
	page, at = to.visit(there, u.Query().Get("next"))
	if page.status != 200 || at != here.url+"/devices" {
		t.Fatalf("%d at %s: %s", page.status, at, page.body)
	}
	to.at[here.url].want(200, "other-bob")

	// The local bob is somebody else, and the same person comes to the same account.
	again := newTourist(t, there, here)
	again.at[there.url].logIn(bob)
	again.visit(here, "/login/other/")
	again.at[here.url].want(200, "other-bob")

	// alice links alice there to the account that she has here, and signs in with it.
	linking := newTourist(t, there, here)
	linking.at[there.url].logIn(alice)
	linking.at[here.url].logIn(admin)
	page, at = linking.follow(here.url, linking.at[here.url].post("/login/other/link/", nil))
	if page.status != 200 || at != here.url+"/account" ||
		!strings.Contains(page.body, "<strong>other</strong> alice") ||
		!strings.Contains(page.body, "alice@example.com") {
		t.Fatalf("%d at %s: %s", page.status, at, page.body)
	}
	linking.at[here.url].want(200, "admin")
	fresh := newTourist(t, there, here)
	fresh.at[there.url].logIn(alice)
	fresh.visit(here, "/login/other/")
	fresh.at[here.url].want(200, "admin")

	// A user without a password keeps the one way in. A user with one can unlink.
	id := regexp.MustCompile(`name="id" value="([^"]*)"`)
	own := to.at[here.url]
	account := own.get("/account")
	last := own.post("/login/other/unlink/", url.Values{"id": {id.FindStringSubmatch(account.body)[1]}})
	if last.status != 409 || !strings.Contains(last.body, `data-reason="last_way"`) {
		t.Errorf("post: got %d, %s, want status 409 and %q in it", last.status, last.body, `data-reason="last_way"`)
	}
	if got := linking.at[here.url].post("/login/other/unlink/",
		url.Values{"id": {id.FindStringSubmatch(page.body)[1]}}); got.status != 303 {
		t.Errorf("post: got %d, %s, want status 303", got.status, got.body)
	}
	gone := newTourist(t, there, here)
	gone.at[there.url].logIn(alice)
	gone.visit(here, "/login/other/")
	gone.at[here.url].want(200, "other-alice")

	// A provider that is away is a page with a way back.
	lost := launch(t, "-db", "memory:", "-provider", "other,http://"+freePort(t)+",x,y")
	if got := lost.visit().get("/login/other/?next=/devices"); got.status != 503 ||
		!strings.Contains(got.body, `href="/login/other/?next=%2Fdevices"`) ||
		!strings.Contains(got.body, `href="/session/login"`) {
		t.Errorf("get: got %d, %s, want status 503 and %q in it and %q in it", got.status, got.body,
			`href="/login/other/?next=%2Fdevices"`, `href="/session/login"`)
	}
}

func TestAnAppGetsATokenByACode(t *testing.T) {
	idp := authtest.NewProvider(t)
	p := launch(t, "-db", "memory:", "-provider", "acme,"+idp.URL()+","+idp.ClientID+","+idp.ClientSecret.Reveal())
	app := newApplication("", "")
	start, _ := url.Parse(app.at(""))
	q := url.Values{"return_to": {p.url + "/callback"}, "code_challenge": {start.Query().Get("code_challenge")},
		"code_challenge_method": {"S256"}, "state": {"xyz"}}
	v := p.visit()
	to := v.get("/login/acme/?" + q.Encode()).header.Get("Location")
	back := outside(t, to)
	got := v.get(back)
	location := got.header.Get("Location")
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.url+"/callback?login_code=") {
		t.Fatalf("Get: got %d, %s, %s, want the prefix %q", got.status, location, got.body,
			p.url+"/callback?login_code=")
	}
	if page := v.get(u.RequestURI()); !strings.Contains(page.body, u.Query().Get("login_code")) {
		t.Errorf("get: got %s, want %q in it", page.body, u.Query().Get("login_code"))
	}
	body, _ := json.Marshal(map[string]string{"login_code": u.Query().Get("login_code"), "code_verifier": app.verifier})
	status, text := p.do("POST", "/auth/login/", "", string(body))
	var answer struct{ Token string }
	if json.Unmarshal([]byte(text), &answer) != nil || status != 200 {
		t.Fatalf("POST /auth/login/: got status %d, %s, want 200 and a token", status, text)
	}
	if _, me := p.do("GET", "/api/me", "Token "+answer.Token, ""); !strings.Contains(me, `"user":"acme-1"`) {
		t.Errorf("do: got %s, want %q in it", me, `"user":"acme-1"`)
	}
	if status, text := p.do("POST", "/auth/login/", "", string(body)); status != 401 {
		t.Errorf("twice: %d %s", status, text)
	}
}

// outside asks a provider for where it sends a browser: a path of the demo.
func outside(t *testing.T, to string) string {
	t.Helper()
	r, err := http.NewRequest("GET", to, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	u, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || u.Host == "" {
		t.Fatalf("Parse: got %d, %v, want some Host", answer.StatusCode, err)
	}
	return u.RequestURI()
}

func TestWhatMustNotSignAnybodyIn(t *testing.T) {
	idp := authtest.NewProvider(t)
	p := launch(t, "-db", "memory:", "-provider", "acme,"+idp.URL()+","+idp.ClientID+","+idp.ClientSecret.Reveal())
	come := func(v *visitor) answer { return v.get(outside(t, v.get("/login/acme/").header.Get("Location"))) }
	quirk := func(q authtest.Quirks) func(*visitor) answer {
		return func(v *visitor) answer { idp.SetQuirks(q); return come(v) }
	}
	for sentence, row := range map[string]struct {
		act    func(v *visitor) answer
		status int
		reason string
	}{
		"a wrong state": {quirk(authtest.Quirks{Answer: func(v url.Values) { v.Set("state", rand.Text()) }}),
			400, "expired"},
		"a replayed callback": {func(v *visitor) answer {
			back := outside(t, v.get("/login/acme/").header.Get("Location"))
			before := make(map[string]string)
			for name, value := range v.cookies {
				before[name] = value
			}
			if got := v.get(back); got.status != 303 {
				t.Fatalf("get: got %d, %s, want status 303", got.status, got.body)
			}
			v.cookies = before
			return v.get(back)
		}, 400, "used"},
		"another browser's callback": {func(v *visitor) answer {
			back := outside(t, p.visit().get("/login/acme/").header.Get("Location"))
			return v.get(back)
		}, 400, "expired"},
		"a wrong iss": {quirk(authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://evil.example") }}),
			400, "untrusted"},
		"a wrong nonce": {quirk(authtest.Quirks{IDToken: func(c map[string]any) { c["nonce"] = rand.Text() }}), 400,
			"untrusted"},
		"an unsigned id_token": {quirk(authtest.Quirks{Sign: func(c map[string]any) string {
			body, _ := json.Marshal(c)
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
				base64.RawURLEncoding.EncodeToString(body) + "."
		}}), 400, "untrusted"},
		"an unverified e-mail equal to a local one": {func(v *visitor) answer {
			idp.SignIn(authtest.Person{Subject: "666", Name: "Alice", Email: "alice@example.com", EmailVerified: false})
			return come(v)
		}, 409, "account_exists"},
		"a provider that is down": {quirk(authtest.Quirks{TokenStatus: 503}), 503, "temporarily_unavailable"},
	} {
		idp.SetQuirks(authtest.Quirks{})
		idp.SignIn(authtest.Person{Subject: "1", Name: "Alice"})
		v := p.visit()
		got := row.act(v)
		if got.status != row.status || !strings.Contains(got.body, `data-reason="`+row.reason+`"`) ||
			!strings.Contains(got.body, `href="/session/login"`) {
			t.Errorf("%s: act: got %d, %s, want status %v and %q in it and %q in it", sentence, got.status, got.body,
				row.status, `data-reason="`+row.reason+`"`, `href="/session/login"`)
		}
		v.want(401, "")
	}
	for _, secret := range []string{idp.ClientSecret.Reveal(), "eyJ", idp.TokenRequests()[0].Form.Get("code"),
		idp.TokenRequests()[0].Form.Get("code_verifier")} {
		if strings.Contains(p.log.text(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestAProviderThatCannotBeIsAnError(t *testing.T) {
	for _, provider := range []string{"acme", "acme,,id,secret", "acme,http://elsewhere.example,id,secret",
		"a/b,https://login.example,id,secret", "acme,https://login.example,,secret"} {
		if out := refuses(t, "-db", "memory:", "-provider", provider); !strings.Contains(out, "provider") &&
			!strings.Contains(out, "oauth2/external") {
			t.Errorf("%s: refuses: got %s, want \"oauth2/external\" in it", provider, out)
		}
	}
}

func TestInABrowserSomebodySignsInByAnotherDemoAndLinks(t *testing.T) {
	_, here := twoDemos(t)
	b := here.browse()
	b.open("/session/login")
	b.shot("login-buttons")
	b.click(".ways a")
	if at := b.text("h1"); at != "Sign in" {
		t.Fatalf("at %q", at)
	}
	b.fill("bob", "staple-tractor-lamp")
	b.toConsent()
	if text := b.text("main"); !strings.Contains(text, "Second demo") {
		t.Fatalf("no consent page: %s", text)
	}
	b.shot("login-consent-there")
	b.leads(chromedp.Click("button[name=allow]", chromedp.ByQuery))
	b.wantAt("/")
	b.wantHeader("other-bob")
	b.shot("login-done")

	// admin links the same provider's alice, on a phone.
	phone := here.browse()
	phone.do(phone.size(360, 740))
	phone.open("/session/login")
	phone.shot("login-buttons-phone")
	phone.fill("admin", "only-for-the-demo")
	phone.click("main form button")
	phone.open("/account")
	phone.shot("login-account-phone")
	phone.click(".ways button")
	phone.fill("alice", "correct-horse-battery")
	phone.toConsent()
	phone.leads(chromedp.Click("button[name=allow]", chromedp.ByQuery))
	phone.wantAt("/account")
	if text := phone.text(".devices"); !strings.Contains(text, "other alice") {
		t.Errorf("text: got %s, want \"other alice\" in it", text)
	}
	var wide bool
	if phone.eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
		t.Error("the account page is wider than a phone")
	}
	phone.shot("login-linked-phone")

	// bob's account there belongs to somebody here already: it stays with them.
	b.open("/account")
	b.shot("login-account")
	b.click(".devices button")
	if text := b.text("main"); !strings.Contains(text, "last way in") {
		t.Errorf("text: got %s, want \"last way in\" in it", text)
	}
	b.shot("login-last-way")
	if status := b.open("/login/other/callback/?code=x&state=AAAAAAAAAAAAAAAAAAAAAAAAAA"); status != 400 ||
		!strings.Contains(b.text("[role=alert]"), "another browser") {
		t.Errorf("open: got %d, %s, want status 400 and \"another browser\" in it", status, b.text("main"))
	}
	b.shot("login-failed")
}
