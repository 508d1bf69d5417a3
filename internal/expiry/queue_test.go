package expiry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// shelf is a store of expiries.
type shelf struct {
	mu      sync.Mutex
	records map[string]time.Time
	queue   *expiry.Queue[string]
}

func newShelf() *shelf {
	s := &shelf{records: make(map[string]time.Time)}
	s.queue = expiry.NewOfMap(s.records, func(at time.Time) time.Time { return at })
	return s
}

func (s *shelf) put(key string, at time.Time) {
	s.records[key] = at
	s.queue.Add(key)
}

// purge returns the keys of what it removed, in order.
func (s *shelf) purge(t *testing.T, now time.Time, limit int) (keys []string) {
	t.Helper()
	n, err := expiry.PurgeAll(t.Context(), limit, func(limit int) (int, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		looked := s.queue.Looked()
		n, more := s.queue.Purge(now, limit, func(key string) {
			delete(s.records, key)
			keys = append(keys, key)
		})
		if looks := s.queue.Looked() - looked; looks > expiry.MaxLooks {
			t.Errorf("a step looked at %d entries, want at most %d", looks, expiry.MaxLooks)
		}
		return n, more
	})
	if err != nil || n != len(keys) {
		t.Errorf("got %d, %v, want %d", n, err, len(keys))
	}
	return keys
}

func TestUnitQueue(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	want := func(t *testing.T, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	t.Run("what expires first goes first, at most limit, and nothing before its time", func(t *testing.T) {
		s := newShelf()
		for _, i := range rand.Perm(9) {
			s.put(fmt.Sprint(i), at(i))
		}
		want(t, s.purge(t, at(0).Add(-1), 9))
		want(t, s.purge(t, at(0), 9), "0")
		want(t, s.purge(t, at(6), 2), "1", "2")
		want(t, s.purge(t, at(6), 0))
		want(t, s.purge(t, at(6), 99), "3", "4", "5", "6")
		want(t, s.purge(t, at(6), 99))
	})
	t.Run("a record whose expiry changed goes at the new one, later or earlier", func(t *testing.T) {
		s := newShelf()
		s.put("later", at(1))
		s.put("earlier", at(9))
		s.put("later", at(8))
		s.put("earlier", at(2))
		want(t, s.purge(t, at(7), 9), "earlier")
		want(t, s.purge(t, at(8), 9), "later")
		want(t, s.purge(t, at(99), 9))
	})
	t.Run("a record without expiry never goes", func(t *testing.T) {
		s := newShelf()
		s.put("kept", time.Time{})
		s.put("slid", at(1))
		s.put("slid", time.Time{})
		want(t, s.purge(t, at(99), 9))
	})
	t.Run("instants beyond the reach of nanoseconds", func(t *testing.T) {
		s := newShelf()
		s.put("far", time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))
		s.put("old", time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC))
		want(t, s.purge(t, at(0), 9), "old")
		want(t, s.purge(t, time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), 9), "far")
	})
	t.Run("a record that was removed and came again goes once", func(t *testing.T) {
		s := newShelf()
		for range 1000 { // more entries than there may be, and all are true
			s.put("a", at(1))
			delete(s.records, "a")
		}
		s.put("a", at(1))
		want(t, s.purge(t, at(0), 9))
		want(t, s.purge(t, at(1), 9), "a")
		want(t, s.purge(t, at(1), 9))
	})
	t.Run("a context that ended is an error as long as nothing was removed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		step := func(int) (int, bool) { cancel(); return 1, true }
		if n, err := expiry.PurgeAll(ctx, 3, step); n != 3 || err != nil {
			t.Errorf("got %d, %v, want 3", n, err)
		}
		if n, err := expiry.PurgeAll(ctx, 3, step); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("got %d, %v, want the error of the context", n, err)
		}
	})
}

func TestUnitQueueOfMany(t *testing.T) {
	t.Run("of a million live records a purge looks at none", func(t *testing.T) {
		records := 1_000_000
		if testing.Short() {
			records = 200_000
		}
		all := make([]time.Time, 0, records+1) // by key
		queue := expiry.New(func(key int) (time.Time, bool) { return all[key], true }, func() int { return len(all) })
		add := func(at time.Time) { all = append(all, at); queue.Add(len(all) - 1) }
		for range records {
			add(noon.Add(time.Duration(rand.IntN(1e9))))
		}
		if queue.Looked() != 0 {
			t.Errorf("got %d looks while they were added, want none", queue.Looked())
		}
		add(noon.Add(-1))
		if n, more := queue.Purge(noon.Add(-1), 500, func(int) {}); n != 1 || more || queue.Looked() != 1 {
			t.Errorf("got %d, %v after looks at %d, want the one that is over and one look", n, more, queue.Looked())
		}
		last := noon
		for total, more := 0, true; more; { // and each once if all are over
			var n int
			n, more = queue.Purge(noon.Add(time.Hour), 500, func(key int) {
				if all[key].Before(last) {
					t.Fatal("got one that expires before another")
				}
				last = all[key]
			})
			if total += n; !more && total != records {
				t.Errorf("got %d, want %d", total, records)
			}
		}
		if queue.Looked() != records+1 || queue.Len() != 0 {
			t.Errorf("got %d looks and %d entries, want %d and none", queue.Looked(), queue.Len(), records+1)
		}
	})
	t.Run("records that come and go leave no more entries than records", func(t *testing.T) {
		s := newShelf()
		for i := range 1000 {
			s.put(fmt.Sprint("kept", i), noon.Add(time.Hour))
		}
		for i := range 100_000 {
			key := fmt.Sprint(i)
			s.put(key, noon.Add(time.Duration(rand.IntN(1e9))))
			if delete(s.records, key); s.queue.Len() > 4*1000 {
				t.Fatalf("got %d entries after %d changes, want about 2 for each of 1,000 records", s.queue.Len(), i)
			}
		}
		if looked := s.queue.Looked(); looked > 200_000 {
			t.Errorf("got %d looks, want at most two a change", looked)
		}
	})
	t.Run("records that slide leave no more entries than records", func(t *testing.T) {
		s := newShelf()
		for i := range 100_000 {
			s.put(fmt.Sprint(i%1000), noon.Add(time.Duration(i)*time.Second))
			if s.queue.Len() > 4*1000 {
				t.Fatalf("got %d entries after %d changes, want about 2 for each of 1,000 records", s.queue.Len(), i)
			}
		}
	})
	t.Run("a purge makes up for many that were removed at once, in steps", func(t *testing.T) {
		s := newShelf()
		for i := range 10_000 {
			s.put(fmt.Sprint(i), noon.Add(time.Hour))
		}
		clear(s.records)
		if got := s.purge(t, noon, 9); len(got) != 0 || s.queue.Len() > 100 {
			t.Errorf("got %d records and %d entries, want none and few", len(got), s.queue.Len())
		}
	})
	t.Run("whatever happens, all that is over goes and nothing else", func(t *testing.T) {
		s := newShelf()
		for round := range 300 {
			now := noon.Add(time.Duration(round) * time.Second)
			for range 50 {
				key := fmt.Sprint(rand.IntN(2000))
				if rand.IntN(3) == 0 {
					delete(s.records, key)
				} else {
					s.put(key, now.Add(time.Duration(rand.IntN(100))*time.Second))
				}
			}
			over := maps.Clone(s.records)
			maps.DeleteFunc(over, func(_ string, at time.Time) bool { return at.After(now) })
			for {
				got := s.purge(t, now, 7)
				for _, key := range got {
					if _, ok := over[key]; !ok {
						t.Fatalf("%s went, and was not over", key)
					}
					delete(over, key)
				}
				if len(got) < 7 {
					break
				}
			}
			if len(over) > 0 {
				t.Fatalf("round %d: %v are over and there", round, over)
			}
		}
	})
}
