package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// back is where an application waits in the demo: its own page of callbacks.
func (p *program) waiting(a *application) *application {
	address, _ := url.Parse(p.url)
	a.redirect = "http://127.0.0.1:" + address.Port() + "/callback"
	return a
}

func TestInABrowserAnApplicationIsRegisteredLetInAndPutOut(t *testing.T) {
	p := launch(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "demo.db"), "-addr", freePort(t))
	b := p.browse()

	// A visitor that opens a page of users signs in first, and comes to it.
	if status := b.open("/o/applications/register/"); status != 200 {
		t.Fatalf("open: got %d, want status 200", status)
	}
	b.fill("bob", "staple-tractor-lamp")
	b.click("main form button")
	b.wantAt("/o/applications/register/")
	b.shot("oauth-register")
	b.do(chromedp.SendKeys("#name", "Photo printer", chromedp.ByQuery),
		chromedp.SendKeys("#redirect_uris", "http://127.0.0.1/callback", chromedp.ByQuery))
	if status := b.click("main form .buttons button"); status != 200 {
		t.Fatalf("register: %d %s", status, b.text("main"))
	}
	app := p.waiting(newApplication(b.text("#client_id"), b.text("#client_secret")))
	b.shot("oauth-secret")
	if len(app.secret) != 43 {
		t.Fatalf("secret %q", app.secret)
	}
	b.open("/o/applications/" + app.id + "/")
	if text := b.text("main"); strings.Contains(text, app.secret) || !strings.Contains(text, "Photo printer") {
		t.Errorf("text: got %s, want no %q and \"Photo printer\" in it", text, app.secret)
	}
	b.open("/o/applications/register/")
	b.do(chromedp.SendKeys("#name", "Bad", chromedp.ByQuery),
		chromedp.SendKeys("#redirect_uris", "http://elsewhere.example/", chromedp.ByQuery))
	if status := b.click("main form .buttons button"); status != 400 || !strings.Contains(b.text("[role=alert]"),
		"redirect URI") {
		t.Errorf("click: got %d, %s, want status 400 and \"redirect URI\" in it", status, b.text("main"))
	}
	b.shot("oauth-register-fault")

	// Alice has a phone. She is asked to sign in, then whether she agrees.
	phone := p.browse()
	phone.do(phone.size(360, 740))
	phone.open(app.at("openid profile reports:read reports:write"))
	phone.fill("alice", "correct-horse-battery")
	phone.toConsent()
	if text := phone.text("main"); !strings.Contains(text, "Photo printer") ||
		!strings.Contains(text, "read your reports") || !strings.Contains(text, "127.0.0.1:") {
		t.Errorf("the consent page says %s", text)
	}
	phone.shot("oauth-consent-phone")
	var wide bool
	if phone.eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
		t.Error("the consent page is wider than a phone")
	}
	if status := phone.click("button[name=deny]"); status != 200 || !strings.Contains(phone.text("main"),
		"access_denied") {
		t.Errorf("deny: %d %s", status, phone.text("main"))
	}
	// By keyboard alone.
	phone.open(app.at("openid profile reports:read reports:write"))
	var focused string
	for range 8 { // past the bar
		phone.do(chromedp.KeyEvent(kb.Tab))
		if phone.eval("document.activeElement.name || ''", &focused); focused == "allow" {
			break
		}
	}
	if focused != "allow" {
		t.Fatalf("the keyboard does not reach the button, but %q", focused)
	}
	phone.shot("oauth-consent-keyboard")
	if status := phone.leads(chromedp.KeyEvent(kb.Enter)); status != 200 {
		t.Fatalf("allow: %d %s", status, phone.text("main"))
	}
	phone.shot("oauth-callback")
	tokens := p.redeem(200, app, phone.text("#code"))
	p.want(200, "GET", "/api/me", "Bearer "+tokens.Access)

	// She sees what it may do, and ends it.
	phone.open("/o/authorized_tokens/")
	phone.shot("oauth-authorized")
	if text := phone.text(".application"); !strings.Contains(text, "Photo printer") ||
		!strings.Contains(text, "change your reports") {
		t.Errorf("text: got %s, want \"Photo printer\" in it and \"change your reports\" in it", text)
	}
	phone.click(".application button")
	phone.wantAt("/o/authorized_tokens/")
	if text := phone.text("main"); !strings.Contains(text, "No application has access") {
		t.Errorf("text: got %s, want \"No application has access\" in it", text)
	}
	p.want(401, "GET", "/api/me", "Bearer "+tokens.Access)

	// Signing out at an application's request asks first.
	phone.open("/o/logout/")
	phone.shot("oauth-logout")
	phone.click("button[name=deny]")
	phone.open("/o/logout/")
	phone.click("button[name=allow]")
	if text := phone.text("main"); !strings.Contains(text, "You are signed out") {
		t.Errorf("text: got %s, want \"You are signed out\" in it", text)
	}
	phone.open("/")
	phone.wantHeader("")

	// An error that can be told to no application.
	if status := phone.open("/o/authorize/?client_id=nobody"); status != 400 {
		t.Errorf("open: got %d, want status 400", status)
	}
	phone.shot("oauth-error")
	b.open("/o/applications/")
	b.shot("oauth-applications")
	b.open("/o/applications/" + app.id + "/")
	b.click("button.danger")
	if text := b.text("main"); strings.Contains(text, "Photo printer") {
		t.Errorf("text: got %s, want no \"Photo printer\"", text)
	}
}

func TestInABrowserAnAnswerByPOSTGoesOnByItself(t *testing.T) {
	p := launch(t, "-db", "memory:")
	app := p.waiting(newApplication("demo-web", "demo-web-secret"))
	b := p.browse()
	b.open("/session/login")
	b.fill("alice", "correct-horse-battery")
	b.click("main form button")
	b.open(app.at("openid", "response_mode", "form_post"))
	b.leads(chromedp.Click("button[name=allow]", chromedp.ByQuery))
	// The page submits itself: what asks in that moment is told that the page is gone.
	for range 250 {
		var path string
		if err := chromedp.Run(b.ctx, chromedp.Evaluate("location.pathname", &path)); err == nil &&
			path == "/callback" {
			break
		}
		b.do(chromedp.Sleep(20 * time.Millisecond))
	}
	b.wantAt("/callback")
}

// shot takes a screenshot, for people that look at pages.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("GATEWARDEN_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	b.do(chromedp.FullScreenshot(&picture, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
