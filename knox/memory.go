package knox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/index"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget
// all tokens when they end.
type MemoryStore struct {
	mu      sync.RWMutex
	records *index.Index[Record]     // by digest and by user
	ended   map[string][]*EndedToken // of each user, as they came
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{
		records: index.New(func(r *Record) index.Entry {
			return index.Entry{Digest: r.Digest, UserID: r.UserID, ID: r.ID, Created: r.Created, ExpiresAt: r.ExpiresAt}
		}),
		ended: make(map[string][]*EndedToken),
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
	if isSpared := func(other *Record) bool { return other.ID == ending.Spare }; limit > 1 && slices.ContainsFunc(surplus, isSpared) {
		surplus, _ = s.records.Surplus(record.UserID, ending.At, limit-1, evict, func(other *Record) bool {
			return rival(other) && !isSpared(other)
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
func (s *MemoryStore) Touch(_ context.Context, digest string, used, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Get(digest)
	if record == nil || !record.Live(used) {
		return nil
	}
	touched := *record
	if used.After(record.LastUsed) {
		touched.LastUsed = used
	}
	if !record.ExpiresAt.IsZero() && expires.After(record.ExpiresAt) {
		touched.ExpiresAt = expires
	}
	s.records.Put(&touched)
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
	for _, record := range s.records.Of(userID) {
		if record.Digest == kept {
			restamped := *record
			restamped.Stamp = stamp
			s.records.Put(&restamped)
			continue
		}
		s.end(record, ending)
		ids = append(ids, record.ID)
	}
	return ids, nil
}

// Purge implements [Store].
func (s *MemoryStore) Purge(_ context.Context, limit int, ending Ending) ([]*Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	purged := s.records.Expired(ending.At, limit)
	for _, record := range purged {
		s.end(record, ending)
	}
	return purged, nil
}

// Ended implements [Store].
func (s *MemoryStore) Ended(_ context.Context, userID string, since time.Time, limit int) ([]*EndedToken, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ended []*EndedToken
	for _, token := range s.ended[userID] {
		if token.EndedAt.After(since) {
			ended = append(ended, token)
		}
	}
	slices.SortFunc(ended, func(a, b *EndedToken) int {
		return cmp.Or(b.EndedAt.Compare(a.EndedAt), cmp.Compare(b.ID, a.ID))
	})
	return ended[:min(limit, len(ended))], nil
}

// PurgeEnded implements [Store].
func (s *MemoryStore) PurgeEnded(_ context.Context, before time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	purged := 0
	for userID, ended := range s.ended {
		ended = slices.DeleteFunc(ended, func(token *EndedToken) bool {
			if purged == limit || token.EndedAt.After(before) {
				return false
			}
			purged++
			return true
		})
		if s.ended[userID] = ended; len(ended) == 0 {
			delete(s.ended, userID)
		}
	}
	return purged, nil
}

func (s *MemoryStore) end(record *Record, ending Ending) {
	if ending.Keep {
		s.ended[record.UserID] = append(s.ended[record.UserID], ending.Of(record))
	}
	s.records.Remove(record)
}
