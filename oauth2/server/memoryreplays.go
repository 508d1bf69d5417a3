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
	if until, ok := s.once[key]; ok && now.Before(until) {
		return false, nil
	}
	s.once[key] = expires
	s.expiring.once.Add(key)
	return true, nil
}
