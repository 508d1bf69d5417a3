// Package expiry knows which records of a store in memory expire first, so that a purge looks at
// those only. A purge works in steps, and other calls of the store have their turn between two. The
// package does no locking: the store holds its lock during each call of a [Queue].
package expiry

import (
	"math"
	"time"
)

// MaxLooks is how many entries of a queue are looked at under the lock, at most.
const MaxLooks = 256

// A queue may hold slack entries more than two for each record before it looks for those
// that mean nothing any more.
const slack = 64

// Queue holds an entry for each record that expires: the key of the record and the
// instant, in a heap. A record that is removed or gets another expiry leaves its entry
// behind. Such an entry is passed over when its instant comes, and before that when
// there are too many. A queue needs 8 bytes and a key for each entry.
type Queue[K comparable] struct {
	expiry func(key K) (at time.Time, ok bool)
	count  func() int
	heap   heap[K]
	next   int // where the search for entries that mean nothing goes on
	clean  int // so many entries were looked at since it found one
	looked int
}

// New returns an empty queue. expiry returns when the record with this key expires, and false if
// there is no such record. count returns the number of records. It may be nil if the expiry of a
// record never changes and only Purge removes records. Then no entry is ever stale.
func New[K comparable](expiry func(key K) (at time.Time, ok bool), count func() int) *Queue[K] {
	return &Queue[K]{expiry: expiry, count: count}
}

// NewOfMap returns an empty queue for the records of a map. expiry returns when a record expires.
func NewOfMap[K comparable, V any](records map[K]V, expiry func(record V) time.Time) *Queue[K] {
	return New(func(key K) (time.Time, bool) {
		record, ok := records[key]
		if !ok {
			return time.Time{}, false
		}
		return expiry(record), true
	}, func() int { return len(records) })
}

// Add adds an entry for the record with this key. Call it after the record was added and
// after each change of its expiry, and not for other changes: each call adds an entry.
// A record with a zero expiry never expires and needs no entry.
func (q *Queue[K]) Add(key K) {
	if at, ok := q.expiry(key); ok && !at.IsZero() {
		q.heap.push(entry[K]{nanos(at), key})
	}
	if q.tooManyStale() {
		q.removeStale(2)
	}
}

// Purge calls remove with the key of each record that has expired at now, the first one
// to expire first, at most limit times, and returns how often. The function removes
// the record. Purge looks at no more than [MaxLooks] entries, and reports whether it may
// find more at once.
func (q *Queue[K]) Purge(now time.Time, limit int, remove func(key K)) (removed int, more bool) {
	until := nanos(now)
	for looks := 0; removed < limit; looks++ {
		switch {
		case q.heap.n == 0 || q.heap.at(0).at > until:
			q.removeStale(MaxLooks - looks)
			return removed, q.tooManyStale()
		case looks == MaxLooks:
			return removed, true
		}
		first := *q.heap.at(0)
		q.heap.remove(0)
		if q.isCurrent(first) {
			remove(first.key)
			removed++
		}
	}
	return removed, true
}

// Len returns how many entries there are.
func (q *Queue[K]) Len() int { return q.heap.n }

// Looked returns how many entries were looked at so far, for tests of what a purge costs.
func (q *Queue[K]) Looked() int { return q.looked }

// isCurrent reports whether the record of an entry exists and expires at the instant of the entry.
// Otherwise the entry is stale.
func (q *Queue[K]) isCurrent(entry entry[K]) bool {
	q.looked++
	at, ok := q.expiry(entry.key)
	return ok && !at.IsZero() && nanos(at) == entry.at
}

// tooManyStale reports whether too many entries mean nothing and not all were looked at in
// vain. One record may have several entries that are true, if it was removed and added
// again with the same expiry.
func (q *Queue[K]) tooManyStale() bool {
	return q.count != nil && q.heap.n > 2*q.count()+slack && q.clean < q.heap.n
}

// removeStale looks at some entries, if there are too many, and removes those that mean
// nothing. At least every other entry does then, so two looks for each entry that is
// added are enough.
func (q *Queue[K]) removeStale(looks int) {
	for ; looks > 0 && q.tooManyStale(); looks-- {
		if q.next >= q.heap.n {
			q.next = 0
		}
		if q.isCurrent(*q.heap.at(q.next)) {
			q.next++
			q.clean++
		} else {
			q.heap.remove(q.next) // and another one is there now
			q.clean = 0
		}
	}
}

// nanos is an instant as it is compared: nanoseconds since 1970. What is further away
// than they reach, some 292 years, is at the end of them.
func nanos(at time.Time) int64 {
	const most = math.MaxInt64/int64(time.Second) - 1
	switch seconds := at.Unix(); {
	case seconds > most:
		return math.MaxInt64
	case seconds < -most:
		return math.MinInt64
	}
	return at.UnixNano()
}
