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
		l := s.sessions[c.SessionID]
		if l == nil || l.session.UserID != c.UserID || !l.session.Live(now) {
			return true, nil
		}
	}
	if c.Digest != "" && s.tokenRevoked(c, now) {
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

// tokenRevoked reports whether the refresh token of c can be used no more: its session ended, or it was replaced Grace
// ago or earlier. With a SessionID, a token that is unknown, expired or of another session is revoked, too. Without
// one, an unknown token is of another system and not used yet.
func (s *MemoryStore) tokenRevoked(c Claimed, now time.Time) bool {
	t := s.tokens[c.Digest]
	if t == nil {
		return c.SessionID != ""
	}
	r, session := t.refresh, t.of.session
	if !session.RevokedAt.IsZero() || !r.Rotated.IsZero() && now.Sub(r.Rotated) >= c.Grace {
		return true
	}
	return c.SessionID != "" && (r.SessionID != c.SessionID || !now.Before(r.ExpiresAt))
}
