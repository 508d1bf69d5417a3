package server

import (
	"context"
	"time"
)

// PutOnce implements [Store].
func (s *MemoryStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	if s.hasKey(key, now) {
		return false, nil
	}
	s.putKey(key, expires)
	return true, nil
}

// hasKey reports whether a key was noted and has not expired.
func (s *MemoryStore) hasKey(key string, now time.Time) bool {
	until, ok := s.once[key]
	return ok && now.Before(until)
}

// putKey notes a key until it expires.
func (s *MemoryStore) putKey(key string, expires time.Time) {
	s.once[key] = expires
	s.expiring.once.Add(key)
}
