// Package recordindex keeps the records of a store in memory, and finds them by their digest and
// by their user. It also says which records have expired and which are over a limit. It does no
// locking.
package recordindex

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/digest"
	"github.com/gatewarden/auth/internal/expiry"
)

// Fields is what an Index has to know of a record.
type Fields struct {
	Digest, UserID string
	ID             string // of one instant, the record with the greater ID is the newer one
	Created        time.Time
	ExpiresAt      time.Time // zero is never
}

// Index is records by digest and by user. Records are replaced, never changed.
type Index[R any] struct {
	fields func(*R) Fields
	table  *digest.Table[R]
	byUser map[string][]*R       // in order of ID
	expiry *expiry.Queue[string] // digests
}

// New returns an empty index. fields returns what the index has to know of a record.
func New[R any](fields func(record *R) Fields) *Index[R] {
	x := &Index[R]{fields: fields, byUser: make(map[string][]*R)}
	x.table = digest.NewTable(func(record *R) string { return fields(record).Digest })
	x.expiry = expiry.New(x.expiresAt, x.table.Len)
	return x
}

// Get returns the record with this digest, or nil.
func (x *Index[R]) Get(digest string) *R { return x.table.Get(digest) }

// GetHash returns a record with this hash in its digest, or nil. See package digest.
// If two digests differ in the shard alone, it returns one of the two records.
func (x *Index[R]) GetHash(hash [32]byte) *R { return x.table.GetHash(hash) }

// ByUser returns a user's records, the greatest ID first. The caller may change the slice.
func (x *Index[R]) ByUser(userID string) []*R {
	records := slices.Clone(x.byUser[userID])
	slices.Reverse(records)
	return records
}

// Find returns a user's record with this ID, or nil.
func (x *Index[R]) Find(userID, id string) *R {
	records := x.byUser[userID]
	if i := x.position(records, id); i < len(records) && x.fields(records[i]).ID == id {
		return records[i]
	}
	return nil
}

// Put adds a record, in place of one with the same digest.
func (x *Index[R]) Put(record *R) {
	fields := x.fields(record)
	before, _ := x.expiresAt(fields.Digest)
	x.put(fields, record)
	if !fields.ExpiresAt.Equal(before) {
		x.expiry.Add(fields.Digest)
	}
}

// put is Put without the queue of expiries. If the old record has the same user and ID, the new one
// takes its place. Otherwise the old one is removed first.
func (x *Index[R]) put(fields Fields, record *R) {
	if old := x.Get(fields.Digest); old != nil {
		if was := x.fields(old); was.UserID == fields.UserID && was.ID == fields.ID {
			x.table.Put(record)
			records := x.byUser[fields.UserID]
			records[x.indexOf(records, old, fields.ID)] = record
			return
		}
		x.Remove(old)
	}
	x.table.Put(record)
	records := x.byUser[fields.UserID]
	x.byUser[fields.UserID] = slices.Insert(records, x.position(records, fields.ID), record)
}

// Remove removes the record with the digest of record.
func (x *Index[R]) Remove(record *R) {
	digest := x.fields(record).Digest
	if record = x.Get(digest); record == nil {
		return
	}
	x.table.Remove(digest)
	fields := x.fields(record)
	records := x.byUser[fields.UserID]
	i := x.indexOf(records, record, fields.ID)
	if len(records) == 1 {
		delete(x.byUser, fields.UserID)
		return
	}
	x.byUser[fields.UserID] = slices.Delete(records, i, i+1)
}

// position returns the position of the first record in records that has this ID or a greater one.
func (x *Index[R]) position(records []*R, id string) int {
	i, _ := slices.BinarySearchFunc(records, id, func(r *R, id string) int { return cmp.Compare(x.fields(r).ID, id) })
	return i
}

// indexOf returns the position of record, which has this ID, in the records of a user.
func (x *Index[R]) indexOf(records []*R, record *R, id string) int {
	i := x.position(records, id)
	for records[i] != record { // IDs of imported records may be equal
		i++
	}
	return i
}

// Page returns at most limit records of a user that have not expired at now, the greatest ID first.
// If after is not empty, it returns only records with an ID less than after.
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
		if !expired(x.fields(record), now) {
			page = append(page, record)
		}
	}
	return page
}

// Surplus returns the records that a store must remove before it adds one more record of this user,
// so that there are then at most limit. The oldest are removed first. Only records count that have
// not expired at now and for which counts returns true. A limit of 0 is no limit. If evict is
// false, no record may be removed. full then reports that the limit is reached.
func (x *Index[R]) Surplus(userID string, now time.Time, limit int, evict bool,
	counts func(*R) bool) (surplus []*R, full bool) {
	if limit <= 0 || len(x.byUser[userID]) < limit {
		return nil, false
	}
	var counted []*R
	for _, record := range x.byUser[userID] {
		if !expired(x.fields(record), now) && counts(record) {
			counted = append(counted, record)
		}
	}
	if len(counted) < limit || !evict {
		return nil, len(counted) >= limit
	}
	slices.SortFunc(counted, func(a, b *R) int {
		one, other := x.fields(a), x.fields(b)
		return cmp.Or(one.Created.Compare(other.Created), cmp.Compare(one.ID, other.ID))
	})
	return counted[:len(counted)-limit+1], false
}

func expired(fields Fields, now time.Time) bool {
	return !fields.ExpiresAt.IsZero() && !now.Before(fields.ExpiresAt)
}
