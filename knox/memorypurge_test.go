package knox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// fill adds n records of 100 users that expire an hour after noon.
func fill(t *testing.T, s *knox.MemoryStore, noon time.Time, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint(i)
		record := &knox.Record{Digest: id, ID: id, UserID: fmt.Sprint(i / 10), ExpiresAt: noon.Add(time.Hour)}
		if _, err := s.Add(t.Context(), record, 0, false, knox.Ending{At: noon}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnitMemoryPurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	purge := func(t *testing.T, s *knox.MemoryStore, now time.Time, want int) {
		t.Helper()
		purged, err := s.Purge(t.Context(), 100, knox.Ending{At: now, Keep: true, Reason: knox.EndExpired})
		if err != nil || len(purged) != want {
			t.Errorf("got %d, %v, want %d", len(purged), err, want)
		}
	}
	t.Run("of many live records and kept ones a purge looks at none", func(t *testing.T) {
		s := knox.NewMemoryStore()
		fill(t, s, noon, 50_000)
		purge(t, s, noon, 0)
		for i := range 5_000 {
			if _, err := s.RevokeAll(t.Context(), fmt.Sprint(i), "", "",
				knox.Ending{At: noon, Keep: i < 2_500}); err != nil {
				t.Fatal(err)
			}
			if i < 2_500 {
				continue
			}
			if n, err := s.PurgeEnded(t.Context(), noon.Add(-1), 100); n != 0 || err != nil {
				t.Errorf("got %d, %v, want none", n, err)
			}
		}
		if looked := s.Looked(); looked != 0 {
			t.Errorf("got looks at %d, want none", looked)
		}
	})
	t.Run("the work of purging all grows with their number and no faster", func(t *testing.T) {
		s := knox.NewMemoryStore()
		const records = 20_000
		fill(t, s, noon, records)
		for range records / 100 {
			purge(t, s, noon.Add(time.Hour), 100)
		}
		purge(t, s, noon.Add(time.Hour), 0)
		for range records / 100 {
			if n, err := s.PurgeEnded(t.Context(), noon.Add(time.Hour), 100); n != 100 || err != nil {
				t.Errorf("got %d, %v, want 100", n, err)
			}
		}
		if looked := s.Looked(); looked != 2*records {
			t.Errorf("got looks at %d, want one for each record and each kept one of %d", looked, records)
		}
	})
	t.Run("a token that slid is purged at its new expiry", func(t *testing.T) {
		s := knox.NewMemoryStore()
		fill(t, s, noon, 2)
		if err := s.Touch(t.Context(),
			knox.Touch{Digest: "1", Used: noon, ExpiresAt: noon.Add(2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		purge(t, s, noon.Add(time.Hour), 1)
		purge(t, s, noon.Add(2*time.Hour-1), 0)
		purge(t, s, noon.Add(2*time.Hour), 1)
	})
	t.Run("kept tokens go in the order in which they ended, whenever they came", func(t *testing.T) {
		s := knox.NewMemoryStore()
		for i, hour := range []int{3, 1, 2, 2, 5, 4, 1} {
			record := &knox.Record{Digest: fmt.Sprint(i), ID: fmt.Sprint(i), UserID: "alice"}
			if _, err := s.Add(t.Context(), record, 0, false, knox.Ending{At: noon}); err != nil {
				t.Fatal(err)
			}
			end := knox.Ending{At: noon.Add(time.Duration(hour) * time.Hour), Keep: true, Reason: knox.EndRevoked}
			if _, err := s.Revoke(t.Context(), "alice", record.ID, end); err != nil {
				t.Fatal(err)
			}
		}
		for hour, want := range []string{"[4 5 0 3 2 6 1]", "[4 5 0 3 2]", "[4 5 0]", "[4 5]", "[4]", "[]"} {
			if _, err := s.PurgeEnded(t.Context(), noon.Add(time.Duration(hour)*time.Hour), 100); err != nil {
				t.Fatal(err)
			}
			ended, err := s.Ended(t.Context(), "alice", noon, 100)
			if err != nil {
				t.Fatal(err)
			}
			ids := []string{}
			for _, token := range ended {
				ids = append(ids, token.ID)
			}
			if got := fmt.Sprint(ids); got != want {
				t.Errorf("after %d hours: got %s, want %s", hour, got, want)
			}
		}
	})
}
