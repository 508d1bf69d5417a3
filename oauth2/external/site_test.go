package external_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
	look "github.com/gatewarden/auth/page"
)

func TestSite(t *testing.T) {
	const style = "main { color: teal }"
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Pages.Site = look.Site{Home: "/", Help: "Ask us at help@example.com.", StyleSheet: style,
			Links: func(r *http.Request) []look.Link {
				if _, ok := auth.UserFrom[auth.User](r.Context()); ok {
					return []look.Link{{Text: "Sign out", URL: "/logout", Post: true}}
				}
				return []look.Link{{Text: "Sign in", URL: "/sign-in"}}
			}}
	})
	for name, c := range map[string]struct {
		b         *browser
		path      string
		has, lack string
	}{
		"an unknown provider": {a.browser(), "/login/nobody/", "Not signed in", "Sign out"},
		"the same, signed in": {a.browser().signedInAs("alice"), "/login/nobody/",
			"Signed in as <strong>alice</strong>", "Not signed in"},
		"a callback without attempt": {a.browser(), "/login/acme/callback/?state=x", `<a href="/sign-in">Sign in</a>`,
			"Sign out"},
	} {
		t.Run(name+" has the look of the application", func(t *testing.T) {
			p := c.b.do("GET", c.path, nil)
			for _, want := range []string{c.has, `<a class="brand" href="/">Test &amp; Co</a>`,
				"<style>" + style + "</style>",
				"Ask us at help@example.com."} {
				if !strings.Contains(p.body, want) {
					t.Errorf("%d, the page lacks %s: %s", p.status, want, p.body)
				}
			}
			if strings.Contains(p.body, c.lack) || !strings.Contains(p.header.Get("Content-Security-Policy"),
				look.Hash(style)) {
				t.Errorf("got %v %s, want the style of the site and its hash, and not the other one", p.header, p.body)
			}
		})
	}
	t.Run("a style sheet that ends its element is refused", func(t *testing.T) {
		_, err := external.New(external.Config{Pages: external.Pages{Site: look.Site{StyleSheet: "</style>"}}})
		if err == nil || !strings.Contains(err.Error(), "StyleSheet") {
			t.Errorf("error %v", err)
		}
	})
}
