// Package once does once what would otherwise be done again and again: a [Set] is for lines of a
// log, a [Memo] for values.
package once

import (
	"crypto/sha256"
	"sync"
)

// Max is how many keys a [Set] remembers. After that it forgets all of them and starts
// again, so that its memory has a bound and a log may repeat itself.
const Max = 1000

// Set is a set of keys. The zero value is empty and ready. It is safe for concurrent
// use.
type Set struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]struct{}
}

// First reports whether key is new, and remembers it.
func (s *Set) First(key string) bool {
	sum := sha256.Sum256([]byte(key)) // keys may be long, and come from a table of users
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.seen[sum]; known {
		return false
	}
	if s.seen == nil || len(s.seen) >= Max {
		s.seen = make(map[[sha256.Size]byte]struct{})
	}
	s.seen[sum] = struct{}{}
	return true
}
