package jwt

import (
	"context"
	"time"
)

// Revoked implements [Store].
func (s *MemoryStore) Revoked(ctx context.Context, c Claimed, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c.SessionID != "" {
		l := s.logins[c.SessionID]
		if l == nil || l.family.UserID != c.UserID || !l.family.Live(now) {
			return true, nil
		}
	}
	if c.Digest != "" {
		t := s.tokens[c.Digest]
		used := t != nil && (!t.of.family.RevokedAt.IsZero() ||
			!t.refresh.Rotated.IsZero() && now.Sub(t.refresh.Rotated) >= c.Grace)
		live := t != nil && t.refresh.FamilyID == c.SessionID && now.Before(t.refresh.ExpiresAt)
		if used || c.SessionID != "" && !live {
			return true, nil
		}
	}
	o := s.owners[c.UserID]
	if o == nil { // generation 0, and nothing is void
		return false, nil
	}
	if c.Generation < 0 {
		return !o.voided.IsZero() && !c.IssuedAt.After(o.voided), nil
	}
	return c.Generation < o.generation, nil
}
