package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/session"
)

func TestUnitMemoryPurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	filled := func(t *testing.T, n int) *session.MemoryStore {
		t.Helper()
		s := session.NewMemoryStore()
		for i := range n {
			record := &session.Record{Digest: fmt.Sprint(i), ID: fmt.Sprint(i), UserID: fmt.Sprint(i),
				ExpiresAt: noon.Add(time.Hour)}
			if _, err := s.Add(t.Context(), record, "", 0, false, noon); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	purge := func(t *testing.T, s *session.MemoryStore, now time.Time, want int) {
		t.Helper()
		if purged, err := s.Purge(t.Context(), now, 100); err != nil || len(purged) != want {
			t.Errorf("got %d, %v, want %d", len(purged), err, want)
		}
	}
	t.Run("of many live records a purge looks at none, and at each expired one once", func(t *testing.T) {
		const records = 20_000
		s := filled(t, records)
		purge(t, s, noon, 0)
		if looked := s.Looked(); looked != 0 {
			t.Errorf("got looks at %d, want none", looked)
		}
		for range records / 100 {
			purge(t, s, noon.Add(time.Hour), 100)
		}
		purge(t, s, noon.Add(time.Hour), 0)
		if looked := s.Looked(); looked != records {
			t.Errorf("got looks at %d, want one for each of %d", looked, records)
		}
	})
	t.Run("a session that slid and a tombstone are purged at their new expiry", func(t *testing.T) {
		s := filled(t, 3)
		if err := s.Touch(t.Context(),
			session.Touch{Digest: "1", Used: noon, ExpiresAt: noon.Add(2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		next := &session.Record{Digest: "next", ID: "2", UserID: "2", ExpiresAt: noon.Add(3 * time.Hour)}
		if moved, err := s.Replace(t.Context(), "2", next, noon); !moved || err != nil {
			t.Fatalf("got %v, %v, want true and no error", moved, err)
		}
		tombstone, err := s.Find(t.Context(), "2")
		if err != nil {
			t.Fatal(err)
		}
		purge(t, s, tombstone.ExpiresAt.Add(-1), 0)
		purge(t, s, tombstone.ExpiresAt, 1)
		purge(t, s, noon.Add(time.Hour), 1)
		purge(t, s, noon.Add(2*time.Hour), 1)
		purge(t, s, noon.Add(3*time.Hour), 1)
	})
}
