package server

import (
	"context"
	"time"
)

// PutOnce implements [Store].
func (s *MemoryStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	if s.noted(key, now) {
		return false, nil
	}
	s.note(key, expires)
	return true, nil
}

// noted reports whether a key was noted and has not expired.
func (s *MemoryStore) noted(key string, now time.Time) bool {
	until, ok := s.once[key]
	return ok && now.Before(until)
}

// note notes a key until it expires.
func (s *MemoryStore) note(key string, expires time.Time) {
	s.once[key] = expires
	s.expiring.once.Add(key)
}
