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
	if c.Digest != "" && s.spent(c, now) {
		return true, nil
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

// spent reports whether the refresh token of c is of no use any more.
func (s *MemoryStore) spent(c Claimed, now time.Time) bool {
	t := s.tokens[c.Digest]
	if t == nil {
		return c.SessionID != ""
	}
	r, family := t.refresh, t.of.family
	if !family.RevokedAt.IsZero() || !r.Rotated.IsZero() && now.Sub(r.Rotated) >= c.Grace {
		return true
	}
	return c.SessionID != "" && (r.FamilyID != c.SessionID || !now.Before(r.ExpiresAt))
}
