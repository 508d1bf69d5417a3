package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestOneBrowserEndsAnother(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone, stranger := p.signIn(alice), p.signIn(alice), p.signIn(bob)
	token := "Token " + p.login(alice)
	rows := here.devices()
	if len(rows) != 3 {
		t.Fatalf("%d rows, want two sessions and a token: %v", len(rows), rows)
	}
	var current, others, tokens []row
	for _, r := range rows {
		switch {
		case r.current:
			current = append(current, r)
		case r.form.Get("kind") == "token":
			tokens = append(tokens, r)
		default:
			others = append(others, r)
		}
	}
	if len(current) != 1 || len(others) != 1 || len(tokens) != 1 {
		t.Fatalf("%d rows are marked current, %d are other sessions, %d are tokens; want one each", len(current),
			len(others), len(tokens))
	}
	if got := stranger.post("/devices", others[0].form); got.status != 303 {
		t.Errorf("another user's form: %d %s", got.status, got.body)
	}
	phone.want(200, "alice") // a stranger's form ended nothing

	if got := here.post("/devices", others[0].form); got.status != 303 || got.header.Get("Location") != "/devices" {
		t.Errorf("ending the other: %d to %q", got.status, got.header.Get("Location"))
	}
	phone.want(401, "")
	here.want(200, "alice")
	p.want(200, "GET", "/api/me", token)
	page := here.get("/devices")
	if !strings.Contains(page.body, "The session has ended.") {
		t.Error("the page does not say so")
	}
	if again := here.get("/devices"); strings.Contains(again.body, "The session has ended.") {
		t.Error("the page says so twice")
	}

	here.post("/devices", tokens[0].form)
	p.want(401, "GET", "/api/me", token)
	here.want(200, "alice")

	session := here.session()
	got := here.post("/devices", current[0].form)
	if line := got.cookie(here.name()); line != cleared(here.name()) {
		t.Errorf("ending oneself: cookie %q", line)
	}
	here.with(session).want(401, "")
}

func TestAllOthersEndAndThisOneStays(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone, stranger := p.signIn(alice), p.signIn(alice), p.signIn(bob)
	token := "Token " + p.login(alice)
	here.post("/devices", url.Values{"kind": {"others"}})
	phone.want(401, "")
	p.want(401, "GET", "/api/me", token)
	here.want(200, "alice")
	stranger.want(200, "bob")
}

// cleared is the line that makes a browser forget a cookie.
func cleared(name string) string {
	return name + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
}

func TestChangingThePasswordEndsEverythingElse(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone, stranger := p.signIn(alice), p.signIn(alice), p.signIn(bob)
	tokens := []string{"Token " + p.login(alice), "Bearer " + p.login(alice)}
	const chosen = "a lamp, a ladder and rain"
	for name, form := range map[string]struct {
		old, chosen, says string
	}{
		"a wrong old one": {"not-the-password", chosen, `"code":"password_incorrect"`},
		"one that is too short": {"correct-horse-battery", "horse",
			`"errors":[{"code":"password_too_short"`},
		"one that is common": {"correct-horse-battery", "iloveyou",
			`"errors":[{"code":"password_too_common"`},
		"one of digits, and common": {"correct-horse-battery", "12345678",
			`"errors":[{"code":"password_entirely_numeric"`},
		"the user's own name with a bit more": {"correct-horse-battery", "alice-al",
			`"errors":[{"code":"password_too_similar"`},
		"the old one again": {"correct-horse-battery", "correct-horse-battery",
			`"code":"password_unchanged"`},
	} {
		got := here.post("/session/password", url.Values{"old": {form.old}, "new": {form.chosen}}, "Accept",
			"application/json")
		if got.status != 400 || !strings.Contains(got.body, form.says) {
			t.Errorf("%s: %d %s, want 400 %s", name, got.status, got.body, form.says)
		}
	}
	for _, v := range []*visitor{here, phone} {
		v.want(200, "alice") // what was refused ended nothing
	}

	old := here.session()
	got := here.post("/session/password", url.Values{"old": {"correct-horse-battery"}, "new": {chosen}})
	if got.status != 303 || got.header.Get("Location") != "/devices?changed" {
		t.Fatalf("%d to %q: %s", got.status, got.header.Get("Location"), got.body)
	}
	if here.session() == old || here.session() == "" {
		t.Errorf("the cookie was %q and is %q", old, here.session())
	}
	here.want(200, "alice")
	here.with(old).want(401, "")
	phone.want(401, "")
	stranger.want(200, "bob")
	for _, token := range tokens {
		p.want(401, "GET", "/api/me", token)
	}
	if rows := here.devices(); len(rows) != 1 || !rows[0].current {
		t.Errorf("devices that are left: %v", rows)
	}
	if got := p.visit().logIn(alice); got.status != 401 {
		t.Errorf("the old password: %d", got.status)
	}
	p.want(401, "GET", "/api/me", alice)
	p.signIn("alice:"+chosen).want(200, "alice")
	p.want(200, "GET", "/api/me", "alice:"+chosen)
}

func TestAStaleCookieIsNoCredential(t *testing.T) {
	p := launch(t, "-db", "memory:")
	v := p.signIn(alice)
	stale := v.session()
	v.post("/session/logout", nil)
	token := p.login(bob)
	for name, c := range map[string]struct {
		cookie, authorization string
		status                int
		body                  string
		clears                bool
	}{
		"alone it is nobody, and forgotten": {stale, "", 200, `{"user":null}` + "\n", true},
		"one that never was, too":           {stale[:len(stale)-1] + "x", "", 200, `{"user":null}` + "\n", true},
		"one of another shape, too":         {"abc", "", 200, `{"user":null}` + "\n", true},
		"beside a token of Token it is nothing": {stale, "Token " + token, 200, `{"user":"bob","backend":"knox"}` +
			"\n", false},
		"beside a token of Bearer it is nothing": {stale, "Bearer " + token, 200, `{"user":"bob","backend":"knox"}` +
			"\n", false},
		"beside a bad token that one counts": {stale, "Bearer " + token[:len(token)-1], 401, "", false},
	} {
		got := v.with(c.cookie).get("/api/public", "Authorization", c.authorization)
		if got.status != c.status || c.body != "" && got.body != c.body {
			t.Errorf("%s: got status %d, %q, want %d, %q", name, got.status, got.body, c.status, c.body)
		}
		if line := got.cookie(v.name()); c.clears && line != cleared(v.name()) {
			t.Errorf("%s: cookie %q", name, line)
		}
	}
	if got := v.with(stale).get("/api/me"); got.status != 401 || got.cookie(v.name()) != cleared(v.name()) {
		t.Errorf("where somebody must be: %d, cookie %q", got.status, got.cookie(v.name()))
	}
	// Explicit comes before ambient, so a token that has ended counts, too.
	good := p.signIn(alice)
	if got := good.get("/api/public", "Authorization",
		"Bearer "+token); got.body != `{"user":"bob","backend":"knox"}`+"\n" {
		t.Errorf("a token beside the good cookie of another: %d %s", got.status, got.body)
	}
	p.want(204, "POST", "/auth/logout/", "Token "+token)
	if got := good.get("/api/public", "Authorization", "Bearer "+token); got.status != 401 {
		t.Errorf("an ended token beside a good cookie: %d %s", got.status, got.body)
	}
	good.want(200, "alice")
}

func TestAPageOfAnotherSiteCanPostNothing(t *testing.T) {
	p := launch(t, "-db", "memory:")
	here, phone := p.signIn(alice), p.signIn(alice)
	forms := map[string]url.Values{
		"/session/login":    {"username": {"bob"}, "password": {"staple-tractor-lamp"}},
		"/session/logout":   {},
		"/session/password": {"old": {"correct-horse-battery"}, "new": {"a lamp, a ladder and rain"}},
		"/devices":          {"kind": {"others"}},
		"/api/reports":      {},
	}
	for path, form := range forms {
		for name, headers := range map[string][]string{
			"a page of another site": {"Sec-Fetch-Site", "cross-site", "Origin",
				"https://evil.example"},
			"a page of another site that hides its origin": {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
			"a page of another host of the site": {"Sec-Fetch-Site", "same-site", "Origin",
				"http://127.0.0.1:1"},
			"a page in a browser without fetch metadata":  {"Origin", "https://evil.example"},
			"one that hides its origin in such a browser": {"Origin", "null"},
		} {
			got := here.post(path, form, append(headers, "Accept", "application/json")...)
			if got.status != 403 || !strings.Contains(got.body, `"code":"cross_origin"`) ||
				got.cookie(here.name()) != "" {
				t.Errorf("%s posts to %s: %d %s %q", name, path, got.status, got.body, got.cookie(here.name()))
			}
		}
	}
	here.want(200, "alice")
	phone.want(200, "alice")
	p.want(200, "GET", "/api/me", alice) // with the password of before

	for _, name := range []string{"/api/reports", "/devices", "/session/password", "/session/login",
		"/session/logout"} {
		got := here.post(name, forms[name], "Sec-Fetch-Site", "same-origin", "Origin", p.url)
		if got.status != 200 && got.status != 303 {
			t.Errorf("a page of ours posts to %s: %d %s", name, got.status, got.body)
		}
	}
}

func TestSigningInLeadsToPathsOfThisServerOnly(t *testing.T) {
	p := launch(t, "-db", "memory:")
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", "///evil.example", `/\evil.example`, `\\evil.example`,
		"/\t/evil.example", "/\n/evil.example",
		" //evil.example", "javascript:alert(1)", "data:text/html,x", "http:evil.example", "evil.example", "devices",
		"?next=/", "/ü", "/a b",
		"/devices\r\nSet-Cookie: a=b", "/\x00", "/" + strings.Repeat("a", 2000),
	} {
		v := p.visit()
		got := v.post("/session/login", url.Values{"username": {"alice"}, "password": {"correct-horse-battery"},
			"next": {next}})
		if got.status != 303 || got.header.Get("Location") != "/" {
			t.Errorf("next=%q: %d to %q, want /", next, got.status, got.header.Get("Location"))
		}
	}
	for _, next := range []string{"/devices", "/devices?changed", "/session/password", "/?a=%2F%2Fevil.example",
		"/a//b", "/%5Cevil"} {
		v := p.visit()
		got := v.post("/session/login", url.Values{"username": {"alice"}, "password": {"correct-horse-battery"},
			"next": {next}})
		if got.status != 303 || got.header.Get("Location") != next {
			t.Errorf("next=%q: %d to %q", next, got.status, got.header.Get("Location"))
		}
		if got := v.post("/session/logout", url.Values{"next": {next}}); got.status != 303 ||
			got.header.Get("Location") != next {
			t.Errorf("logout, next=%q: %d to %q", next, got.status, got.header.Get("Location"))
		}
	}
}

func TestNoRequestIsAnsweredAfterALogout(t *testing.T) {
	const rounds, clients = 8, 24
	p := launch(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "demo.db"))
	for range rounds {
		v := p.signIn(alice)
		flying := v.with(v.session())
		var out atomic.Bool
		var started, ended sync.WaitGroup
		started.Add(clients)
		faults := make(chan string, clients)
		for range clients {
			ended.Go(func() {
				for first := true; ; first = false {
					was := out.Load()
					got, err := flying.try("GET", "/api/me", "", "")
					if first {
						started.Done()
					}
					line := got.cookie(v.name())
					switch {
					case err != nil, got.status != 200 && got.status != 401, line != "" && line != cleared(v.name()):
						faults <- fmt.Sprint(got.status, " ", line, " ", got.body, err)
						return
					case was && got.status == 200:
						faults <- "200 after the logout was answered"
						return
					case first && got.status != 200:
						faults <- "401 before the logout"
						return
					case got.status == 401:
						return
					}
				}
			})
		}
		started.Wait()
		if got := v.post("/session/logout", nil); got.status != 303 || got.cookie(v.name()) != cleared(v.name()) {
			t.Errorf("logout: %d %q", got.status, got.cookie(v.name()))
		}
		out.Store(true)
		ended.Wait()
		close(faults)
		for fault := range faults {
			t.Errorf("a request during the logout: %v", fault)
		}
		flying.want(401, "")
	}
}

func TestSessionsOutliveARestartAndAKill(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "demo.db")
	p := launch(t, "-db", db)
	address, _ := url.Parse(p.url)
	kept, ended := p.signIn(alice), p.signIn(bob)
	stale := ended.session()
	ended.post("/session/logout", nil)
	back := p.visit()
	back.get("/devices?way=back")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.stop(signal)
		p = launch(t, "-db", db, "-addr", address.Host)
		kept.want(200, "alice")
		ended.with(stale).want(401, "")
	}
	// The key is beside the database, so what was sealed opens, too.
	if got := back.logIn(alice); got.header.Get("Location") != "/devices?way=back" {
		t.Errorf("the way back is lost: %q", got.header.Get("Location"))
	}
}

func TestADisabledUsersSessionIsNobodysAtOnce(t *testing.T) {
	p := launch(t, "-db", "memory:")
	v := p.signIn(bob)
	v.want(200, "bob")
	p.want(204, "POST", "/api/users/bob/disable", admin)
	v.want(401, "")
	session := v.session()
	if got := v.with(session).get("/api/public"); got.status != 200 || got.body != `{"user":null}`+"\n" ||
		got.cookie(v.name()) != cleared(v.name()) {
		t.Errorf("/api/public: %d %s, cookie %q", got.status, got.body, got.cookie(v.name()))
	}
	if got := v.with(session).get("/devices"); got.status != 303 || got.header.Get("Location") != "/session/login" {
		t.Errorf("/devices: %d to %q", got.status, got.header.Get("Location"))
	}
	if got := p.visit().logIn(bob); got.status != 401 {
		t.Errorf("signing in: %d", got.status)
	}
}

func TestWhoMustSignInFirstComesBack(t *testing.T) {
	p := launch(t, "-db", "memory:")
	for name, accept := range map[string][]string{
		"a browser": {"Sec-Fetch-Mode", "navigate"}, "a browser without fetch metadata": nil,
	} {
		v := p.visit()
		got := v.get("/devices?a=b&c", accept...)
		if got.status != 303 || got.header.Get("Location") != "/session/login" ||
			got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d to %q", name, got.status, got.header.Get("Location"))
		}
		if form := v.get("/session/login", accept...); form.status != 200 ||
			!strings.Contains(form.body, `<form class="card" method="post" action="/session/login">`) {
			t.Errorf("%s: the form: %d %s", name, form.status, form.body)
		}
		if got := v.logIn("alice:wrong-password", accept...); got.status != 401 ||
			!strings.Contains(got.body, `role="alert"`) ||
			!strings.Contains(got.body, `name="username" value="alice"`) {
			t.Errorf("%s: the form after a wrong password: %d %s", name, got.status, got.body)
		} else if got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: a challenge that makes browsers ask in a dialog: %q", name,
				got.header.Get("WWW-Authenticate"))
		}
		if got := v.logIn(alice, accept...); got.status != 303 || got.header.Get("Location") != "/devices?a=b&c" {
			t.Errorf("%s comes back to %d %q", name, got.status, got.header.Get("Location"))
		}
		if got := v.logIn(alice, accept...); got.header.Get("Location") != "/" {
			t.Errorf("%s comes back twice, to %q", name, got.header.Get("Location"))
		}
	}
	for name, headers := range map[string][]string{
		"a program":               {"Accept", "*/*"},
		"a program that asks for": {"Accept", "application/json"},
		"a script of a page":      {"Sec-Fetch-Mode", "cors"},
		"a program with a token":  {"Authorization", "Token abc"},
	} {
		got := p.visit().get("/devices", headers...)
		if got.status != 401 || got.header.Get("WWW-Authenticate") == "" || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, challenge %q, cookie %q", name, got.status, got.header.Get("WWW-Authenticate"),
				got.header.Get("Set-Cookie"))
		}
	}
}

func TestAProxyIsBelievedOnlyWhereItIsTrusted(t *testing.T) {
	proxied := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example", "Origin",
		"https://app.example"}
	behind := launch(t, "-db", "memory:", "-trust-proxy", "127.0.0.0/8").visit()
	if got := behind.logIn(alice, proxied...); got.status != 303 {
		t.Errorf("from the proxy: %d %s", got.status, got.body)
	}
	behind.want(200, "alice")
	if got := behind.post("/api/reports", nil, proxied...); got.status != 200 {
		t.Errorf("with the cookie: %d %s", got.status, got.body)
	}
	evil := append(proxied[:4:4], "Origin", "https://evil.example")
	if got := behind.post("/api/reports", nil, evil...); got.status != 403 {
		t.Errorf("a page of another site, from the proxy: %d %s", got.status, got.body)
	}
	for name, args := range map[string][]string{
		"without a proxy": {"-db", "memory:"}, "from another than the proxy": {"-db", "memory:", "-trust-proxy",
			"192.0.2.0/24"},
	} {
		v := launch(t, args...).visit()
		if got := v.logIn(alice, proxied...); got.status != 403 || v.session() != "" {
			t.Errorf("%s: got status %d, %s, want 403 and no session", name, got.status, got.body)
		}
		if got := v.logIn(alice); got.status != 303 {
			t.Errorf("%s, as itself: %d %s", name, got.status, got.body)
		}
	}
}

func TestWhatOthersWriteIsShownAsText(t *testing.T) {
	const hostile, shown = `"><script>alert('x')</script>`, `&#34;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;`
	p := launch(t, "-db", "memory:")
	if status, text := p.do("POST", "/auth/login/", "",
		`{"username":"alice","password":"correct-horse-battery","name":"\"><script>alert('x')</script>"}`); status != 200 {
		t.Fatalf("do: got %v, %v, want status 200", status, text)
	}
	v := p.visit()
	v.headers.Set("User-Agent", hostile)
	v.logIn(alice)
	for name, got := range map[string]answer{
		"a device's name and a browser's": v.get("/devices"),
		"the username of a failed login":  p.visit().logIn(hostile + ":x"),
		"the next of a failed login": p.visit().post("/session/login",
			url.Values{"username": {"alice"}, "password": {"x"}, "next": {hostile}}),
		"the next of the form": p.visit().get("/session/login?next=" + url.QueryEscape(hostile)),
	} {
		if strings.Contains(got.body, "<script>alert") || !strings.Contains(got.body, shown) {
			t.Errorf("%s: got %s, want no %q and %q in it", name, got.body, "<script>alert", shown)
		}
		if got.header.Get("Content-Type") != "text/html; charset=utf-8" ||
			got.header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(got.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
			t.Errorf("%s: got header %v, want text/html, nosniff and a Content-Security-Policy with style hashes", name,
				got.header)
		}
	}
}

func TestNoCookieIsKeptOfWhoDoesNotSignIn(t *testing.T) {
	p := launch(t, "-db", "memory:")
	for path, got := range map[string]answer{
		"/": p.visit().get("/"), "/session/login": p.visit().get("/session/login"),
		"/api/public":    p.visit().get("/api/public"),
		"a failed login": p.visit().logIn("alice:wrong-password"),
	} {
		if lines := got.header["Set-Cookie"]; len(lines) > 0 {
			t.Errorf("%s: got %q, want no lines", path, lines)
		}
	}
	v := p.visit()
	got := v.logIn(alice)
	if line := got.cookie(v.name()); v.session() == "" || line != v.name()+"="+v.session()+"; Path=/; HttpOnly; "+
		"Secure; SameSite=Lax" {
		t.Errorf("the cookie of a session: %q", line)
	}
	remembered := v.post("/session/login", url.Values{"username": {"alice"}, "password": {"correct-horse-battery"},
		"remember": {"on"}})
	line := remembered.cookie(v.name())
	if !strings.HasSuffix(line, "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("the cookie of 30 days: %q", line)
	}
}
