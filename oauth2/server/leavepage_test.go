package server_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// withDeveloper is a service with a client that the user bob registered.
func withDeveloper(t *testing.T) *service {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "bobs", ClientName: "Bob & Co", Owner: "bob",
		RedirectURIs:           []string{"https://phish.example/login"},
		PostLogoutRedirectURIs: []string{"https://phish.example/bye"}})
	return s
}

// asks wants a page that leads to the client, and to nowhere by itself. It returns the link, or "".
func asks(t *testing.T, a answer, status int) string {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != "" || a.Header.Get("Refresh") != "" ||
		strings.Contains(a.body, "<script") ||
		!strings.Contains(a.body, "Bob &amp; Co") || !strings.Contains(a.body, "<b>phish.example</b>") {
		t.Errorf("got %d %v %s, want a page that asks", a.StatusCode, a.Header, a.body)
	}
	_, link, _ := strings.Cut(a.body, `<a class="button second" href="`)
	link, _, _ = strings.Cut(link, `"`)
	return html.UnescapeString(link)
}

func TestUnitNoOpenRedirector(t *testing.T) {
	s := withDeveloper(t)
	of := func(pairs ...string) []string {
		return append([]string{"client_id", "bobs", "redirect_uri", "https://phish.example/login"}, pairs...)
	}
	silent := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	faults := map[string][]string{
		"no response_type": {"response_type", "-"}, "a scope": {"scope", "admin"}, "no PKCE": {"code_challenge", "-"},
		"an unknown prompt": {"prompt", "create"}, "a resource": {"resource", "https://unknown.example/"},
		"a state": {"state", "\x01"}, "a request object": {"request", "x"},
	}
	for name, pairs := range faults {
		t.Run(name+" of a developer's client asks a stranger, and sends back a user", func(t *testing.T) {
			link := asks(t, s.stranger().authorize(of(pairs...)...), http.StatusBadRequest)
			u, err := url.Parse(link)
			if err != nil || u.Host != "phish.example" || u.Query().Get("error") == "" ||
				u.Query().Get("iss") != s.http.URL {
				t.Errorf("got the link %q, want one to the client with the error", link)
			}
			asks(t, s.stranger().do("POST", "/o/authorize/", query(of(pairs...)...).Encode()), http.StatusBadRequest)
			for _, id := range []string{"alice", "bob"} {
				if a := s.as(id).authorize(of(pairs...)...); a.StatusCode != http.StatusSeeOther ||
					a.location("error") == "" {
					t.Errorf("got %d %v for %s, want the error at the client", a.StatusCode, a.Header, id)
				}
			}
			sent(t, s, "an operator's client", s.stranger().authorize(pairs...),
				s.as("alice").authorize(pairs...).location("error"))
		})
	}
	t.Run("a silent request asks where a page can be shown, and is answered in a frame and to a program",
		func(t *testing.T) {
			address := "/o/authorize/?" + query(of("prompt", "none")...).Encode()
			link := asks(t, s.stranger().do("GET", address, "", navigates...), http.StatusBadRequest)
			if !strings.Contains(link, "error=login_required") || !strings.Contains(link, "state=xyz") {
				t.Errorf("got the link %q", link)
			}
			for _, headers := range [][]string{silent, nil} {
				if a := s.stranger().do("GET", address, "", headers...); a.location("error") != "login_required" {
					t.Errorf("got %d %v, want login_required", a.StatusCode, a.Header)
				}
			}
		})
	t.Run("an answer by form_post waits for its button", func(t *testing.T) {
		a := s.stranger().authorize(of("scope", "admin", "response_mode", "form_post")...)
		asks(t, a, http.StatusBadRequest)
		if values := fields(a.body); values.Get("error") != "invalid_scope" || values.Get("state") != "xyz" ||
			!strings.Contains(a.body, `<form method="post" action="https://phish.example/login">`) ||
			!strings.Contains(a.Header.Get("Content-Security-Policy"), "form-action 'self' https:") {
			t.Errorf("got %v %s", values, a.body)
		}
	})
	t.Run("a private-use scheme has a link", func(t *testing.T) {
		s.add(server.Registration{ClientID: "native", ClientName: "Bob & Co", Owner: "bob",
			RedirectURIs:            []string{"com.example.bob:/cb"},
			TokenEndpointAuthMethod: "none"})
		a := s.stranger().authorize("client_id", "native", "redirect_uri", "com.example.bob:/cb", "scope", "admin")
		if a.StatusCode != http.StatusBadRequest ||
			!strings.Contains(a.body, `href="com.example.bob:/cb?error=invalid_scope`) {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
	t.Run("a good request asks for the login, as ever", func(t *testing.T) {
		if a := s.stranger().authorize(of()...); a.StatusCode != http.StatusSeeOther ||
			!strings.HasPrefix(a.Header.Get("Location"), "/login?") {
			t.Errorf("got %d %v", a.StatusCode, a.Header)
		}
	})
	t.Run("an outage is told to the client", func(t *testing.T) {
		keys := &brokenKeys{KeySource: s.keys}
		s := newService(t, func(c *server.Config) { c.Keys = keys })
		s.add(
			server.Registration{ClientID: "bobs", Owner: "bob", RedirectURIs: []string{"https://phish.example/login"}})
		keys.off = true
		if a := s.stranger().authorize(of("id_token_hint", "x.y.z")...); a.location(
			"error") != "temporarily_unavailable" {
			t.Errorf("got %d %v", a.StatusCode, a.Header)
		}
	})
}

func TestUnitLogoutIsNoOpenRedirector(t *testing.T) {
	s := withDeveloper(t)
	address := func(more string) string {
		return "/o/logout/?client_id=bobs&state=s&post_logout_redirect_uri=https%3A%2F%2Fphish.example%2Fbye" + more
	}
	const bye = "https://phish.example/bye?state=s"
	hint := func(id string) string {
		code := s.as(id).code("client_id", "bobs", "redirect_uri", "https://phish.example/login")
		tokens := s.post("/o/token/", "bobs", "grant_type", "authorization_code", "code", code, "redirect_uri",
			"https://phish.example/login", "code_verifier", verifier)
		return "&id_token_hint=" + tokens.text("id_token")
	}
	t.Run("a stranger is asked, with a hint too", func(t *testing.T) {
		for _, more := range []string{"", hint("bob")} {
			if link := asks(t, s.stranger().do("GET", address(more), ""), http.StatusOK); link != bye {
				t.Errorf("got the link %q, want %q", link, bye)
			}
		}
	})
	t.Run("a user with a hint is signed out and sent on", func(t *testing.T) {
		if a := s.as("alice").do("GET", address(hint("alice")), ""); a.Header.Get("Location") != bye {
			t.Errorf("got %d %v %s", a.StatusCode, a.Header, a.body)
		}
	})
	t.Run("so is a user who agreed", func(t *testing.T) {
		page := s.as("alice").do("GET", address(""), "")
		a := s.as("alice").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode())
		if a.Header.Get("Location") != bye {
			t.Errorf("got %d %v %s", a.StatusCode, a.Header, a.body)
		}
	})
	t.Run("a stranger of the operator's client is sent on", func(t *testing.T) {
		a := s.stranger().do("GET", "/o/logout/?client_id=web&post_logout_redirect_uri=https%3A%2F%2Fweb.example%2Fbye",
			"")
		if a.Header.Get("Location") != "https://web.example/bye" {
			t.Errorf("got %d %v", a.StatusCode, a.Header)
		}
	})
}
