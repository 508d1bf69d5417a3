package loglimit

import (
	"crypto/sha256"
	"sync"
)

// MaxOnce is how many keys a [Once] keeps. When it is full, it removes all of them and starts
// again, so that its memory has a bound. A log may then have a line twice.
const MaxOnce = 1000

// Once tells which lines the log has already, so that a program writes each of them once. The
// zero value is empty and ready. It is safe for concurrent use.
type Once struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]struct{}
}

// First reports whether this is the first call with key.
func (o *Once) First(key string) bool {
	sum := sha256.Sum256([]byte(key)) // a key may be long, and may have personal data
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.seen[sum]; known {
		return false
	}
	if o.seen == nil || len(o.seen) >= MaxOnce {
		o.seen = make(map[[sha256.Size]byte]struct{})
	}
	o.seen[sum] = struct{}{}
	return true
}
