package server

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/gatewarden/auth/internal/digest"
)

// accessEntry leads from an access token to its grant without another look-up.
type accessEntry struct {
	access *Access
	of     *grantRecord
}

// newAccessTable returns an empty table of access tokens.
func newAccessTable() *digest.Table[accessEntry] {
	return digest.NewTable(func(e *accessEntry) string { return e.access.Digest })
}

// accessExpiry returns when the access token with this digest expires, if there is one.
func (s *MemoryStore) accessExpiry(digest string) (time.Time, bool) {
	e := s.access.Get(digest)
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
	access, grant := s.access.Get(digest).found()
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
	access, grant := s.access.GetHash(hash).found()
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
