// Package memo computes each of a few values once, such as a refusal of another package in the
// words of one's own. A [Memo] keeps the values for the calls that follow.
package memo

import "sync"

// Memo keeps the computed values of at most 64 keys. The zero value is empty and ready. It is
// safe for concurrent use.
type Memo[K comparable, V any] struct {
	mu     sync.RWMutex
	values map[K]V
}

// maxKeys is how many values a Memo keeps. When it is full, it removes all of them and starts
// again.
const maxKeys = 64

// Get returns the value for key. The first time, it calls compute and keeps the result.
func (m *Memo[K, V]) Get(key K, compute func(K) V) V {
	m.mu.RLock()
	value, ok := m.values[key]
	m.mu.RUnlock()
	if ok {
		return value
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, ok := m.values[key]; ok {
		return value
	}
	value = compute(key)
	if m.values == nil {
		m.values = make(map[K]V)
	}
	if len(m.values) >= maxKeys {
		clear(m.values)
	}
	m.values[key] = value
	return value
}
