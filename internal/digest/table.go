package digest

import (
	"crypto/sha256"
	"slices"
)

// Table is records by digest. It finds those with a digest of [Hash] by the hash as well. It does no
// locking.
type Table[R any] struct {
	digestOf func(*R) string
	byHash   map[[sha256.Size]byte]*R
	// others has those with a digest of another form, and those with a hash that another digest
	// has. The latter are twins, with their digests in twins.
	others map[string]*R
	twins  map[[sha256.Size]byte][]string
}

// NewTable returns an empty table of records that have these digests.
func NewTable[R any](digestOf func(record *R) string) *Table[R] {
	return &Table[R]{digestOf: digestOf, byHash: make(map[[sha256.Size]byte]*R), others: make(map[string]*R),
		twins: make(map[[sha256.Size]byte][]string)}
}

// Len returns how many records there are.
func (t *Table[R]) Len() int { return len(t.byHash) + len(t.others) }

// Get returns the record with this digest, or nil.
func (t *Table[R]) Get(digest string) *R {
	if hash, ok := Hash(digest); ok {
		if record := t.byHash[hash]; record != nil && t.digestOf(record) == digest {
			return record
		}
	}
	return t.others[digest]
}

// GetHash returns a record with this hash in its digest, or nil. If two
// digests differ in the shard alone, it returns one of the two records.
func (t *Table[R]) GetHash(hash [sha256.Size]byte) *R { return t.byHash[hash] }

// Put adds a record, in place of one with the same digest.
func (t *Table[R]) Put(record *R) {
	digest := t.digestOf(record)
	hash, ok := Hash(digest)
	if !ok {
		t.others[digest] = record
		return
	}
	if first := t.byHash[hash]; first == nil || t.digestOf(first) == digest {
		t.byHash[hash] = record
		return
	}
	if t.others[digest] == nil {
		t.twins[hash] = append(t.twins[hash], digest)
	}
	t.others[digest] = record
}

// Remove removes the record with this digest, if there is one. Its hash then leads to a twin.
func (t *Table[R]) Remove(digest string) {
	hash, ok := Hash(digest)
	first := t.byHash[hash]
	if !ok || first == nil {
		delete(t.others, digest)
		return
	}
	twins := t.twins[hash]
	i := slices.Index(twins, digest)
	switch {
	case i < 0 && t.digestOf(first) != digest:
		return
	case i < 0 && twins == nil:
		delete(t.byHash, hash)
		return
	case i < 0: // the first of several goes, and a twin takes its place
		i, digest = 0, twins[0]
		t.byHash[hash] = t.others[digest]
	}
	delete(t.others, digest)
	if len(twins) == 1 {
		delete(t.twins, hash)
		return
	}
	t.twins[hash] = slices.Delete(twins, i, i+1)
}
