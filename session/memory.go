package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
	"github.com/gatewarden/auth/internal/recordindex"
)

// MemoryStore is a [Store] in memory, for tests and programs that may log
// everybody out when they end.
type MemoryStore struct {
	mu      sync.RWMutex
	records *recordindex.Index[Record] // by digest and by user
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{records: recordindex.New(func(r *Record) recordindex.Fields {
		return recordindex.Fields{Digest: r.Digest, UserID: r.UserID, ID: r.ID,
			Created: r.Created, ExpiresAt: r.ExpiresAt}
	})}
}

var errExists = errors.New("session: digest exists")

// Add implements [Store].
func (s *MemoryStore) Add(_ context.Context, record *Record, replaced string, limit int, evict bool,
	now time.Time) (Added, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records.Get(record.Digest) != nil {
		return Added{}, errExists
	}
	var added Added
	if old := s.records.Get(replaced); old != nil && !old.IsTombstone() {
		added.Replaced = old
	}
	surplus, full := s.records.Surplus(record.UserID, now, limit, evict, func(other *Record) bool {
		return other != added.Replaced && other.Stamp == record.Stamp
	})
	if full {
		return Added{OverLimit: true}, nil
	}
	for _, oldest := range surplus {
		s.records.Remove(oldest)
		added.Evicted = append(added.Evicted, oldest.ID)
	}
	if added.Replaced != nil {
		s.replaceByTombstone(added.Replaced, now)
	}
	s.records.Put(record)
	return added, nil
}

// Find implements [Store].
func (s *MemoryStore) Find(_ context.Context, digest string) (*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.Get(digest), nil
}

// Touch implements [Store].
func (s *MemoryStore) Touch(_ context.Context, touch Touch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Get(touch.Digest)
	if record == nil || !record.Live(touch.Used) || record.IsTombstone() {
		return nil
	}
	touched := *record
	if touch.Used.After(record.LastUsed) {
		touched.LastUsed = touch.Used
	}
	if touch.ExpiresAt.After(record.ExpiresAt) {
		touched.ExpiresAt = touch.ExpiresAt
	}
	s.records.Put(record.replacedBy(touched))
	return nil
}

// Replace implements [Store].
func (s *MemoryStore) Replace(_ context.Context, digest string, successor *Record, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Get(digest)
	if record == nil || !record.Live(now) || record.IsTombstone() {
		return false, nil
	}
	if s.records.Get(successor.Digest) != nil {
		return false, errExists
	}
	s.replaceByTombstone(record, now)
	s.records.Put(successor)
	return true, nil
}

// List implements [Store].
func (s *MemoryStore) List(_ context.Context, userID, after string, limit int, now time.Time) ([]*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.Page(userID, after, limit, now), nil
}

// Revoke implements [Store].
func (s *MemoryStore) Revoke(_ context.Context, userID, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Find(userID, id)
	if record != nil {
		s.records.Remove(record)
	}
	return record != nil, nil
}

// RevokeAll implements [Store].
func (s *MemoryStore) RevokeAll(_ context.Context, userID, kept string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, record := range s.records.ByUser(userID) {
		if record.Digest != kept {
			s.records.Remove(record)
			ids = append(ids, record.ID)
		}
	}
	return ids, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) ([]*Record, error) {
	var purged []*Record
	_, err := expiry.PurgeAll(ctx, limit, func(limit int) (int, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.records.Purge(now, limit, func(record *Record) {
			s.records.Remove(record)
			purged = append(purged, record)
		})
	})
	return purged, err
}

// replaceByTombstone removes a record and adds its tombstone. s.mu is held.
func (s *MemoryStore) replaceByTombstone(record *Record, now time.Time) {
	s.records.Remove(record)
	s.records.Put(record.Tombstone(now))
}
