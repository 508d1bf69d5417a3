package server

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/gatewarden/auth/backend"
)

// accessEntry leads from an access token to its grant without another look-up.
type accessEntry struct {
	access *Access
	of     *issued
}

// accessIndex is access tokens by digest. The zero value cannot be added to.
type accessIndex struct {
	byHash map[[sha256.Size]byte]*accessEntry // by the hash inside their digest
	others map[string]*accessEntry            // digests of another form, or with a hash that another digest has
}

func newAccessIndex() accessIndex {
	return accessIndex{make(map[[sha256.Size]byte]*accessEntry), make(map[string]*accessEntry)}
}

// get returns the entry with this digest, or nil.
func (x accessIndex) get(digest string) *accessEntry {
	if hash, ok := backend.DigestHash(digest); ok {
		if e := x.byHash[hash]; e != nil && e.access.Digest == digest {
			return e
		}
	}
	return x.others[digest]
}

// put adds an entry whose digest is not there.
func (x accessIndex) put(e *accessEntry) {
	hash, ok := backend.DigestHash(e.access.Digest)
	if !ok || x.byHash[hash] != nil {
		x.others[e.access.Digest] = e
		return
	}
	x.byHash[hash] = e
}

// remove removes the entry with this digest.
func (x accessIndex) remove(digest string) {
	if hash, ok := backend.DigestHash(digest); ok {
		if e := x.byHash[hash]; e != nil && e.access.Digest == digest {
			delete(x.byHash, hash)
			return
		}
	}
	delete(x.others, digest)
}

// len returns how many entries there are.
func (x accessIndex) len() int { return len(x.byHash) + len(x.others) }

// expiresAt returns when the access token with this digest expires, if there is one.
func (x accessIndex) expiresAt(digest string) (time.Time, bool) {
	e := x.get(digest)
	if e == nil {
		return time.Time{}, false
	}
	return e.access.ExpiresAt, true
}

// FindAccess implements [Store].
func (s *MemoryStore) FindAccess(ctx context.Context, digest string) (*Access, *Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	access, grant := s.access.get(digest).found()
	return access, grant, nil
}

var _ HashFinder = (*MemoryStore)(nil)

// HashFinder implements [HashFinder].
func (s *MemoryStore) HashFinder(store Store) FindAccessHash {
	if store != Store(s) {
		return nil
	}
	return s.findAccessHash
}

func (s *MemoryStore) findAccessHash(ctx context.Context, hash [sha256.Size]byte) (*Access, *Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	access, grant := s.access.byHash[hash].found()
	return access, grant, nil
}

// found returns an access token and its grant as it is now. Only the lock of the store makes
// the latter safe to read.
func (e *accessEntry) found() (*Access, *Grant) {
	if e == nil {
		return nil, nil
	}
	return e.access, e.of.grant
}
