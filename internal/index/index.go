// Package index finds records by their digest and by their user: what the
// stores in memory share. It does no locking.
package index

// Index is records by digest and by user. Records are replaced, never changed.
type Index[R any] struct {
	keys     func(*R) (digest, userID string)
	byDigest map[string]*R
	byUser   map[string]map[string]*R
}

// New returns an empty index of records that have these keys.
func New[R any](keys func(record *R) (digest, userID string)) *Index[R] {
	return &Index[R]{keys: keys, byDigest: make(map[string]*R), byUser: make(map[string]map[string]*R)}
}

// Get returns the record with this digest, or nil.
func (x *Index[R]) Get(digest string) *R { return x.byDigest[digest] }

// All returns all records by digest. Only Remove may change it.
func (x *Index[R]) All() map[string]*R { return x.byDigest }

// Of returns a user's records by digest. Only Remove may change it.
func (x *Index[R]) Of(userID string) map[string]*R { return x.byUser[userID] }

// Put adds a record, in place of one with the same digest and user.
func (x *Index[R]) Put(record *R) {
	digest, userID := x.keys(record)
	x.byDigest[digest] = record
	if x.byUser[userID] == nil {
		x.byUser[userID] = make(map[string]*R)
	}
	x.byUser[userID][digest] = record
}

// Remove removes a record.
func (x *Index[R]) Remove(record *R) {
	digest, userID := x.keys(record)
	delete(x.byDigest, digest)
	delete(x.byUser[userID], digest)
	if len(x.byUser[userID]) == 0 {
		delete(x.byUser, userID)
	}
}
