// Package index finds records by their digest and by their user, and knows which
// of a user's records are live and which must go: what the stores in memory share.
// It does no locking.
package index

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/digest"
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
	entry  func(*R) Entry
	table  *digest.Table[R]
	byUser map[string][]*R       // in order of ID
	expiry *expiry.Queue[string] // digests
}

// New returns an empty index of records that have these entries.
func New[R any](entry func(record *R) Entry) *Index[R] {
	x := &Index[R]{entry: entry, byUser: make(map[string][]*R)}
	x.table = digest.NewTable(func(record *R) string { return entry(record).Digest })
	x.expiry = expiry.New(x.expiresAt, x.table.Len)
	return x
}

// Get returns the record with this digest, or nil.
func (x *Index[R]) Get(text string) *R { return x.table.Get(text) }

// GetHash returns a record with this hash in its digest, or nil. See package digest.
// If two digests differ in the shard alone, it returns one of the two records.
func (x *Index[R]) GetHash(hash [32]byte) *R { return x.table.GetHash(hash) }

// Of returns a user's records, in order of ID from the greatest. The caller may change
// the slice.
func (x *Index[R]) Of(userID string) []*R {
	records := slices.Clone(x.byUser[userID])
	slices.Reverse(records)
	return records
}

// Find returns a user's record with this ID, or nil.
func (x *Index[R]) Find(userID, id string) *R {
	records := x.byUser[userID]
	if i := x.position(records, id); i < len(records) && x.entry(records[i]).ID == id {
		return records[i]
	}
	return nil
}

// Put adds a record, in place of one with the same digest.
func (x *Index[R]) Put(record *R) {
	entry := x.entry(record)
	before, _ := x.expiresAt(entry.Digest)
	x.put(entry, record)
	if !entry.ExpiresAt.Equal(before) {
		x.expiry.Add(entry.Digest)
	}
}

func (x *Index[R]) put(entry Entry, record *R) {
	if old := x.Get(entry.Digest); old != nil {
		if was := x.entry(old); was.UserID == entry.UserID && was.ID == entry.ID {
			x.table.Put(record)
			records := x.byUser[entry.UserID]
			records[x.indexOf(records, old, entry.ID)] = record
			return
		}
		x.Remove(old)
	}
	x.table.Put(record)
	records := x.byUser[entry.UserID]
	x.byUser[entry.UserID] = slices.Insert(records, x.position(records, entry.ID), record)
}

// Remove removes the record with the digest of record.
func (x *Index[R]) Remove(record *R) {
	text := x.entry(record).Digest
	if record = x.Get(text); record == nil {
		return
	}
	x.table.Remove(text)
	entry := x.entry(record)
	records := x.byUser[entry.UserID]
	i := x.indexOf(records, record, entry.ID)
	if len(records) == 1 {
		delete(x.byUser, entry.UserID)
		return
	}
	x.byUser[entry.UserID] = slices.Delete(records, i, i+1)
}

// position returns where the first of a user's records with this ID or a greater one is.
func (x *Index[R]) position(records []*R, id string) int {
	i, _ := slices.BinarySearchFunc(records, id, func(r *R, id string) int { return cmp.Compare(x.entry(r).ID, id) })
	return i
}

// indexOf returns where a record of a user is, which has this ID.
func (x *Index[R]) indexOf(records []*R, record *R, id string) int {
	i := x.position(records, id)
	for records[i] != record { // IDs of imported records may be equal
		i++
	}
	return i
}

// Page returns at most limit records of a user that have not expired at now, in order of
// ID from the greatest: those with an ID less than after or, if that is "", all.
func (x *Index[R]) Page(userID, after string, limit int, now time.Time) []*R {
	records := x.byUser[userID]
	if after != "" {
		records = records[:x.position(records, after)]
	}
	var page []*R
	for _, record := range slices.Backward(records) {
		if len(page) >= limit {
			break
		}
		if !expired(x.entry(record), now) {
			page = append(page, record)
		}
	}
	return page
}

// Surplus returns the records of a user that must go so that one more makes at most
// limit, the oldest first. Only those count that have not expired at now and for which
// counts is true. A limit of 0 is no limit. If evict is false, no record may go: full
// reports then that there is no room.
func (x *Index[R]) Surplus(userID string, now time.Time, limit int, evict bool,
	counts func(*R) bool) (surplus []*R, full bool) {
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
