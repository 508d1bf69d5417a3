package server_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// graceful is a service with the default grace, and clients with each grace of their own.
func graceful(t *testing.T, grace time.Duration) *service {
	t.Helper()
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = grace })
	s.change(func(r *server.Registration) { r.GrantTypes = []string{"authorization_code", "refresh_token"} })
	return s
}

func TestUnitRefreshGrace(t *testing.T) {
	app := func(s *service) string {
		code := s.as("alice").code("client_id", "app", "redirect_uri", "http://127.0.0.1:5/cb")
		return s.post("/o/token/", "app", "grant_type", "authorization_code", "code", code,
			"redirect_uri", "http://127.0.0.1:5/cb", "code_verifier", verifier).text("refresh_token")
	}
	// again refreshes twice and returns the status of the second answer.
	again := func(s *service, client, token string) int {
		s.post("/o/token/", client, "grant_type", "refresh_token", "refresh_token", token)
		return s.post("/o/token/", client, "grant_type", "refresh_token", "refresh_token", token).StatusCode
	}
	t.Run("a confidential client may refresh again at once", func(t *testing.T) {
		s := graceful(t, 0)
		if got := again(s, "web", s.tokens("alice").text("refresh_token")); got != 200 {
			t.Errorf("got %d, want 200", got)
		}
	})
	t.Run("eight refreshes at once keep the grant", func(t *testing.T) {
		s := graceful(t, 0)
		token := s.tokens("alice").text("refresh_token")
		var group sync.WaitGroup
		next := make([]string, 8)
		for i := range next {
			group.Go(func() { next[i] = s.refresh(token).text("refresh_token") })
		}
		group.Wait()
		for _, each := range next {
			if each == "" || each != next[0] {
				t.Fatalf("got %d different successors, want one", len(next))
			}
		}
		if a := s.refresh(next[0]); a.StatusCode != 200 {
			t.Errorf("the successor: got %d %s, want 200", a.StatusCode, a.body)
		}
	})
	t.Run("a public client may not", func(t *testing.T) {
		s := graceful(t, 0)
		if got := again(s, "app", app(s)); got != 400 || s.events.count(auth.EventReuse) != 1 {
			t.Errorf("got %d and %d events of reuse, want 400 and 1", got, s.events.count(auth.EventReuse))
		}
	})
	t.Run("no client may without a grace", func(t *testing.T) {
		s := graceful(t, server.NoGrace)
		if got := again(s, "web", s.tokens("alice").text("refresh_token")); got != 400 {
			t.Errorf("got %d, want 400", got)
		}
	})
	t.Run("a client has its own", func(t *testing.T) {
		s := graceful(t, 0)
		s.change(func(r *server.Registration) { r.RefreshGrace = -1 })
		if got := again(s, "web", s.tokens("alice").text("refresh_token")); got != 400 {
			t.Errorf("got %d, want 400", got)
		}
	})
}

func TestUnitRefreshGraceOfAClient(t *testing.T) {
	s := newService(t, nil)
	uris := []string{"https://a.example/"}
	for _, grace := range []int{-2, 61} {
		_, _, err := s.server.NewClient(server.Registration{RedirectURIs: uris, RefreshGrace: grace})
		if e := (*server.Error)(nil); !errors.As(err, &e) || e.Code != "invalid_client_metadata" {
			t.Errorf("got %v for a grace of %d, want invalid_client_metadata", err, grace)
		}
	}
	public := &server.Client{ID: "spa", AuthMethod: server.AuthNone, RefreshGrace: 5}
	found := server.Audit(server.Config{Issuer: "https://a.example"}, public)
	var all []string
	for _, f := range found {
		all = append(all, f.String())
	}
	if text := strings.Join(all, "\n"); !strings.Contains(text, "client spa RefreshGrace") {
		t.Errorf("got %s, want the grace of the public client in it", text)
	}
}
