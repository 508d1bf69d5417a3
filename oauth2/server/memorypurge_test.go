package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitMemoryPurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	hour := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	access := func(digest string, expires time.Time) *server.Access {
		return &server.Access{Digest: digest, GrantID: "grant", ExpiresAt: expires}
	}
	// opened has a grant that expires at hour 1, with an access token.
	opened := func(t *testing.T) *server.MemoryStore {
		t.Helper()
		s := server.NewMemoryStore()
		if _, err := s.AddClient(t.Context(), &server.Client{ID: "app"}, 0); err != nil {
			t.Fatal(err)
		}
		grant := &server.Grant{ID: "grant", UserID: "alice", ClientID: "app", Created: noon, ExpiresAt: hour(1)}
		added, err := s.Start(t.Context(), grant, server.Tokens{Access: access("first", hour(1))}, 0, false)
		if !added.OK() || err != nil {
			t.Fatal(added, err)
		}
		return s
	}
	purge := func(t *testing.T, s *server.MemoryStore, now time.Time, want int) {
		t.Helper()
		if n, err := s.Purge(t.Context(), now, 100); n != want || err != nil {
			t.Errorf("got %d, %v, want %d", n, err, want)
		}
	}
	t.Run("of many live records a purge looks at none, and at each expired one once", func(t *testing.T) {
		const records = 20_000
		s := opened(t)
		for i := range records {
			if fresh, err := s.PutOnce(t.Context(), fmt.Sprint(i), hour(2), noon); !fresh || err != nil {
				t.Fatal(fresh, err)
			}
		}
		purge(t, s, noon, 0)
		if looked := s.Looked(); looked != 0 {
			t.Errorf("got looks at %d, want none", looked)
		}
		purge(t, s, hour(1), 1) // the grant, and with it its token
		before := s.Looked()
		for range records / 100 {
			purge(t, s, hour(2), 100)
		}
		purge(t, s, hour(2), 0)
		if looked := s.Looked() - before; looked != records {
			t.Errorf("got looks at %d, want one for each of %d", looked, records)
		}
	})
	t.Run("a grant that gets a later expiry is purged at that, and its tokens before", func(t *testing.T) {
		s := opened(t)
		if ok, err := s.AddAccess(t.Context(), access("second", hour(3)), noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		purge(t, s, hour(1), 1) // the first token
		if grant, err := s.Grant(t.Context(), "grant"); grant == nil || err != nil {
			t.Fatal("the grant is gone", err)
		}
		purge(t, s, hour(3), 1)
		if grant, err := s.Grant(t.Context(), "grant"); grant != nil || err != nil {
			t.Errorf("got %v, %v, want no grant", grant, err)
		}
	})
	t.Run("tokens that come and go leave nothing, and a grant that keeps its expiry has one entry", func(t *testing.T) {
		s := opened(t)
		for i := range 5_000 {
			digest := fmt.Sprint(i)
			if ok, err := s.AddAccess(t.Context(), access(digest, noon.Add(time.Minute)), noon); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if ok, err := s.RemoveAccess(t.Context(), digest); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if n := s.Entries(); n > 200 {
			t.Errorf("got %d entries of two records, want few", n)
		}
	})
}
