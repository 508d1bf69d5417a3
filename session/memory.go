package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] in memory, for tests and programs that may log
// everybody out when they end.
type MemoryStore struct {
	mu       sync.RWMutex
	byDigest map[string]*Record // records are replaced, never changed
	byUser   map[string]map[string]*Record
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{byDigest: make(map[string]*Record), byUser: make(map[string]map[string]*Record)}
}

var errExists = errors.New("session: digest exists")

// Add implements [Store].
func (s *MemoryStore) Add(_ context.Context, record *Record, replaced string, limit int, evict bool, now time.Time) (Added, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byDigest[record.Digest] != nil {
		return Added{}, errExists
	}
	added := Added{Replaced: s.byDigest[replaced]}
	if limit > 0 {
		live := s.live(record.UserID, now) // newest first
		live = slices.DeleteFunc(live, func(r *Record) bool { return r == added.Replaced || r.Stamp != record.Stamp })
		if len(live) >= limit && !evict {
			return Added{OverLimit: true}, nil
		}
		for len(live) >= limit {
			oldest := live[len(live)-1]
			live = live[:len(live)-1]
			s.remove(oldest)
			added.Evicted = append(added.Evicted, oldest.ID)
		}
	}
	if added.Replaced != nil {
		s.remove(added.Replaced)
	}
	s.put(record)
	return added, nil
}

// Find implements [Store].
func (s *MemoryStore) Find(_ context.Context, digest string) (*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byDigest[digest], nil
}

// Touch implements [Store].
func (s *MemoryStore) Touch(_ context.Context, digest string, used, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.byDigest[digest]
	if record == nil || !record.Live(used) {
		return nil
	}
	touched := *record
	if used.After(record.LastUsed) {
		touched.LastUsed = used
	}
	if expires.After(record.Expires) {
		touched.Expires = expires
	}
	s.put(&touched)
	return nil
}

// Replace implements [Store].
func (s *MemoryStore) Replace(_ context.Context, digest string, successor *Record, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.byDigest[digest]
	if record == nil || !record.Live(now) {
		return false, nil
	}
	if s.byDigest[successor.Digest] != nil {
		return false, errExists
	}
	s.remove(record)
	s.put(successor)
	return true, nil
}

// List implements [Store].
func (s *MemoryStore) List(_ context.Context, userID string, now time.Time) ([]*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live(userID, now), nil
}

// Revoke implements [Store].
func (s *MemoryStore) Revoke(_ context.Context, userID, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range s.byUser[userID] {
		if record.ID == id {
			s.remove(record)
			return true, nil
		}
	}
	return false, nil
}

// RevokeAll implements [Store].
func (s *MemoryStore) RevokeAll(_ context.Context, userID, kept string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for digest, record := range s.byUser[userID] {
		if digest != kept {
			s.remove(record)
			ids = append(ids, record.ID)
		}
	}
	return ids, nil
}

// Purge implements [Store].
func (s *MemoryStore) Purge(_ context.Context, now time.Time, limit int) ([]*Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var purged []*Record
	for _, record := range s.byDigest {
		if len(purged) == limit {
			break
		}
		if !record.Live(now) {
			s.remove(record)
			purged = append(purged, record)
		}
	}
	return purged, nil
}

// live returns the live records of a user, newest first: s.mu is held.
func (s *MemoryStore) live(userID string, now time.Time) []*Record {
	var live []*Record
	for _, record := range s.byUser[userID] {
		if record.Live(now) {
			live = append(live, record)
		}
	}
	slices.SortFunc(live, func(a, b *Record) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return live
}

func (s *MemoryStore) put(record *Record) {
	s.byDigest[record.Digest] = record
	if s.byUser[record.UserID] == nil {
		s.byUser[record.UserID] = make(map[string]*Record)
	}
	s.byUser[record.UserID][record.Digest] = record
}

func (s *MemoryStore) remove(record *Record) {
	delete(s.byDigest, record.Digest)
	delete(s.byUser[record.UserID], record.Digest)
	if len(s.byUser[record.UserID]) == 0 {
		delete(s.byUser, record.UserID)
	}
}
