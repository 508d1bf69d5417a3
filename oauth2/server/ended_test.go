package server_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitEndedGrants(t *testing.T) {
	t.Run("each grant of a client that is disabled or removed has an event", func(t *testing.T) {
		for name, end := range map[string]func(s *service, c *server.Client) error{
			"disabled": func(s *service, c *server.Client) error {
				_, err := s.server.DisableClient(s.Context(), c, true)
				return err
			},
			"removed": func(s *service, c *server.Client) error {
				_, err := s.server.RemoveClient(s.Context(), c.ID)
				return err
			},
		} {
			s := newService(t, nil)
			s.tokens("alice")
			s.tokens("bob")
			client, err := s.server.Client(t.Context(), "web")
			s.must(err)
			before := s.events.count(auth.EventRevoked)
			s.must(end(s, client))
			if n := s.events.count(auth.EventRevoked) - before; n != 2 {
				t.Errorf("%s: got %d events, want one for each of 2 grants", name, n)
			}
		}
	})
	t.Run("a grant that another request gets while a user signs out ends too", func(t *testing.T) {
		var s *service
		var meanwhile answer
		s = newService(t, func(c *server.Config) {
			before := c.OpenID.Logout
			c.OpenID.Logout = func(w http.ResponseWriter, r *http.Request) error {
				meanwhile = s.tokens("alice", "scope", "openid read")
				return before(w, r)
			}
		})
		hint := s.tokens("alice", "scope", "openid read").text("id_token")
		if a := s.as("alice").do("GET", "/o/logout/?id_token_hint="+hint, ""); a.StatusCode != 200 {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		if s.good(meanwhile.text("access_token")) {
			t.Error("the grant is good after the session ended")
		}
	})
}

func TestUnitMemoryLimits(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	opened := func(t *testing.T) *server.MemoryStore {
		t.Helper()
		s := server.NewMemoryStore()
		if _, err := s.AddClient(t.Context(), &server.Client{ID: "job", Owner: "alice", Updated: noon}, 0); err != nil {
			t.Fatal(err)
		}
		return s
	}
	start := func(t *testing.T, s *server.MemoryStore, i, limit int) {
		t.Helper()
		created := noon.Add(time.Duration(i) * time.Millisecond)
		id := fmt.Sprintf("%08d", i)
		g := &server.Grant{ID: id, ClientID: "job", Created: created, ExpiresAt: created.Add(time.Hour)}
		tokens := server.Tokens{Access: &server.Access{Digest: id, GrantID: id, ExpiresAt: g.ExpiresAt}}
		if added, err := s.Start(t.Context(), g, tokens, limit, true); err != nil || !added.OK() {
			t.Fatal(added, err)
		}
	}
	t.Run("a start at a limit of 10,000 looks at few grants", func(t *testing.T) {
		s := opened(t)
		const limit, more = 10_000, 200
		for i := range limit {
			start(t, s, i, limit)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range more {
			start(t, s, limit+i, limit)
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / more; each > 32<<10 {
			t.Errorf("got %d bytes for each start, want no list of all grants", each)
		}
	})
	t.Run("a client that goes to another owner counts there", func(t *testing.T) {
		s := opened(t)
		moved := &server.Client{ID: "job", Owner: "bob", Updated: noon.Add(time.Second)}
		if ok, _, err := s.ChangeClient(t.Context(), moved, noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for owner, full := range map[string]bool{"alice": false, "bob": true} {
			if added, err := s.AddClient(t.Context(), &server.Client{ID: owner, Owner: owner}, 1); err != nil ||
				added.OverLimit != full {
				t.Errorf("got %+v, %v for %s", added, err, owner)
			}
		}
		if all, err := s.Clients(t.Context(), "bob", "", 9); err != nil || len(all) != 1 {
			t.Errorf("got %d of bob's, %v, want 1", len(all), err)
		}
	})
}
