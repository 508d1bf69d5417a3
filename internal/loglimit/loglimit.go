// Package loglimit bounds how many lines a stranger can make a program log. Bad requests
// cost the sender nothing, so a flood of them would fill the disk and hide the other lines.
package loglimit

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds for lines of one key: as many at once, and then one for each interval.
const (
	Burst    = 100
	Interval = 100 * time.Millisecond
)

// setBack is how far behind the bound a clock must be to count as set back. Two callers
// at once read it in another order than they come here, so their instants differ a little.
const setBack = time.Minute

// maxKeys is how many keys a Limit knows. More than that share one bound.
const maxKeys = 1_000

// Key says which lines are alike: those of a backend about one kind of failure that were
// answered alike.
type Key struct {
	Backend string
	Kind    error // one of the kinds of package auth, or nil
	Status  int
}

// Limit bounds the lines of each [Key]. The zero value is ready. It is safe for concurrent
// use. A nil *Limit has no bound.
type Limit struct {
	mu    sync.Mutex
	lines atomic.Pointer[map[Key]*bound] // replaced, never changed
}

// bound is the state of one key.
type bound struct {
	full    atomic.Int64 // the instant in nanoseconds at which Burst lines are free again
	leftOut atomic.Int64
}

// Take reports whether a line may be written at now. leftOut is how many were not, since
// the last that was.
func (l *Limit) Take(key Key, now time.Time) (ok bool, leftOut int64) {
	if l == nil {
		return true, 0
	}
	b := l.bound(key)
	for at := now.UnixNano(); ; {
		full := b.full.Load()
		from := max(full, at)
		if from-at > int64((Burst-1)*Interval) {
			if full-at > int64(Burst*Interval+setBack) {
				b.full.CompareAndSwap(full, at)
				continue
			}
			b.leftOut.Add(1)
			return false, 0
		}
		if b.full.CompareAndSwap(full, from+int64(Interval)) {
			return true, b.leftOut.Swap(0)
		}
	}
}

func (l *Limit) bound(key Key) *bound {
	if all := l.lines.Load(); all != nil {
		if found, ok := (*all)[key]; ok {
			return found
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all map[Key]*bound
	if known := l.lines.Load(); known != nil {
		all = *known
	}
	if len(all) >= maxKeys {
		key = Key{}
	}
	if found, ok := all[key]; ok { // another call was first
		return found
	}
	more := make(map[Key]*bound, len(all)+1)
	maps.Copy(more, all)
	more[key] = new(bound)
	l.lines.Store(&more)
	return more[key]
}
