package main

import (
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// lookAtEverythingElse looks at the pages of the library, and at those about what is not there.
func lookAtEverythingElse(p *program, b *tab, look func(name string)) {
	b.t.Helper()
	b.open("/account")
	look("account")
	b.open("/no/such/page")
	look("missing")
	b.open("/callback?code=" + url.QueryEscape("demo_ac_"+strings.Repeat("x", 40)) + "&state=xyz")
	look("callback")
	b.open("/callback?code=x%3B%20touch%20pwned%0A")
	look("callback-refused")
	b.open("/o/applications/")
	look("applications-empty")
	b.open("/o/applications/register/")
	look("register")
	b.do(chromedp.SendKeys("#name", "Photo printer", chromedp.ByQuery),
		chromedp.SendKeys("#redirect_uris", "http://127.0.0.1/callback", chromedp.ByQuery))
	b.click("main form .buttons button")
	look("secret")
	app := p.waiting(newApplication(b.text("#client_id"), b.text("#client_secret")))
	b.open("/o/applications/" + app.id + "/update/")
	look("change")
	b.open("/o/applications/")
	look("applications")
	b.open(app.at("openid profile reports:read reports:write"))
	look("consent")
	b.click("button[name=allow]")
	b.open(app.at("reports:read", "prompt", "consent"))
	look("consent-again")
	b.open("/o/authorized_tokens/")
	look("access")
	b.open("/o/authorize/?client_id=nobody")
	look("unknown-client")
	b.open("/o/logout/")
	look("logout")
	b.click("button[name=deny]")
	look("logout-denied")
	b.open("/o/logout/")
	b.click("button[name=allow]")
	look("logged-out")
}

func TestCallback(t *testing.T) {
	p := launch(t, "-db", "memory:")
	code := "demo_ac_" + strings.Repeat("x", 40)
	const shell = "x; touch pwned\n"
	for name, c := range map[string]struct {
		query    url.Values
		has, not string
	}{
		"a code is shown, and the line that redeems it": {url.Values{"code": {code}}, "-d code=" + code + "<",
			"There is no code"},
		"a login code, too": {url.Values{"login_code": {code}}, "-d login_code=" + code +
			"<", "There is no code"},
		"a code that is a command is not shown": {url.Values{"code": {shell}}, "There is no code", "pwned"},
		"nor one behind a good code": {url.Values{"code": {code + shell}},
			"There is no code", "pwned"},
		"nor one behind a line break": {url.Values{"code": {code + "\ntouch pwned"}},
			"There is no code", "pwned"},
		"nor a login code that is one": {url.Values{"login_code": {"$(touch pwned)xxxxxxxxxxxxxxxx"}},
			"There is no code", "pwned"},
		"nor a code that is too long": {url.Values{"code": {strings.Repeat("y", 129)}},
			"There is no code", "yyyy"},
		"nor a code that is too short": {url.Values{"code": {"ls"}}, "There is no code", "ls<"},
		"nor a sentence in place of an error": {url.Values{"error": {"call pwned at 555"}},
			"There is no code", "pwned"},
		"nor a sentence in place of a state": {url.Values{"code": {code}, "state": {"call pwned"}},
			code, "pwned"},
		"an error is shown": {url.Values{"error": {"access_denied"}},
			"<code>access_denied</code>", "shell"},
		"a state is shown": {url.Values{"code": {code}, "state": {"xyz.-~_1"}},
			"<code>xyz.-~_1</code>", "There is no code"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, got := range []answer{p.visit().get("/callback?" + c.query.Encode()),
				p.visit().post("/callback", c.query)} {
				_, main, _ := strings.Cut(got.body, "<main>")
				if got.status != 200 || !strings.Contains(main, c.has) || strings.Contains(main, c.not) {
					t.Errorf("Cut: got %d, %s, want status 200 and %q in it and no %q", got.status, main, c.has, c.not)
				}
			}
		})
	}
}

func TestMissingPages(t *testing.T) {
	p := launch(t, "-db", "memory:")
	alices := p.signIn(alice)
	for name, c := range map[string]struct {
		method, path string
		status       int
	}{
		"a path that nothing has":             {"GET", "/no/such/page", 404},
		"a callback without -provider":        {"GET", "/login/google/callback/", 404},
		"a login without -provider":           {"GET", "/login/google/", 404},
		"the icon":                            {"GET", "/favicon.ico", 404},
		"a part of the API that is not there": {"GET", "/api/no/such/thing", 404},
		"a path of OAuth that is not there":   {"GET", "/o/device/", 404},
		"a path without what follows it":      {"GET", "/session/", 404},
		"a method that a page does not have":  {"POST", "/account", 405},
		"a method that the API does not have": {"DELETE", "/api/me", 405},
	} {
		t.Run(name, func(t *testing.T) {
			got := alices.send(c.method, c.path, "", "")
			if got.status != c.status || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") ||
				!strings.Contains(got.body, "Signed in as <strong>alice</strong>") ||
				!strings.Contains(got.body, `href="/">See what there is`) {
				t.Errorf("a browser gets %d %v %s", got.status, got.header, got.body)
			}
			if c.status == 405 && got.header.Get("Allow") == "" {
				t.Error("nothing says which methods there are")
			}
			status, text := p.do(c.method, c.path, "", "")
			if status != c.status || !strings.HasPrefix(text, "{") || strings.Contains(text, "<") {
				t.Errorf("a program gets %d %s", status, text)
			}
		})
	}
	t.Run("a path that is not clean leads to the one that is", func(t *testing.T) {
		got := alices.get("/o//applications/")
		if got.status/100 != 3 || got.header.Get("Location") != "/o/applications/" {
			t.Errorf("got status %d, header %v, want a redirect to /o/applications/", got.status, got.header)
		}
	})
	t.Run("a slash too many is told", func(t *testing.T) {
		for path, want := range map[string]bool{"/session/login/": true, "/no/such/page/": false} {
			if status, text := p.do("POST", path, "", ""); status != 404 ||
				strings.Contains(text, "without the slash at its end") != want {
				t.Errorf("POST %s: got status %d, %s, want 404, with the advice about the slash: %v", path, status,
					text, want)
			}
		}
	})
	t.Run("a stranger is told so", func(t *testing.T) {
		if got := p.visit().get("/no/such/page"); !strings.Contains(got.body, "Not signed in") {
			t.Errorf("get: got %s, want \"Not signed in\" in it", got.body)
		}
	})
}

func TestWelcome(t *testing.T) {
	p := launch(t, "-db", "memory:")
	p.stop(syscall.SIGTERM)
	said := p.log.text()
	for _, want := range []string{p.url + "/ ", "alice, bob, carol, admin", "README.md",
		"curl -i " + p.url + "/api/public"} {
		if !strings.Contains(said, want) {
			t.Errorf("at its start it does not say %q:\n%s", want, said)
		}
	}
	for _, u := range accounts {
		if strings.Contains(said, u.Password) {
			t.Errorf("it says the password of %s", u.Name)
		}
	}
	t.Run("the README has the passwords", func(t *testing.T) {
		out, err := os.ReadFile("../../README.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range accounts {
			if !strings.Contains(string(out), u.Name) || !strings.Contains(string(out), u.Password) {
				t.Errorf("README.md lacks %s / %s", u.Name, u.Password)
			}
		}
	})
}

func TestEveryPageHasTheSameBar(t *testing.T) {
	p := launch(t, "-db", "memory:")
	v := p.signIn(alice)
	_, style, _ := strings.Cut(v.get("/").body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	for _, path := range []string{"/", "/account", "/devices", "/session/password", "/session/login",
		"/callback", "/nowhere",
		"/o/applications/", "/o/applications/register/", "/o/authorized_tokens/", "/o/authorize/?client_id=nobody"} {
		t.Run(path, func(t *testing.T) {
			got := v.get(path)
			for _, want := range []string{"<style>" + style + "</style>",
				`<a class="brand" href="/">Gatewarden demo</a>`,
				"Signed in as <strong>alice</strong>", `<a href="/account"`,
				`<form method="post" action="/session/logout">`} {
				if !strings.Contains(got.body, want) {
					t.Errorf("%d, the page lacks %.60s", got.status, want)
				}
			}
		})
	}
}

func TestHomePage(t *testing.T) {
	p := launch(t, "-db", "memory:")
	t.Run("a stranger is invited to sign in", func(t *testing.T) {
		if got := p.visit().get("/"); !strings.Contains(got.body, "with two browsers") {
			t.Errorf("get: got %s, want \"with two browsers\" in it", got.body)
		}
	})
	t.Run("a signed-in user is not", func(t *testing.T) {
		if got := p.signIn(alice).get("/"); strings.Contains(got.body, "with two browsers") ||
			!strings.Contains(got.body, `href="/account"`) {
			t.Errorf("get: got %s, want no \"with two browsers\" and %q in it", got.body, `href="/account"`)
		}
	})
	t.Run("over http it says which clients keep Secure cookies to themselves", func(t *testing.T) {
		if got := p.visit().get("/"); !strings.Contains(got.body, "The cookie is Secure") ||
			!strings.Contains(got.body, "wget") {
			t.Errorf("get: got %s, want \"The cookie is Secure\" in it and \"wget\" in it", got.body)
		}
	})
	t.Run("what is copied has neither prompts nor answers", func(t *testing.T) {
		b := p.browse()
		b.open("/")
		var copied string
		b.eval(`(() => { const all = document.querySelectorAll("pre"), range = document.createRange();
			range.selectNode(all[2]);
			getSelection().removeAllRanges(); getSelection().addRange(range);
				return getSelection().toString() })()`, &copied)
		if want := steps[1].Lines(); strings.TrimSpace(copied) != want[0].Text+"\n"+want[1].Text {
			t.Errorf("copied %q", copied)
		}
	})
}
