package backend_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatewarden/auth/backend"
)

func TestUnitNewID(t *testing.T) {
	t.Run("an identifier is a UUID of version 7 with the time at which it was made", func(t *testing.T) {
		before := time.Now().Truncate(time.Millisecond)
		text := backend.NewID()
		id, err := uuid.Parse(text)
		if err != nil || len(text) != 36 || text[14] != '7' || id.Variant() != uuid.RFC4122 {
			t.Fatalf("got %q, %v, want a UUID of version 7 (RFC 9562 §5.7)", text, err)
		}
		seconds, nanoseconds := id.Time().UnixTime()
		if at := time.Unix(seconds, nanoseconds); at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("got %q of %v, want one of now", text, at)
		}
	})
	t.Run("identifiers made one after the other are in order", func(t *testing.T) {
		ids := make([]string, 10_000)
		for i := range ids {
			ids[i] = backend.NewID()
		}
		if !slices.IsSorted(ids) || len(slices.Compact(ids)) != len(ids) {
			t.Error("got identifiers out of order or twice, want each larger than the one before")
		}
	})
	t.Run("identifiers made at once are unique, and in order for each maker", func(t *testing.T) {
		const makers, each = 32, 1000
		made := make([][]string, makers)
		var wg sync.WaitGroup
		for i := range made {
			wg.Go(func() {
				for range each {
					made[i] = append(made[i], backend.NewID())
				}
			})
		}
		wg.Wait()
		seen := map[string]bool{}
		for _, ids := range made {
			if !slices.IsSorted(ids) {
				t.Error("got identifiers of one maker out of order")
			}
			for _, id := range ids {
				seen[id] = true
			}
		}
		if len(seen) != makers*each {
			t.Errorf("got %d different identifiers, want %d", len(seen), makers*each)
		}
	})
}
