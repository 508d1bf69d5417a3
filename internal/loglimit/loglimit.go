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

// clockSetBack is how far behind the bucket a clock must be to count as set back. Two callers
// at once read it in another order than they come here, so their instants differ a little.
const clockSetBack = time.Minute

// maxKeys is how many keys a Limit knows. More than that share one bucket.
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
	lines atomic.Pointer[map[Key]*bucket] // replaced, never changed
}

// bucket is the state of one key.
type bucket struct {
	tat        atomic.Int64 // theoretical arrival time of GCRA: when Burst lines are free again, in nanoseconds
	suppressed atomic.Int64
}

// Allow reports whether the program may write a line at now. suppressed is the number of lines
// since the last one that it could not write.
//
// It is the generic cell rate algorithm (GCRA).
func (l *Limit) Allow(key Key, now time.Time) (ok bool, suppressed int64) {
	if l == nil {
		return true, 0
	}
	b := l.bucket(key)
	for at := now.UnixNano(); ; {
		tat := b.tat.Load()
		from := max(tat, at)
		if from-at > int64((Burst-1)*Interval) {
			if tat-at > int64(Burst*Interval+clockSetBack) {
				b.tat.CompareAndSwap(tat, at)
				continue
			}
			b.suppressed.Add(1)
			return false, 0
		}
		if b.tat.CompareAndSwap(tat, from+int64(Interval)) {
			return true, b.suppressed.Swap(0)
		}
	}
}

// bucket returns the state of a key. If there are already 1,000 keys, all others share that of
// Key{}. The map is replaced and never changed, so that Allow reads it without the lock.
func (l *Limit) bucket(key Key) *bucket {
	if all := l.lines.Load(); all != nil {
		if found, ok := (*all)[key]; ok {
			return found
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all map[Key]*bucket
	if known := l.lines.Load(); known != nil {
		all = *known
	}
	if len(all) >= maxKeys {
		key = Key{}
	}
	if found, ok := all[key]; ok { // another call was first
		return found
	}
	more := make(map[Key]*bucket, len(all)+1)
	maps.Copy(more, all)
	more[key] = new(bucket)
	l.lines.Store(&more)
	return more[key]
}
