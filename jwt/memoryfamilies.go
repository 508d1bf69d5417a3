package jwt

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// List implements [Store].
func (s *MemoryStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Family, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []*Family
	for l := range s.owners[userID].live(now) {
		if after == "" || l.family.ID < after {
			page = append(page, l.family)
		}
	}
	slices.SortFunc(page, func(a, b *Family) int { return cmp.Compare(b.ID, a.ID) })
	return slices.Clone(page[:min(limit, len(page))]), nil
}

// End implements [Store].
func (s *MemoryStore) End(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logins[id]
	if l == nil || l.family.UserID != userID || !l.family.Live(now) {
		return false, nil
	}
	s.end(l, now)
	return true, nil
}

// EndAll implements [Store].
func (s *MemoryStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner(userID)
	var ids []string
	for l := range o.live(now) {
		if l.family.ID == kept {
			stamped := *l.family
			stamped.Stamp = stamp
			l.family = &stamped
			continue
		}
		s.end(l, now)
		ids = append(ids, l.family.ID)
	}
	if o.voided = now; kept == "" {
		o.generation++
	}
	return ids, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.PurgeAll(ctx, limit, expiry.Step(&s.mu, s.queue, now, func(id string) { s.remove(s.logins[id]) }))
}
