package session

import (
	"context"
	"crypto/sha256"
)

var _ HashFinder = (*MemoryStore)(nil)

// HashFinder implements [HashFinder].
func (s *MemoryStore) HashFinder(store Store) FindHash {
	if store != Store(s) {
		return nil
	}
	return s.findHash
}

func (s *MemoryStore) findHash(_ context.Context, hash [sha256.Size]byte) (*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.GetHash(hash), nil
}
