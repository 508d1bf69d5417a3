package cached

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

const (
	// slots is how many counters there are of owners, and of keys. Owners that share one are forgotten together,
	// which costs a look-up and nothing else.
	slots = 4096
	// margin is how long before its expiry a record is no longer believed. It is more than a check takes from
	// the look-up to the comparison with the clock.
	margin = time.Second
)

// table is a bounded cache of what was read from a store.
//
// A read that began before a revocation may end after it, and bring the record as it was. So revocations are
// counted. A read notes the count when it begins. Each owner, which is a user, a client or the like, has a slot
// with the count at which it was last forgotten. A record counts if its read began at that count or later. This is
// compared on each hit, and it needs no index of records by owner.
type table[K comparable, V any] struct {
	ttl  time.Duration
	max  int
	seed maphash.Seed
	// clock is the time since the table was made. Each hit reads it, and it costs half of what now does.
	clock func() time.Duration
	now   func() time.Time

	mu        sync.RWMutex
	entries   map[K]entry[V]
	suspended int           // calls of suspend without their resume
	count     uint64        // of all changes
	all       uint64        // the count at which everything was forgotten
	owners    [slots]uint64 // the count at which an owner was forgotten
	keys      [slots]uint64 // the count at which a key was dropped, for reads that are under way
	purged    int64         // in microseconds since 1970: what expired until then may be gone
}

// entry is a record that was read.
type entry[V any] struct {
	value   V
	read    uint64        // the count when its read began
	slots   [3]uint16     // of its owners
	until   time.Duration // by the clock of the table
	expires int64         // by itself, in microseconds since 1970
}

// owner is what records can be forgotten by.
type owner struct {
	kind kind
	id   string
}

type kind byte

const (
	noOwner kind = iota
	user
	client
	grant
	login
)

// readStart is when a read began.
type readStart struct {
	count uint64
	began time.Duration // by the clock of the table
}

func newTable[K comparable, V any](config Config) *table[K, V] {
	made := time.Now()
	return &table[K, V]{ttl: config.TTL, max: config.Max, seed: maphash.MakeSeed(), now: time.Now,
		clock: func() time.Duration { return time.Since(made) }, entries: make(map[K]entry[V])}
}

// get returns what is kept by a key. If ok is false, the caller asks the store and calls put with read.
func (t *table[K, V]) get(key K) (value V, read readStart, ok bool) {
	return t.getAt(key, t.clock())
}

// getAt is get at a time of the clock.
func (t *table[K, V]) getAt(key K, now time.Duration) (value V, read readStart, ok bool) {
	t.mu.RLock()
	e, found := t.entries[key]
	if found && t.isValid(&e, now) {
		t.mu.RUnlock()
		return e.value, readStart{}, true
	}
	read = readStart{t.count, now}
	t.mu.RUnlock()
	return value, read, false
}

// isValid reports whether an entry is believed: t.mu is held.
func (t *table[K, V]) isValid(e *entry[V], now time.Duration) bool {
	return now < e.until && t.suspended == 0 && e.read >= t.all &&
		e.read >= t.owners[e.slots[0]] && e.read >= t.owners[e.slots[1]] && e.read >= t.owners[e.slots[2]] &&
		e.expires > t.purged
}

// put keeps what a read brought, unless it may be old. Expires is when the record expires; zero is never.
func (t *table[K, V]) put(read readStart, key K, value V, expires time.Time, owners [3]owner) {
	now := t.clock()
	e := entry[V]{value: value, read: read.count, until: read.began + t.ttl, expires: math.MaxInt64}
	if !expires.IsZero() {
		e.expires = expires.UnixMicro()
		if left := expires.Sub(t.now()) - margin; left < t.ttl { // left may be centuries
			e.until = min(e.until, now+left)
		}
	}
	if now >= e.until {
		return
	}
	for i, o := range owners {
		e.slots[i] = t.slot(o)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if read.count < t.keys[t.keySlot(key)] || !t.isValid(&e, now) {
		return
	}
	if _, ok := t.entries[key]; !ok && len(t.entries) >= t.max {
		t.makeRoom(now)
	}
	t.entries[key] = e
}

// makeRoom removes what does not count of a few entries or, if all of them do, the one that ends first. A walk over
// a map begins at random.
func (t *table[K, V]) makeRoom(now time.Duration) {
	const look = 8
	var first K
	until := time.Duration(math.MaxInt64)
	looked, removed := 0, 0
	for key, e := range t.entries {
		if !t.isValid(&e, now) {
			delete(t.entries, key)
			removed++
		} else if e.until < until {
			first, until = key, e.until
		}
		if looked++; looked == look {
			break
		}
	}
	if removed == 0 {
		delete(t.entries, first)
	}
}

// slot returns the slot of an owner. The first one is that of records without an owner, and is never counted.
func (t *table[K, V]) slot(o owner) uint16 {
	if o.kind == noOwner {
		return 0
	}
	return uint16(1 + maphash.Comparable(t.seed, o)%(slots-1))
}

func (t *table[K, V]) keySlot(key K) uint16 {
	return uint16(maphash.Comparable(t.seed, key) % slots)
}

// forget has the store asked again for all records of owners.
func (t *table[K, V]) forget(owners ...owner) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	for _, o := range owners {
		if o.kind != noOwner {
			t.owners[t.slot(o)] = t.count
		}
	}
}

// drop has the store asked again for records by their keys.
func (t *table[K, V]) drop(keys ...K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	for _, key := range keys {
		delete(t.entries, key)
		t.keys[t.keySlot(key)] = t.count
	}
}

// markPurged notes that the store may have removed all records that expired until now.
func (t *table[K, V]) markPurged(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purged = max(t.purged, now.UnixMicro())
}

func (t *table[K, V]) forgetAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

// clear is forgetAll: t.mu is held.
func (t *table[K, V]) clear() {
	t.count++
	t.all = t.count
	clear(t.entries)
}

// suspend forgets everything and keeps nothing until resume is called.
func (t *table[K, V]) suspend() (resume func()) {
	t.suspendBy(1)
	return sync.OnceFunc(func() { t.suspendBy(-1) })
}

// suspendBy forgets everything. At the end of a suspension, this concerns reads that began during it.
func (t *table[K, V]) suspendBy(more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.suspended += more
	t.clear()
}
