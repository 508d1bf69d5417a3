package external_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// byForm has acme answer by POST.
func byForm(a *app, c *external.Config) {
	acme := a.acme()
	acme.FormPost = true
	c.Providers = []external.Provider{acme}
}

func TestUnitAnswersByPOST(t *testing.T) {
	t.Run("a link is for the user that is still signed in when the answer comes", func(t *testing.T) {
		for sentence, row := range map[string]struct {
			meanwhile func(*browser)
			status    int
			reason    string
		}{
			"alice stays":     {func(*browser) {}, 200, ""},
			"bob signs in":    {func(b *browser) { b.signedInAs("bob") }, 403, "sign_in"},
			"alice signs out": {func(b *browser) { b.dropAllBut("__Host-login-") }, 403, "sign_in"},
			"alice is shut out": {func(b *browser) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.users["alice"].active = false
			}, 403, "inactive"},
			"the browser loses state": {func(b *browser) { b.dropAllBut("__Host-sessionid") }, 400, "expired"},
		} {
			for _, name := range []string{"apple", "acme"} {
				a := preset(t, "apple", nil)
				if name == "acme" {
					a = newApp(t, byForm)
				}
				b := a.browser().signedInAs("alice")
				back := b.next(b.do("POST", "/login/"+name+"/link/", nil))
				row.meanwhile(b)
				p := b.follow(back)
				if p.status != row.status || p.reason() != row.reason {
					t.Errorf("%s, %s: got %d %q, want %d %q: %s", name, sentence, p.status, p.reason(), row.status,
						row.reason, a.log)
				}
				if linked := len(a.identities("alice")) + len(a.identities("bob")); linked != 0 && row.status != 200 ||
					row.status == 200 && len(a.identities("alice")) != 1 {
					t.Errorf("%s, %s: got %d identities", name, sentence, linked)
				}
			}
		}
	})
	t.Run("a login ends the session that the browser had", func(t *testing.T) {
		a := newApp(t, byForm)
		b := a.browser().signedInAs("alice")
		before := b.client.Jar.Cookies(mustURL(a.url))
		if b.visit("/login/acme/"); b.who() != "acme-1" {
			t.Fatalf("got %q: %s", b.who(), a.log)
		}
		old := a.browser()
		old.client.Jar.SetCookies(mustURL(a.url), before)
		if old.who() != "" {
			t.Errorf("the session of before is still good: %q", old.who())
		}
	})
	t.Run("the address has nothing of the answer that can be read, and is good once and for its browser",
		func(t *testing.T) {
			a := newApp(t, byForm)
			b := a.browser()
			back := b.away("/login/acme/")
			relay := b.next(back)
			code := url.Values{}
			for _, found := range input.FindAllStringSubmatch(back.body, -1) {
				code.Set(found[1], found[2])
			}
			to := mustURL(relay.location)
			if relay.status != http.StatusSeeOther || to.Path != "/login/acme/callback/" || len(to.Query()) != 1 ||
				code.Get("code") == "" || strings.Contains(relay.location, code.Get("code")) ||
				strings.Contains(relay.location, code.Get("state")) ||
				relay.header.Get("Cache-Control") != "no-store" ||
				relay.header.Get("Referrer-Policy") != "no-referrer" || len(relay.header["Set-Cookie"]) != 0 {
				t.Errorf("got %d %s %v", relay.status, relay.location, relay.header)
			}
			if n := len(a.idp.TokenRequests()); n != 0 {
				t.Errorf("the code was sent %d times before the browser came back", n)
			}
			twice := b.next(back) // a form that is sent twice
			other := a.browser()
			other.away("/login/acme/")
			other.wants("another browser", other.do("GET", relay.location, nil), 400, "expired")
			if p := b.follow(relay); p.status != 200 || b.who() != "acme-1" {
				t.Errorf("got %d %s: %s", p.status, p.reason(), a.log)
			}
			for _, again := range []page{relay, twice} {
				b.wants("again", b.do("GET", again.location, nil), 400, "expired")
			}
			if n := len(a.idp.TokenRequests()); n != 1 || a.logged() != 1 {
				t.Errorf("got %d codes sent, and %d logins, want 1", n, a.logged())
			}
		})
	t.Run("of many GETs with one answer one signs in", func(t *testing.T) {
		a := newApp(t, byForm)
		b := a.browser()
		relay := b.next(b.away("/login/acme/"))
		cookies := b.client.Jar.Cookies(mustURL(a.url))
		ends := make(chan int, 8)
		for range cap(ends) {
			c := a.browser()
			c.client.Jar.SetCookies(mustURL(a.url), cookies)
			go func() { ends <- c.do("GET", relay.location, nil).status }()
		}
		good := 0
		for range cap(ends) {
			if <-ends == http.StatusSeeOther {
				good++
			}
		}
		if good != 1 || a.logged() != 1 {
			t.Errorf("got %d, want 1", good)
		}
	})
	t.Run("what is no answer of ours is refused", func(t *testing.T) {
		a := newApp(t, func(a *app, c *external.Config) {
			byForm(a, c)
			other := c.Providers[0].(external.OIDC)
			other.Name, other.ClientID = "other", "another"
			c.Providers = append(c.Providers, other)
		})
		b := a.browser()
		relay := b.next(b.away("/login/acme/"))
		for sentence, row := range map[string]struct{ method, to, reason, why string }{
			"none":          {"GET", "/login/acme/callback/", "invalid_request", "FormPost"},
			"a plain one":   {"GET", "/login/acme/callback/?state=x&code=y", "invalid_request", "FormPost"},
			"one by GET":    {"GET", "/login/acme/callback/?error=access_denied", "invalid_request", "access_denied"},
			"a changed one": {"GET", relay.location + "A", "invalid_request", "cannot be opened"},
			"two":           {"GET", relay.location + "&answer=x", "invalid_request", "repeated"},
			"another's": {"GET", strings.Replace(relay.location, "acme", "other", 1), "invalid_request",
				"cannot be opened"},
			"a bad query":    {"GET", "/login/acme/callback/?%", "invalid_request", "badly encoded"},
			"another method": {"PUT", relay.location, "method_not_allowed", "GET, POST"},
		} {
			p := b.do(row.method, row.to, nil)
			if p.reason() != row.reason || !strings.Contains(a.log.String(), row.why) {
				t.Errorf("%s: got %d %s, want %s: %s", sentence, p.status, p.reason(), row.reason, a.log)
			}
		}
		if p := b.follow(relay); p.status != 200 {
			t.Errorf("the good one afterwards: %d %s", p.status, a.log)
		}
	})
	t.Run("an answer that is long for a URL is cut to what is needed, and refused if that is long", func(t *testing.T) {
		for name, row := range map[string]struct {
			bytes  int
			status int
		}{"session_state": {60_000, 200}, "user": {60_000, 200}, "error_description": {60_000, 403},
			"code": {6_000, 400}} {
			a := newApp(t, byForm)
			a.idp.SetQuirks(authtest.Quirks{Deny: name == "error_description", Answer: func(v url.Values) {
				v.Set(name, strings.Repeat("x", row.bytes))
			}})
			b := a.browser()
			p := b.follow(b.away("/login/acme/"))
			if p.status != row.status || len(p.at) > 8000 {
				t.Errorf("%s: got %d at %d bytes, want %d: %s", name, p.status, len(p.at), row.status, a.log)
			}
		}
	})
	t.Run("an answer is good for a minute", func(t *testing.T) {
		a := newApp(t, byForm)
		b := a.browser()
		state := mustURL(b.do("GET", "/login/acme/", nil).location).Query().Get("state")
		late := a.logins.AnswerAt("acme", url.Values{"state": {state}, "code": {"x"}}, -external.RelayTTL)
		b.wants("late", b.do("GET", "/login/acme/callback/?answer="+late, nil), 400, "expired")
		if !strings.Contains(a.log.String(), "a minute") {
			t.Errorf("the log does not say why: %s", a.log)
		}
	})
}

func TestUnitALongAnswerByPOSTArrives(t *testing.T) {
	for name, sizes := range map[string][]int{"session_state": {2700, 2900, 4500, 5200}, "code": {2900, 3000, 4000}} {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s of %d bytes", name, size), func(t *testing.T) {
				a := newApp(t, byForm)
				a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set(name, strings.Repeat("x", size)) }})
				b := a.browser()
				p := b.follow(b.away("/login/acme/"))
				if p.reason() == "invalid_request" {
					t.Errorf("the answer did not arrive: %s", a.log)
				}
				if name != "code" && p.status != http.StatusOK {
					t.Errorf("status %d, want 200: %s", p.status, a.log)
				}
			})
		}
	}
}
