package server_test

import (
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// returnPath starts an authorization without a login, and returns where the login has to come back.
func (s *service) returnPath(pairs ...string) string {
	s.Helper()
	s.stranger().authorize(pairs...)
	if len(s.logins) == 0 {
		s.Fatal("want a login")
	}
	return s.logins[len(s.logins)-1].ReturnTo
}

// refreshed returns the address of a Refresh header.
func (a answer) refreshed() string {
	to, _ := strings.CutPrefix(a.Header.Get("Refresh"), "0; url=")
	return to
}

// navigates are headers of a browser that opens a page.
var navigates = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

func TestUnitContinueAfterLogin(t *testing.T) {
	s := newService(t, nil)
	framed := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	script := []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}
	for name, c := range map[string]struct {
		headers []string
		page    bool
	}{
		"a browser gets the page":               {navigates, true},
		"a frame is redirected":                 {framed, false},
		"a browser that asks for HTML gets it":  {[]string{"Accept", "text/html,*/*;q=0.8"}, true},
		"a program is redirected":               {nil, false},
		"a program that takes anything is, too": {[]string{"Accept", "*/*"}, false},
		"a script is redirected":                {script, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.as("alice").do("GET", s.returnPath("client_id", "first", "redirect_uri", "https://first.example/cb"),
				"", c.headers...)
			if got := a.StatusCode == http.StatusOK && a.refreshed() != ""; got != c.page {
				t.Errorf("want page %v, got %d %v", c.page, a.StatusCode, a.Header)
			}
			if got := a.location("code") != ""; got == c.page {
				t.Errorf("want code %v, got %v", !c.page, a.Header)
			}
		})
	}
	t.Run("the page leads on once, has no code and is not kept", func(t *testing.T) {
		b := s.as("alice")
		path := s.returnPath("client_id", "first", "redirect_uri", "https://first.example/cb")
		a := b.do("GET", path, "", navigates...)
		next := a.refreshed()
		if want := strings.Replace(path, "?", "?continued=1&", 1); next != want {
			t.Fatalf("want that it leads to %q, got %q", want, next)
		}
		if !strings.Contains(a.body, `<a class="button" href="`+html.EscapeString(next)+`">`) {
			t.Errorf("want a link to %s: %s", next, a.body)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("want %s %s, got %s", name, want, got)
			}
		}
		if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self';") {
			t.Errorf("want forms for this service alone, got %s", policy)
		}
		if strings.Contains(a.body, "Signed in as") {
			t.Errorf("want no user on the page: %s", a.body)
		}
		then := b.do("GET", next, "", navigates...)
		if then.StatusCode != http.StatusSeeOther || then.location("code") == "" {
			t.Errorf("want the code, got %d %v", then.StatusCode, then.Header)
		}
	})
	t.Run("an address that names no interaction leads to no page", func(t *testing.T) {
		for _, id := range []string{"x", "x&continued=1", url.QueryEscape("x\r\nLocation: https://evil.example")} {
			a := s.as("alice").do("GET", "/o/authorize/?interaction="+id, "", navigates...)
			if a.StatusCode != http.StatusBadRequest || a.Header.Get("Refresh") != "" {
				t.Errorf("want 400, got %d %v", a.StatusCode, a.Header)
			}
		}
	})
	t.Run("a request that needs no login leads to no page", func(t *testing.T) {
		a := s.as("alice").do("GET", "/o/authorize/?"+query("client_id", "first", "redirect_uri",
			"https://first.example/cb").Encode(), "",
			navigates...)
		if a.StatusCode != http.StatusSeeOther || a.location("code") == "" {
			t.Errorf("want the code, got %d %v", a.StatusCode, a.Header)
		}
	})
	t.Run("the application may have a page of its own", func(t *testing.T) {
		s := newService(t, func(c *server.Config) {
			c.Pages.Continue = template.Must(template.New("").Parse(`go on to {{.Next}}`))
		})
		a := s.as("alice").do("GET", s.returnPath(), "", navigates...)
		if want := "go on to " + html.EscapeString(a.refreshed()); a.body != want {
			t.Errorf("want %q, got %q", want, a.body)
		}
	})
}

func TestUnitLogoutByPOST(t *testing.T) {
	s := newService(t, nil)
	form := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {"https://web.example/bye"}, "state": {"a&b"}}
	for name, site := range map[string]string{"another site": "cross-site", "this site": "same-origin"} {
		t.Run("a browser that comes from "+name+" goes on by GET", func(t *testing.T) {
			a := s.stranger().do("POST", "/o/logout/", form.Encode(),
				append([]string{"Sec-Fetch-Site", site}, navigates...)...)
			next := a.refreshed()
			if a.StatusCode != http.StatusOK || !strings.HasPrefix(next, "/o/logout/?") {
				t.Fatalf("want a page that goes on, got %d %v", a.StatusCode, a.Header)
			}
			then := s.stranger().do("GET", next, "", navigates...)
			if got, want := then.Header.Get("Location"), "https://web.example/bye?state=a%26b"; got != want {
				t.Errorf("want to leave for %s, got %d %s", want, then.StatusCode, got)
			}
		})
	}
	t.Run("an address that is not registered leads to no page", func(t *testing.T) {
		a := s.stranger().do("POST", "/o/logout/",
			with(form, "post_logout_redirect_uri", "https://evil.example/").Encode(), navigates...)
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Refresh") != "" {
			t.Errorf("want 400, got %d %v", a.StatusCode, a.Header)
		}
	})
}
