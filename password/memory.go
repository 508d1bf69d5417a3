package password

import (
	"context"
	"sync"
	"time"
)

// maxCounters bounds a MemoryThrottle: some 20 MB.
const maxCounters = 100_000

// MemoryThrottle is a [ThrottleStore] in memory, for programs of one instance:
// each instance counts by itself and forgets when it ends.
//
// It keeps at most 100,000 counters, some 20 MB, so that nobody can exhaust
// memory with names that are not there. When it is full, a new counter takes
// the place of an old one, with preference for one of a single failure: a name
// under attack stays slow while others come and go.
type MemoryThrottle struct {
	mu       sync.Mutex
	counters map[string]Counter
	max      int
	sweep    time.Time // not before then, all expired counters are looked for
}

var _ ThrottleStore = (*MemoryThrottle)(nil)

// NewMemoryThrottle returns an empty store.
func NewMemoryThrottle() *MemoryThrottle {
	return &MemoryThrottle{counters: make(map[string]Counter), max: maxCounters}
}

// Update implements [ThrottleStore].
func (m *MemoryThrottle) Update(_ context.Context, keys []string, now time.Time, change func(counters []Counter)) error {
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
		if _, ok := m.counters[key]; !ok && len(m.counters) >= m.max {
			m.makeRoom(now)
		}
		m.counters[key] = counters[i]
	}
	return nil
}

// Purge implements [ThrottleStore].
func (m *MemoryThrottle) Purge(_ context.Context, now time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.purge(now, limit), nil
}

func (m *MemoryThrottle) purge(now time.Time, limit int) (n int) {
	for key, c := range m.counters {
		if limit > 0 && n == limit {
			break
		}
		if !now.Before(c.ExpiresAt) {
			delete(m.counters, key)
			n++
		}
	}
	return n
}

// makeRoom removes a counter. Looking at all of them at every insertion of a
// flood would be a way to stop us, so it mostly looks at a few.
func (m *MemoryThrottle) makeRoom(now time.Time) {
	if !now.Before(m.sweep) {
		m.sweep = now.Add(time.Minute)
		if m.purge(now, 0) > 0 {
			return
		}
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
