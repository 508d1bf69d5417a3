package once

import "sync"

// Memo is what was made of each of a few values, such as a refusal that is answered in other
// words. The zero value is ready. It is safe for concurrent use.
type Memo[K comparable, V any] struct {
	mu   sync.RWMutex
	made map[K]V
}

// maxMade is how many values a Memo keeps. After that it forgets all of them and starts again, as a
// [Set] does.
const maxMade = 64

// Get returns what was made of from or, the first time, what remake makes of it.
func (m *Memo[K, V]) Get(from K, remake func(K) V) V {
	m.mu.RLock()
	made, ok := m.made[from]
	m.mu.RUnlock()
	if ok {
		return made
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if made, ok := m.made[from]; ok {
		return made
	}
	made = remake(from)
	if m.made == nil {
		m.made = make(map[K]V)
	}
	if len(m.made) >= maxMade {
		clear(m.made)
	}
	m.made[from] = made
	return made
}
