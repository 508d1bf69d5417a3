package knox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
	"github.com/gatewarden/auth/internal/recordindex"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget
// all tokens when they end.
type MemoryStore struct {
	mu      sync.RWMutex
	records *recordindex.Index[Record] // by digest and by user
	ended   endedTokens
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{
		records: recordindex.New(func(r *Record) recordindex.Fields {
			return recordindex.Fields{Digest: r.Digest, UserID: r.UserID, ID: r.ID,
				Created: r.Created, ExpiresAt: r.ExpiresAt}
		}),
		ended: newEndedTokens(),
	}
}

// Add implements [Store].
func (s *MemoryStore) Add(_ context.Context, record *Record, limit int, evict bool, ending Ending) (Added, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records.Get(record.Digest) != nil {
		return Added{}, errors.New("knox: digest exists")
	}
	rival := func(other *Record) bool { return other.Stamp == record.Stamp }
	surplus, full := s.records.Surplus(record.UserID, ending.At, limit, evict, rival)
	isExempt := func(other *Record) bool { return other.ID == ending.Exempt }
	if limit > 1 && slices.ContainsFunc(surplus, isExempt) {
		surplus, _ = s.records.Surplus(record.UserID, ending.At, limit-1, evict, func(other *Record) bool {
			return rival(other) && !isExempt(other)
		})
	}
	if full {
		return Added{OverLimit: true}, nil
	}
	var added Added
	for _, oldest := range surplus {
		s.end(oldest, ending)
		added.Evicted = append(added.Evicted, oldest.ID)
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
	if record == nil || !record.Live(touch.Used) {
		return nil
	}
	touched := *record
	if touch.Used.After(record.LastUsed) {
		touched.LastUsed = touch.Used
	}
	if !record.ExpiresAt.IsZero() && touch.ExpiresAt.After(record.ExpiresAt) {
		touched.ExpiresAt = touch.ExpiresAt
	}
	s.records.Put(record.replacedBy(touched))
	return nil
}

// List implements [Store].
func (s *MemoryStore) List(_ context.Context, userID, after string, limit int, now time.Time) ([]*Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.Page(userID, after, limit, now), nil
}

// Revoke implements [Store].
func (s *MemoryStore) Revoke(_ context.Context, userID, id string, ending Ending) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Find(userID, id)
	if record != nil {
		s.end(record, ending)
	}
	return record != nil, nil
}

// RevokeAll implements [Store].
func (s *MemoryStore) RevokeAll(_ context.Context, userID, kept, stamp string, ending Ending) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, record := range s.records.ByUser(userID) {
		if record.Digest == kept {
			restamped := *record
			restamped.Stamp = stamp
			s.records.Put(record.replacedBy(restamped))
			continue
		}
		s.end(record, ending)
		ids = append(ids, record.ID)
	}
	return ids, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, limit int, ending Ending) ([]*Record, error) {
	var purged []*Record
	_, err := expiry.PurgeAll(ctx, limit, func(limit int) (int, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.records.Purge(ending.At, limit, func(record *Record) {
			s.end(record, ending)
			purged = append(purged, record)
		})
	})
	return purged, err
}

func (s *MemoryStore) end(record *Record, ending Ending) {
	if ending.Keep {
		s.ended.add(ending.Of(record))
	}
	s.records.Remove(record)
}
