package jwt

import (
	"context"
	"time"
)

// Rotate implements [Store].
func (s *MemoryStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *Refresh) (Rotation, error) {
	if err := ctx.Err(); err != nil {
		return Rotation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[old]
	if t == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	r, l := t.refresh, t.of
	session, generation := l.session, s.generation(l.session.UserID)
	switch {
	case !session.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked, Session: session}, nil
	case !session.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired, Session: session}, nil
	case !r.Rotated.IsZero():
		if sealed := s.retry(r, now, grace); sealed != nil {
			return Rotation{Verdict: Retried, Session: session, Generation: generation, Sealed: sealed}, nil
		}
		s.end(l, now)
		return Rotation{Verdict: Reused, Session: l.session}, nil
	case next.SessionID != session.ID:
		return Rotation{}, errForeign
	case s.tokens[next.Digest] != nil:
		return Rotation{}, errExists
	}
	s.forget(l, now)
	used := *r
	used.Rotated, used.Successor, used.Sealed = now, next.Digest, nil
	t.refresh = &used
	moved := *session
	moved.LastUsed, moved.ExpiresAt = now, next.ExpiresAt
	before := l.until
	l.replace(&moved)
	if s.put(l, next); !l.until.Equal(before) {
		s.queue.Add(session.ID)
	}
	return Rotation{Verdict: Rotated, Session: &moved, Generation: generation}, nil
}

// retry returns the sealed successor of a token that was used less than grace
// ago, or nil.
func (s *MemoryStore) retry(r *Refresh, now time.Time, grace time.Duration) []byte {
	since := now.Sub(r.Rotated)
	t := s.tokens[r.Successor]
	if since <= -grace || since >= grace || t == nil || !t.refresh.Rotated.IsZero() ||
		!now.Before(t.refresh.ExpiresAt) {
		return nil
	}
	return t.refresh.Sealed
}

// Use implements [Store].
func (s *MemoryStore) Use(ctx context.Context, digest string, now, ends time.Time) (Rotation, error) {
	if err := ctx.Err(); err != nil {
		return Rotation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[digest]
	if t == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	r, l := t.refresh, t.of
	switch session := l.session; {
	case !session.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked, Session: session}, nil
	case !session.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired, Session: session}, nil
	case !r.Rotated.IsZero():
		s.end(l, now)
		return Rotation{Verdict: Reused, Session: l.session}, nil
	}
	if ends.After(r.ExpiresAt) {
		longer := *r
		longer.ExpiresAt = ends
		t.refresh = &longer
	}
	moved := *l.session
	moved.LastUsed, moved.ExpiresAt = later(moved.LastUsed, now), later(moved.ExpiresAt, ends)
	before := l.until
	l.replace(&moved)
	if l.keep(t.refresh.ExpiresAt.Add(KeepExpired)); !l.until.Equal(before) {
		s.queue.Add(moved.ID)
	}
	return Rotation{Verdict: Kept, Session: &moved, Generation: s.generation(moved.UserID)}, nil
}

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
