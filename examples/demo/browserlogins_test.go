package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// elsewhere is an application at an origin of its own.
type elsewhere struct {
	*application
	got chan url.Values // with the method as "method"
}

// serveElsewhere serves an application at a port of its own. It skips the test if the machine lacks the address.
func serveElsewhere(t *testing.T, host, id, secret string) *elsewhere {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no %s here: %v", host, err)
	}
	c := &elsewhere{newApplication(id, secret), make(chan url.Values, 16)}
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.Form.Set("method", r.Method)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>application</title><link rel="icon" href="data:,"><p id="arrived">here`)
		c.got <- r.Form
	}))
	_ = service.Listener.Close()
	service.Listener = listener
	service.Start()
	t.Cleanup(service.Close)
	c.redirect = "http://" + listener.Addr().String() + "/callback"
	return c
}

// wantArrived waits until an application got a code, and checks that it got one.
func (b *tab) wantArrived(c *elsewhere, method string) {
	b.t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case got := <-c.got:
		if got.Get("code") == "" || got.Get("state") != "xyz" || got.Get("method") != method {
			b.t.Errorf("want a code by %s, got %v", method, got)
		}
	case <-late.C:
		b.t.Fatalf("the application got nothing; the browser is at %s and complains: %q", b.at(), b.complaints())
	}
	b.do(chromedp.WaitVisible("#arrived", chromedp.ByQuery))
	if len(c.got) > 0 {
		b.t.Errorf("want one answer, got more: %v", <-c.got)
	}
}

// toConsent sends the login form, and waits for the consent page. A page between leads there by itself.
func (b *tab) toConsent() {
	b.t.Helper()
	b.do(chromedp.Click("main form button", chromedp.ByQuery, chromedp.NodeVisible),
		chromedp.WaitVisible("button[name=allow]", chromedp.ByQuery))
}

func TestUnitLoginReachesApplicationsElsewhere(t *testing.T) {
	p := launch(t, "-db", "memory:")
	b := p.browse()
	freshLogin := func(c *elsewhere, mode string) {
		b.t.Helper()
		b.do(network.ClearBrowserCookies())
		b.open(c.at("openid", "response_mode", mode))
		b.fill("alice", "correct-horse-battery")
		b.do(chromedp.Click("main form button", chromedp.ByQuery))
	}
	allow := func() { b.do(chromedp.Click("button[name=allow]", chromedp.ByQuery, chromedp.NodeVisible)) }
	for mode, method := range map[string]string{"query": "GET", "form_post": "POST"} {
		t.Run("a remembered consent after a fresh login, by "+mode, func(t *testing.T) {
			b.t = t
			c := serveElsewhere(t, "127.0.0.1", "demo-web", "demo-web-secret")
			b.do(network.ClearBrowserCookies())
			b.signIn(alice)
			b.open(c.at("openid", "response_mode", mode, "prompt", "consent"))
			allow()
			b.wantArrived(c, method)
			freshLogin(c, mode)
			b.wantArrived(c, method)
		})
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run("a program on this machine at "+host+", by "+mode, func(t *testing.T) {
				b.t = t
				c := serveElsewhere(t, host, "demo-cli", "")
				freshLogin(c, mode)
				allow()
				b.wantArrived(c, method)
			})
		}
	}
}
