package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// knoxPurging checks Purge and PurgeEnded.
func knoxPurging(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "purging removes what has expired, in batches, each once", knoxPurges)
	check(t, open, "PurgeEnded removes ended tokens by the instant of their end, in batches, and no live record",
		knoxPurgesEnded)
}

func knoxPurges(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i := range 10 {
		r := record("alice", fmt.Sprint(i), 0)
		r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
		s.add(r)
	}
	never := record("alice", "never", 0)
	never.ExpiresAt = time.Time{}
	s.add(never)
	at := noon.Add(6 * time.Minute) // 0 to 6 have expired
	if first, err := s.Purge(t.Context(), 3, knox.Ending{At: at}); err != nil || len(first) != 3 ||
		first[0].UserID != "alice" {
		t.Fatalf("Purge: got %v, %v, want 3 entries and UserID \"alice\"", first, err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	purgeAtOnce(func() {
		purged, err := s.Purge(t.Context(), 100, knox.Ending{At: at})
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range purged {
			if seen[r.ID] {
				t.Errorf("%s was purged twice, want once", r.ID)
			}
			seen[r.ID] = true
		}
	})
	if len(seen) != 4 {
		t.Errorf("purged %v after the first three, want 4 entries", seen)
	}
	if got := s.list("alice", time.Time{}); len(got) != 4 {
		t.Errorf("left %v, want 4 entries", got)
	}
}

func knoxPurgesEnded(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "live", -time.Hour))
	for i := range 10 {
		s.end(fmt.Sprint("user", i%2), fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute))
	}
	at := noon.Add(6 * time.Minute) // 0 to 6 had ended
	if n, err := s.PurgeEnded(t.Context(), at, 3); err != nil || n != 3 {
		t.Fatalf("PurgeEnded: got %v, %v, want 3", n, err)
	}
	var mu sync.Mutex
	total := 0
	purgeAtOnce(func() {
		n, err := s.PurgeEnded(t.Context(), at, 100)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		total += n
	})
	var left []string
	for _, e := range append(s.ended("user0"), s.ended("user1")...) {
		left = append(left, e.ID)
	}
	if total != 4 || !slices.Equal(left, []string{"8", "9", "7"}) {
		t.Errorf("purged %d after the first three, left %v, want 4 and [8 9 7]", total, left)
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"live"}) {
		t.Errorf("live ones left: %v, want [live]", got)
	}
}
