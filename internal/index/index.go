// Package index finds records by their digest and by their user, and knows which
// of a user's records are live and which must go: what the stores in memory share.
// It does no locking.
package index

import (
	"cmp"
	"slices"
	"time"
)

// Entry is what an Index has to know of a record.
type Entry struct {
	Digest, UserID string
	ID             string // of one instant, the record with the greater ID is the newer one
	Created        time.Time
	ExpiresAt      time.Time // zero is never
}

// Index is records by digest and by user. Records are replaced, never changed.
type Index[R any] struct {
	entry    func(*R) Entry
	byDigest map[string]*R
	byUser   map[string]map[string]*R
}

// New returns an empty index of records that have these entries.
func New[R any](entry func(record *R) Entry) *Index[R] {
	return &Index[R]{entry: entry, byDigest: make(map[string]*R), byUser: make(map[string]map[string]*R)}
}

// Get returns the record with this digest, or nil.
func (x *Index[R]) Get(digest string) *R { return x.byDigest[digest] }

// Of returns a user's records by digest. Only Remove may change it.
func (x *Index[R]) Of(userID string) map[string]*R { return x.byUser[userID] }

// Find returns a user's record with this ID, or nil.
func (x *Index[R]) Find(userID, id string) *R {
	for _, record := range x.byUser[userID] {
		if x.entry(record).ID == id {
			return record
		}
	}
	return nil
}

// Put adds a record, in place of one with the same digest and user.
func (x *Index[R]) Put(record *R) {
	entry := x.entry(record)
	x.byDigest[entry.Digest] = record
	if x.byUser[entry.UserID] == nil {
		x.byUser[entry.UserID] = make(map[string]*R)
	}
	x.byUser[entry.UserID][entry.Digest] = record
}

// Remove removes a record.
func (x *Index[R]) Remove(record *R) {
	entry := x.entry(record)
	delete(x.byDigest, entry.Digest)
	delete(x.byUser[entry.UserID], entry.Digest)
	if len(x.byUser[entry.UserID]) == 0 {
		delete(x.byUser, entry.UserID)
	}
}

// Live returns the records of a user that have not expired at now and for which
// counts is true, the newest first. If counts is nil, all count.
func (x *Index[R]) Live(userID string, now time.Time, counts func(*R) bool) []*R {
	var live []*R
	for _, record := range x.byUser[userID] {
		if !expired(x.entry(record), now) && (counts == nil || counts(record)) {
			live = append(live, record)
		}
	}
	slices.SortFunc(live, func(a, b *R) int {
		one, other := x.entry(a), x.entry(b)
		return cmp.Or(other.Created.Compare(one.Created), cmp.Compare(other.ID, one.ID))
	})
	return live
}

// Surplus returns the records that must go so that one more makes at most limit, the
// oldest first. Rivals are those that count against the limit, the newest first. A
// limit of 0 is no limit. If evict is false, nothing may go: full reports then that
// there is no room.
func Surplus[R any](rivals []*R, limit int, evict bool) (surplus []*R, full bool) {
	if limit <= 0 || len(rivals) < limit {
		return nil, false
	}
	if !evict {
		return nil, true
	}
	surplus = slices.Clone(rivals[limit-1:])
	slices.Reverse(surplus)
	return surplus, false
}

// Expired returns at most limit records that have expired at now.
func (x *Index[R]) Expired(now time.Time, limit int) []*R {
	var all []*R
	for _, record := range x.byDigest {
		if len(all) >= limit {
			break
		}
		if expired(x.entry(record), now) {
			all = append(all, record)
		}
	}
	return all
}

func expired(entry Entry, now time.Time) bool {
	return !entry.ExpiresAt.IsZero() && !now.Before(entry.ExpiresAt)
}
