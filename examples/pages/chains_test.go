package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// receives waits until an application got an answer, once, and its callback has led the browser on.
func (b *chainBrowser) receives(c *relyingParty, p *loginProgram, method, parameter string) {
	b.t.Helper()
	answer := b.next(c)
	if answer.path != "/callback" || answer.method != method {
		b.t.Fatalf("want %s /callback, got %s %s", method, answer.method, answer.path)
	}
	checkAnswer(b.t, p, answer.values, parameter)
	if then := b.next(c); then.path != "/done" {
		b.t.Fatalf("want that the callback leads on to /done, got %s %s", then.method, then.path)
	}
	b.run(chromedp.WaitVisible("#done", chromedp.ByQuery))
	select {
	case again := <-c.served:
		b.t.Errorf("want one answer, got another request: %s %s", again.method, again.path)
	default:
	}
}

// checkAnswer checks the parameters of an answer.
func checkAnswer(t *testing.T, p *loginProgram, values url.Values, parameter string) {
	t.Helper()
	for name, want := range map[string]string{"state": "some state", "iss": p.url, parameter: ""} {
		got := values[name]
		if len(got) != 1 || got[0] == "" || want != "" && got[0] != want {
			t.Errorf("want one %s %q, got %q", name, want, got)
		}
	}
}

// next returns the next request that an application gets.
func (b *chainBrowser) next(c *relyingParty) received {
	b.t.Helper()
	late := time.NewTimer(chainTime)
	defer late.Stop()
	select {
	case got := <-c.served:
		return got
	case <-late.C:
		var at, text string
		_ = chromedp.Run(b.ctx, chromedp.Location(&at), chromedp.Evaluate("document.body.innerText", &text))
		b.t.Fatalf("the application got no request; the browser is at %s and complains: %q\n%s", at,
			b.complaints(), text)
		return received{}
	}
}

// departure waits until the browser is sent to a private-use scheme, and returns the address.
func (b *chainBrowser) departure() string {
	b.t.Helper()
	late := time.NewTimer(chainTime)
	defer late.Stop()
	select {
	case got := <-b.location:
		return got
	case <-late.C:
		b.t.Fatalf("the browser was not sent to the application, and complains: %q", b.complaints())
		return ""
	}
}

// settle waits until the browser has said what it blocked. An address of a private-use scheme changes no page, so the
// page is still there. A form of it that a redirect leads elsewhere is blocked, too, and the browser says that last.
func (b *chainBrowser) settle() {
	b.t.Helper()
	b.run(chromedp.Evaluate(`{
		const form = document.createElement("form")
		form.method = "post"
		form.action = "`+awayPath+`"
		document.body.append(form)
		form.submit()
	}`, nil))
	late := time.NewTimer(chainTime)
	defer late.Stop()
	select {
	case <-b.settled:
	case <-late.C:
		b.t.Fatalf("want that a page blocks a form that leads elsewhere; the browser complains: %q", b.complaints())
	}
}

// leaves checks that the browser leaves for a private-use scheme with an answer, and that no page blocks that.
func (b *chainBrowser) leaves(p *loginProgram, redirect, parameter string) {
	b.t.Helper()
	uri, query, _ := strings.Cut(b.departure(), "?")
	values, err := url.ParseQuery(query)
	if err != nil || uri != redirect {
		b.t.Fatalf("want to leave for %s, got %s, %v", redirect, uri, err)
	}
	checkAnswer(b.t, p, values, parameter)
	if strings.HasPrefix(b.at(), p.url) { // it came from a page
		b.settle()
	}
}

var modes = map[string]string{"query": http.MethodGet, "form_post": http.MethodPost}

func TestUnitFormChainsReachTheClient(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	for i, c := range relyingParties(t) {
		third, first := "third-"+string(rune('a'+i)), "first-"+string(rune('a'+i))
		p.register(t, c, third, false)
		p.register(t, c, first, true)
		for mode, method := range modes {
			at := func(id string, more ...string) string {
				return p.authorize(c, id, append(more, "response_mode", mode)...)
			}
			named := " reaches " + c.kind + " by " + mode
			t.Run("the answer to a consent page after a login"+named, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(at(third, "prompt", "consent"))
				b.logIn()
				b.press("button[name=allow]")
				b.receives(c, p, method, "code")
			})
			t.Run("a remembered consent after a fresh login"+named, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(at(third))
				b.logIn()
				b.receives(c, p, method, "code")
			})
			t.Run("a refusal on the consent page"+named, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(at(third, "prompt", "consent"))
				b.logIn()
				b.press("button[name=deny]")
				b.receives(c, p, method, "error")
			})
			t.Run("a login for a first-party client"+named, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(at(first))
				b.logIn()
				b.receives(c, p, method, "code")
			})
			t.Run("a request by POST of somebody who is signed in"+named, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(at(first))
				b.logIn()
				b.receives(c, p, method, "code")
				b.open(c.origin + "/start?to=" + url.QueryEscape(at(third)))
				b.press("button")
				b.receives(c, p, method, "code")
			})
		}
	}
}

func TestUnitLogoutChainsReachTheClient(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	for i, c := range relyingParties(t) {
		id := "client-" + string(rune('a'+i))
		p.register(t, c, id, true)
		t.Run("a confirmed logout reaches "+c.kind, func(t *testing.T) {
			b := newTab(t, browser)
			b.open(p.authorize(c, id))
			b.logIn()
			b.receives(c, p, http.MethodGet, "code")
			b.open(p.url + "/o/logout/?" + fields("client_id", id, "post_logout_redirect_uri",
				c.origin+"/done").Encode())
			b.press("button[name=allow]")
			if got := b.next(c); got.path != "/done" {
				t.Errorf("want /done, got %s", got.path)
			}
			b.run(chromedp.WaitVisible("#done", chromedp.ByQuery))
		})
	}
}

func TestUnitLogoutByPOSTReachesTheClient(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	c := relyingParties(t)[0]
	p.register(t, c, "client", true)
	b := newTab(t, browser)
	b.open(c.origin + "/start?to=" + url.QueryEscape(p.url+"/o/logout/?"+
		fields("client_id", "client", "post_logout_redirect_uri", c.origin+"/done").Encode()))
	b.press("button")
	if got := b.next(c); got.path != "/done" {
		t.Errorf("want /done, got %s", got.path)
	}
	b.run(chromedp.WaitVisible("#done", chromedp.ByQuery))
}

func TestUnitTheBackButtonSkipsThePageBetween(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	c := relyingParties(t)[0]
	p.register(t, c, "client", true)
	b := newTab(t, browser)
	b.open(p.authorize(c, "client"))
	b.logIn()
	b.receives(c, p, http.MethodGet, "code")
	var entries []*page.NavigationEntry
	b.run(chromedp.NavigationEntries(new(int64), &entries))
	for _, entry := range entries {
		if strings.HasPrefix(entry.URL, p.url+"/o/") {
			t.Errorf("want no page of the server in the history, got %s", entry.URL)
		}
	}
	if len(entries) == 0 || !strings.HasSuffix(entries[len(entries)-1].URL, "/done") {
		t.Errorf("want the application last in the history, got %d entries", len(entries))
	}
}

func TestUnitFormChainsReachAPrivateUseScheme(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	c := &relyingParty{redirect: "com.example.app:/callback"}
	p.register(t, c, "third", false)
	p.register(t, c, "first", true)
	for name, id := range map[string]string{"third": "third", "first-party": "first"} {
		t.Run("a fresh login for the "+name+" client leaves the browser", func(t *testing.T) {
			b := newTab(t, browser)
			b.open(p.authorize(c, id))
			b.logIn()
			if id == "third" {
				b.press("button[name=allow]")
			}
			b.leaves(p, c.redirect, "code")
		})
	}
	t.Run("a remembered consent after a fresh login leaves the browser", func(t *testing.T) {
		b := newTab(t, browser)
		b.open(p.authorize(c, "third"))
		b.logIn()
		b.leaves(p, c.redirect, "code")
	})
	t.Run("the page that stays has a link that leaves again", func(t *testing.T) {
		b := newTab(t, browser)
		b.open(p.authorize(c, "first"))
		b.logIn()
		b.leaves(p, c.redirect, "code")
		b.press("a.button")
		b.leaves(p, c.redirect, "code")
	})
	t.Run("a refusal on the consent page leaves the browser", func(t *testing.T) {
		b := newTab(t, browser)
		b.open(p.authorize(c, "third", "prompt", "consent"))
		b.logIn()
		b.press("button[name=deny]")
		b.leaves(p, c.redirect, "error")
	})
	t.Run("a confirmed logout leaves the browser", func(t *testing.T) {
		b := newTab(t, browser)
		b.open(p.authorize(c, "third", "prompt", "consent"))
		b.logIn()
		b.run(chromedp.WaitVisible("button[name=allow]", chromedp.ByQuery))
		b.open(p.url + "/o/logout/?" + fields("client_id", "third", "post_logout_redirect_uri", c.redirect,
			"state", "some state").Encode())
		b.press("button[name=allow]")
		if got, want := b.departure(), c.redirect+"?state=some+state"; got != want {
			t.Errorf("want to leave for %s, got %s", want, got)
		}
		b.settle()
	})
	t.Run("the refusal of response_mode=form_post leaves the browser", func(t *testing.T) {
		b := newTab(t, browser)
		b.sentAway(p.authorize(c, "third", "response_mode", "form_post"))
		b.leaves(p, c.redirect, "error")
	})
}
