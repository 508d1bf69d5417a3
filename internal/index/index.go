// Package index finds records by their digest and by their user, and knows which
// of a user's records are live and which must go: what the stores in memory share.
// It does no locking.
package index

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
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
	expiry   *expiry.Queue[string] // digests
}

// New returns an empty index of records that have these entries.
func New[R any](entry func(record *R) Entry) *Index[R] {
	x := &Index[R]{entry: entry, byDigest: make(map[string]*R), byUser: make(map[string]map[string]*R)}
	x.expiry = expiry.New(x.expiresAt, func() int { return len(x.byDigest) })
	return x
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
	before, _ := x.expiresAt(entry.Digest)
	x.byDigest[entry.Digest] = record
	if !entry.ExpiresAt.Equal(before) {
		x.expiry.Add(entry.Digest)
	}
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

// Page returns at most limit records of a user that have not expired at now, in order of
// ID from the greatest: those with an ID less than after or, if that is "", all.
func (x *Index[R]) Page(userID, after string, limit int, now time.Time) []*R {
	var page []*R
	for _, record := range x.byUser[userID] {
		if entry := x.entry(record); !expired(entry, now) && (after == "" || entry.ID < after) {
			page = append(page, record)
		}
	}
	slices.SortFunc(page, func(a, b *R) int { return cmp.Compare(x.entry(b).ID, x.entry(a).ID) })
	return slices.Clone(page[:min(limit, len(page))])
}

// Surplus returns the records of a user that must go so that one more makes at most
// limit, the oldest first. Only those count that have not expired at now and for which
// counts is true. A limit of 0 is no limit. If evict is false, no record may go: full
// reports then that there is no room.
func (x *Index[R]) Surplus(userID string, now time.Time, limit int, evict bool, counts func(*R) bool) (surplus []*R, full bool) {
	if limit <= 0 || len(x.byUser[userID]) < limit {
		return nil, false
	}
	var rivals []*R
	for _, record := range x.byUser[userID] {
		if !expired(x.entry(record), now) && counts(record) {
			rivals = append(rivals, record)
		}
	}
	if len(rivals) < limit || !evict {
		return nil, len(rivals) >= limit
	}
	slices.SortFunc(rivals, func(a, b *R) int {
		one, other := x.entry(a), x.entry(b)
		return cmp.Or(one.Created.Compare(other.Created), cmp.Compare(one.ID, other.ID))
	})
	return rivals[:len(rivals)-limit+1], false
}

func expired(entry Entry, now time.Time) bool {
	return !entry.ExpiresAt.IsZero() && !now.Before(entry.ExpiresAt)
}
