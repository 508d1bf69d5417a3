package password

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// maxCounters bounds a MemoryThrottle: some 20 MB.
const maxCounters = 100_000

// MemoryThrottle is a [ThrottleStore] in memory, for programs of one instance:
// each instance counts by itself and forgets when it ends.
//
// It keeps at most 100,000 counters, some 20 MB, so that strangers cannot exhaust
// memory with names that are not there. When it is full, a new counter takes
// the place of an old one, with preference for one of a single failure: a name
// under attack stays slow while others come and go.
type MemoryThrottle struct {
	mu       sync.Mutex
	counters map[string]Counter
	queue    *expiry.Queue[string] // what of counters expires first
	max      int
}

var _ ThrottleStore = (*MemoryThrottle)(nil)

// NewMemoryThrottle returns an empty store.
func NewMemoryThrottle() *MemoryThrottle {
	m := &MemoryThrottle{counters: make(map[string]Counter), max: maxCounters}
	m.queue = expiry.NewOfMap(m.counters, func(c Counter) time.Time { return c.ExpiresAt })
	return m
}

// Update implements [ThrottleStore].
func (m *MemoryThrottle) Update(_ context.Context, keys []string, now time.Time,
	change func(counters []Counter)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	counters := make([]Counter, len(keys))
	for i, key := range keys {
		if c, ok := m.counters[key]; ok && now.Before(c.ExpiresAt) {
			counters[i] = c
		}
	}
	change(counters)
	for i, key := range keys {
		if counters[i] == (Counter{}) {
			delete(m.counters, key)
			continue
		}
		before, ok := m.counters[key]
		if !ok && len(m.counters) >= m.max {
			m.makeRoom(now)
		}
		if m.counters[key] = counters[i]; !ok || !counters[i].ExpiresAt.Equal(before.ExpiresAt) {
			m.queue.Add(key)
		}
	}
	return nil
}

// Purge implements [ThrottleStore]. Others have their turn meanwhile.
func (m *MemoryThrottle) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	return expiry.PurgeAll(ctx, limit, expiry.Step(&m.mu, m.queue, now, m.remove))
}

func (m *MemoryThrottle) remove(key string) { delete(m.counters, key) }

// makeRoom removes a counter. Looking at all of them at every insertion of a
// flood would be a way to stop us, so it looks at a few.
func (m *MemoryThrottle) makeRoom(now time.Time) {
	if removed, _ := m.queue.Purge(now, math.MaxInt, m.remove); removed > 0 {
		return
	}
	worth := func(c Counter) int {
		switch {
		case !now.Before(c.ExpiresAt):
			return 0
		case c.Failures == 0: // a known address
			return 3
		}
		return 2 * c.Failures
	}
	victim, least, seen := "", 0, 0
	for key, c := range m.counters { // in random order
		if w := worth(c); seen == 0 || w < least {
			victim, least = key, w
		}
		if seen++; seen == 16 {
			break
		}
	}
	delete(m.counters, victim)
}
