package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// byPOST are the addresses to which a logout by POST of another site leads, for a browser and for a program.
func byPOST(s *service, form url.Values) (addresses []string) {
	a := s.stranger().do("POST", "/o/logout/", form.Encode(), append([]string{"Sec-Fetch-Site", "cross-site"},
		navigates...)...)
	b := s.stranger().do("POST", "/o/logout/", form.Encode(), "Sec-Fetch-Site", "cross-site")
	if a.StatusCode != http.StatusOK || b.StatusCode != http.StatusSeeOther {
		s.Fatalf("got %d %s and %d %s, want ways on", a.StatusCode, a.body, b.StatusCode, b.body)
	}
	return []string{a.refreshed(), b.Header.Get("Location")}
}

func TestUnitALogoutByPOSTIsSealed(t *testing.T) {
	s := newService(t, nil)
	hint := s.tokens("alice").text("id_token")
	form := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://web.example/bye"},
		"state": {"my-state"}}
	t.Run("no parameter of it is in the address", func(t *testing.T) {
		for _, to := range byPOST(s, with(url.Values{}, "id_token_hint", hint, "a\r\nSet-Cookie: x", "v", "b#c", "v",
			"x&client_id", "v", "state", "my-state", "post_logout_redirect_uri", "https://web.example/bye")) {
			u, err := url.Parse(to)
			if err != nil || u.Path != "/o/logout/" || u.Fragment != "" || len(u.Query()) != 1 ||
				!u.Query().Has("interaction") {
				t.Errorf("got %q, want one parameter alone", to)
			}
			if strings.Contains(to, hint) || strings.Contains(to, "my-state") {
				t.Errorf("got what was sent by POST in %q", to)
			}
			if len(to) > 4096 {
				t.Errorf("got an address of %d bytes", len(to))
			}
		}
	})
	t.Run("it ends the session of its hint, and no other", func(t *testing.T) {
		for _, to := range byPOST(s, form) {
			if a := s.as("bob").do("GET", to, ""); a.StatusCode != http.StatusOK || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("of another user: got %d, want a question", a.StatusCode)
			}
			a := s.as("alice").do("GET", to, "")
			if a.Header.Get("Location") != "https://web.example/bye?state=my-state" ||
				a.Header.Get("Set-Cookie") == "" {
				t.Errorf("got %d %v", a.StatusCode, a.Header)
			}
		}
	})
	t.Run("one that was changed is refused", func(t *testing.T) {
		to := byPOST(s, form)[0]
		for _, bad := range []string{to[:len(to)-3], "/o/logout/?interaction=x",
			strings.Replace(s.returnPath(), "authorize", "logout", 1)} {
			if a := s.as("alice").do("GET", bad, ""); a.StatusCode != http.StatusBadRequest ||
				a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%.40s: got %d, want 400", bad, a.StatusCode)
			}
		}
	})
	t.Run("the name of a parameter is text", func(t *testing.T) {
		for _, name := range []string{"a\x00b", "\xff"} {
			body := url.Values{name: {"v"}}.Encode()
			for _, path := range []string{"/o/logout/", "/o/authorize/"} {
				if a := s.stranger().do("POST", path, body); a.StatusCode != http.StatusBadRequest {
					t.Errorf("%q to %s: got %d, want 400", name, path, a.StatusCode)
				}
			}
		}
	})
}

func TestUnitAKeptLogoutExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		post, get := logoutOf(t)
		to := post(url.Values{"client_id": {"web"}})
		time.Sleep(29 * time.Minute)
		if status := get(to); status != http.StatusOK {
			t.Errorf("after 29 minutes: got %d, want 200", status)
		}
		time.Sleep(time.Minute)
		if status := get(to); status != http.StatusBadRequest {
			t.Errorf("after 30 minutes: got %d, want 400", status)
		}
	})
}

func TestUnitALogoutIsBounded(t *testing.T) {
	s := newService(t, nil)
	const q = "/o/logout/?client_id=web&post_logout_redirect_uri=https%3A%2F%2Fweb.example%2Fbye&state="
	for name, state := range map[string]string{"long": strings.Repeat("%3C", 5000),
		"of control characters": "a%01%0d%0ab"} {
		t.Run("a state that is "+name+" is refused", func(t *testing.T) {
			for _, b := range []*browser{s.stranger(), s.as("alice")} {
				if a := b.do("GET", q+state, ""); a.StatusCode != http.StatusBadRequest {
					t.Errorf("got %d %.80s, want 400", a.StatusCode, a.Header.Get("Location"))
				}
			}
		})
	}
	t.Run("a state of 300 bytes is not", func(t *testing.T) {
		if a := s.stranger().do("GET", q+strings.Repeat("s", 300), ""); len(a.location("state")) != 300 {
			t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
		}
	})
}

func TestUnitALogoutLeadsToNoDisabledClient(t *testing.T) {
	s := withDeveloper(t)
	addresses := map[string]string{"a client of an inactive owner": "/o/logout/?client_id=bobs&" +
		"post_logout_redirect_uri=" +
		url.QueryEscape("https://phish.example/bye"),
		"a disabled client": "/o/logout/?client_id=web&post_logout_redirect_uri=" +
			url.QueryEscape("https://web.example/bye")}
	before := map[string]answer{}
	for name, address := range addresses {
		before[name] = s.as("alice").do("GET", address, "")
	}
	s.users.disable("bob", true)
	web, err := s.server.Client(t.Context(), "web")
	s.must(err)
	_, err = s.server.DisableClient(t.Context(), web, true)
	s.must(err)
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			a := s.stranger().do("GET", address, "")
			if a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" ||
				strings.Contains(a.body, ".example/bye") {
				t.Errorf("a stranger: got %d %s %s, want to stay", a.StatusCode, a.Header.Get("Location"), a.body)
			}
			for _, page := range []answer{before[name], s.as("alice").do("GET", address, "")} {
				a = s.as("alice").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode())
				if a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") == "" {
					t.Errorf("a user: got %d %v, want to be signed out and to stay", a.StatusCode, a.Header)
				}
			}
		})
	}
}

// logoutOf returns a server without sockets. The first function sends a logout by POST from another site, and returns
// where it leads. The second returns the status of an address.
func logoutOf(t *testing.T) (post func(url.Values) string, get func(string) int) {
	handlers := handlersOf(t)
	return func(form url.Values) string {
			r := httptest.NewRequest("POST", "/o/logout/", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			w := httptest.NewRecorder()
			handlers.ServeHTTP(w, r)
			return w.Header().Get("Location")
		}, func(path string) int {
			w := httptest.NewRecorder()
			handlers.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code
		}
}

// handlersOf returns the handlers of a server with a logout.
func handlersOf(t *testing.T) http.Handler {
	us := &users{stamps: map[string]string{"alice": "a"}, off: map[string]bool{}}
	srv, err := server.New(server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(), LoadUser: us.load,
		Keys: keysOf(t, jwt.ES256, jwt.RS256), SignIn: func(http.ResponseWriter, *http.Request,
			server.SignInRequest) {
		},
		OpenID: server.OpenIDConfig{Logout: func(http.ResponseWriter, *http.Request) error { return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := srv.AddClient(t.Context(), server.Registration{ClientID: "web",
		RedirectURIs: []string{"https://web.example/callback"}}); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{logins{us}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := srv.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	return handlers
}
