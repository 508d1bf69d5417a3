package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// looks takes pictures of a page in two widths and two schemes, and wants it to fit.
func (b *tab) looks(name string) {
	b.t.Helper()
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
			b.do(b.size(width, 844), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{feature}))
			var wide bool
			if b.eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
				b.t.Errorf("%s is wider than a window of %d", name, width)
			}
			b.shot(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
}

func TestUnitPagesTellWhereScopesAreForInABrowser(t *testing.T) {
	const byJWT, byIntrospection = "http://127.0.0.1:8001/", "http://127.0.0.1:8002/"
	p := launch(t, "-db", "memory:")
	app := p.waiting(newApplication("demo-web", "demo-web-secret"))
	b := p.browse()
	b.open("/session/login")
	b.fill("alice", "correct-horse-battery")
	b.click("main form button")
	wants := func(parts ...string) {
		t.Helper()
		text := strings.Join(strings.Fields(b.text("main")), " ")
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("got %q, want %q in it", text, part)
			}
		}
	}
	t.Run("one scope at one API is one sentence", func(t *testing.T) {
		b.open(app.at("reports:read", "resource", byJWT))
		wants("It will be able to read your reports at Reports by JWT.")
		b.looks("consent-one")
		b.click("button[name=allow]")
	})
	t.Run("what was allowed at one API is asked for at another one", func(t *testing.T) {
		b.open(app.at("reports:write", "resource", byIntrospection))
		b.click("button[name=allow]")
		b.open(app.at("reports:write", "resource", byJWT))
		wants("It will be able to change your reports at Reports by JWT.")
		b.do(chromedp.WaitVisible("button[name=deny]", chromedp.ByQuery))
	})
	t.Run("each API has its list", func(t *testing.T) {
		b.open(app.at("openid email reports:read reports:write", "resource", byJWT) + "&resource=" + byIntrospection)
		wants("It will be able to: know who you are see your e-mail address",
			"At Reports by JWT it will be able to: read your reports (allowed before) change your reports",
			"At Reports by introspection it will be able to: read your reports change your reports (allowed before)")
		b.looks("consent-several")
		b.click("button[name=allow]")
	})
	t.Run("APIs with the same scopes have one list, and the page of applications tells the same", func(t *testing.T) {
		b.open(app.at("reports:read", "resource", p.url) + "&prompt=consent")
		b.click("button[name=allow]")
		b.open("/o/authorized_tokens/")
		wants("It can: know who you are see your e-mail address At Gatewarden demo it can: read your reports",
			"At Reports by JWT, Reports by introspection it can: read your reports change your reports")
		b.looks("authorized-several")
	})
}
