package session_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

func TestUnitPages(t *testing.T) {
	const n = 250
	s := newService(t, session.Config{})
	cookie := s.login("alice") // the oldest
	for range n - 1 {
		s.login("alice")
	}
	s.login("bob")
	t.Run("the links lead to every session once, and the current one is first", func(t *testing.T) {
		seen, pages := map[string]int{}, 0
		for query := ""; ; pages++ {
			answer := s.do("GET", "/session/sessions"+query, "", "Cookie", cookie)
			var rows []struct {
				ID      string
				Current bool
			}
			if err := json.NewDecoder(answer.Body).Decode(&rows); err != nil {
				t.Fatalf("got %v, %v, want a JSON array", answer.StatusCode, err)
			}
			for i, row := range rows {
				if seen[row.ID]++; row.Current != (pages == 0 && i == 0) {
					t.Errorf("row %d of page %d: current is %v", i, pages, row.Current)
				}
			}
			link := answer.Header.Get("Link")
			if link == "" {
				break
			}
			query = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s came %d times", id, times)
			}
		}
		if len(seen) != n || pages != 2 {
			t.Errorf("got %d sessions and %d links, want %d and 2", len(seen), pages, n)
		}
	})
	t.Run("a cursor or limit that cannot be meant is 400", func(t *testing.T) {
		for _, query := range []string{"cursor=x", "limit=0", "limit=101"} {
			if answer := s.do("GET", "/session/sessions?"+query, "", "Cookie", cookie, "Accept",
				"application/json"); answer.StatusCode != 400 {
				t.Errorf("%s: got %d", query, answer.StatusCode)
			}
		}
		if _, _, err := s.List(t.Context(), "alice", backend.Page{Limit: 1001}); auth.KindOf(err) != auth.ErrMalformed {
			t.Errorf("got %v", err)
		}
	})
	t.Run("60 logins at once with 970 sessions leave 1,000", func(t *testing.T) {
		for range 970 - n {
			s.login("alice")
		}
		s.kinds()
		var group sync.WaitGroup
		for range 60 {
			group.Go(func() { s.do("POST", "/session/login", form(), "X-Login", "alice") })
		}
		group.Wait()
		sessions, next, err := s.List(t.Context(), "alice", backend.Page{Limit: 1000})
		revoked := 0
		for _, kind := range s.kinds() {
			if kind == auth.EventRevoked {
				revoked++
			}
		}
		if len(sessions) != 1000 || next != "" || err != nil || revoked != 30 {
			t.Errorf("got %d sessions, %q, %v and %d events, want 1,000 and 30", len(sessions), next, err, revoked)
		}
	})
}
