package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/page"
)

// site is what the application has around its pages.
var site = page.Site{Home: "/", Help: "Ask us at help@example.com.", StyleSheet: "main { color: teal }",
	Links: func(r *http.Request) []page.Link {
		if _, ok := auth.UserFrom[auth.User](r.Context()); ok {
			return []page.Link{{Text: "Account", URL: "/account"}, {Text: "Sign out", URL: "/logout", Post: true}}
		}
		return []page.Link{{Text: "Sign in", URL: "/login"}}
	}}

func TestSite(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Pages.Site = site })
	const mine, strangers = `<a href="/account">Account</a>`, `<a href="/login">Sign in</a>`
	for name, c := range map[string]struct {
		path, user string
		status     int
		has, not   string
	}{
		"the applications with access":      {"/o/authorized_tokens/", "alice", 200, mine, strangers},
		"the user's own applications":       {"/o/applications/", "alice", 200, mine, strangers},
		"the form of a new application":     {"/o/applications/register/", "alice", 200, mine, strangers},
		"an unknown client, signed in":      {"/o/authorize/?client_id=evil", "alice", 400, mine, strangers},
		"an unknown client, signed out":     {"/o/authorize/?client_id=evil", "", 400, strangers, mine},
		"an application of somebody else's": {"/o/applications/web/", "alice", 404, mine, strangers},
	} {
		t.Run(name+" has the navigation and the style of the application", func(t *testing.T) {
			b := s.stranger()
			if c.user != "" {
				b = s.as(c.user)
			}
			p := b.do("GET", c.path, "")
			if p.StatusCode != c.status || !strings.Contains(p.body, c.has) || strings.Contains(p.body, c.not) {
				t.Errorf("%d %s", p.StatusCode, p.body)
			}
			if !strings.Contains(p.body, `<a class="brand" href="/">Example</a>`) ||
				!strings.Contains(p.body, "<style>main { color: teal }</style>") ||
				!strings.Contains(p.Header.Get("Content-Security-Policy"), page.Hash("main { color: teal }")) {
				t.Errorf("no brand or style: %v %s", p.Header, p.body)
			}
			helps := strings.Contains(p.body, "Ask us at help@example.com.") &&
				strings.Contains(p.body, "Go to Example")
			if p.StatusCode >= 400 && !helps {
				t.Errorf("the error lacks the help or the way home: %s", p.body)
			}
		})
	}
	t.Run("who stays signed in is told so without an error", func(t *testing.T) {
		b := s.as("alice")
		p := b.do("POST", "/o/logout/", fields(b.do("GET", "/o/logout/", "").body).Encode())
		if p.StatusCode != 200 || !strings.Contains(p.body, "<h1>Nothing has changed</h1>") ||
			strings.Contains(p.body, "did not work") || strings.Contains(p.body, server.CodeAccessDenied) {
			t.Errorf("%d %s", p.StatusCode, p.body)
		}
	})
	t.Run("the page that says goodbye shows no user", func(t *testing.T) {
		b := s.as("alice")
		asked := fields(b.do("GET", "/o/logout/", "").body)
		asked.Set("allow", "Sign out")
		p := b.do("POST", "/o/logout/", asked.Encode())
		if p.StatusCode != 200 || !strings.Contains(p.body, "You are signed out") ||
			!strings.Contains(p.body, strangers) {
			t.Errorf("%d %s", p.StatusCode, p.body)
		}
	})
	t.Run("users that are down leave the error without navigation", func(t *testing.T) {
		s.users.down.Store(true)
		defer s.users.down.Store(false)
		p := s.as("alice").do("GET", "/o/authorize/?client_id=evil", "")
		if p.StatusCode != 400 || strings.Contains(p.body, "<nav") || !strings.Contains(p.body, "Go to Example") {
			t.Errorf("%d %s", p.StatusCode, p.body)
		}
	})
	t.Run("a page that asks has the user, and one form", func(t *testing.T) {
		b := s.as("alice")
		asked := b.authorize("response_mode", "form_post")
		for action, p := range map[string]answer{
			"/o/authorize/":                    asked,
			"/o/logout/":                       b.do("GET", "/o/logout/", ""),
			"https://web.example/callback?a=b": b.allow(asked),
		} {
			if strings.Count(p.body, "<form ") != 1 || !strings.Contains(p.body, `action="`+action+`"`) ||
				!strings.Contains(p.body, "Signed in as <strong>alice") || strings.Contains(p.body, mine) {
				t.Errorf("%s: %d %s", action, p.StatusCode, p.body)
			}
		}
	})
	t.Run("a style sheet that ends its element is refused", func(t *testing.T) {
		config := s.config
		config.Pages.Site.StyleSheet = "</style>"
		if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), "StyleSheet") {
			t.Errorf("error %v", err)
		}
	})
}
