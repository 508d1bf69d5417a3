package jwt

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryKeyStore is a [KeyStore] in memory, for tests and programs with tokens that
// may end with them.
type MemoryKeyStore struct {
	mu      sync.Mutex
	records []*KeyRecord // in order of SignsFrom, then of ID
}

var _ KeyStore = (*MemoryKeyStore)(nil)

// NewMemoryKeyStore returns an empty store.
func NewMemoryKeyStore() *MemoryKeyStore { return &MemoryKeyStore{} }

// Keys implements [KeyStore].
func (s *MemoryKeyStore) Keys(ctx context.Context) ([]*KeyRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records), nil
}

// Add implements [KeyStore].
func (s *MemoryKeyStore) Add(ctx context.Context, record *KeyRecord, last string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := ""
	for _, r := range s.records {
		if r.Algorithm == record.Algorithm {
			newest = r.ID
		}
	}
	if newest != last {
		return false, nil
	}
	if s.index(record.ID) >= 0 {
		return false, errExists
	}
	s.records = append(slices.Clone(s.records), record)
	s.sort()
	return true, nil
}

// Change implements [KeyStore].
func (s *MemoryKeyStore) Change(ctx context.Context, before *KeyRecord, signs, ends time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(before.ID)
	if i < 0 || !s.records[i].SignsFrom.Equal(before.SignsFrom) || !s.records[i].ExpiresAt.Equal(before.ExpiresAt) {
		return false, nil
	}
	changed := *s.records[i]
	changed.SignsFrom, changed.ExpiresAt = signs, ends
	s.records = slices.Clone(s.records)
	s.records[i] = &changed
	s.sort()
	return true, nil
}

// SetEnd implements [KeyStore].
func (s *MemoryKeyStore) SetEnd(ctx context.Context, id string, ends time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 || !s.records[i].ExpiresAt.IsZero() && !s.records[i].ExpiresAt.After(ends) {
		return false, nil
	}
	changed := *s.records[i]
	changed.ExpiresAt = ends
	s.records = slices.Clone(s.records)
	s.records[i] = &changed
	return true, nil
}

// Remove implements [KeyStore].
func (s *MemoryKeyStore) Remove(ctx context.Context, id string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return false, nil
	}
	s.records = slices.Delete(slices.Clone(s.records), i, i+1)
	return true, nil
}

func (s *MemoryKeyStore) index(id string) int {
	return slices.IndexFunc(s.records, func(r *KeyRecord) bool { return r.ID == id })
}

func (s *MemoryKeyStore) sort() {
	slices.SortFunc(s.records, func(a, b *KeyRecord) int {
		return cmp.Or(a.SignsFrom.Compare(b.SignsFrom), cmp.Compare(a.ID, b.ID))
	})
}
