package server

import (
	"context"
	"time"
)

// FindCode implements [Store].
func (s *MemoryStore) FindCode(ctx context.Context, digest string) (*Code, *Grant, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.RUnlock()
	c := s.codes[digest]
	if c == nil {
		return nil, nil, nil
	}
	return c, s.grants[c.GrantID].grant, nil
}

// Redeem implements [Store].
func (s *MemoryStore) Redeem(ctx context.Context, digest string, now time.Time, tokens Tokens) (Verdict, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Unknown, err
	}
	defer unlock()
	c := s.codes[digest]
	if c == nil {
		return Unknown, nil
	}
	of := s.grants[c.GrantID]
	switch {
	case !of.grant.RevokedAt.IsZero():
		return Revoked, nil
	case !c.Redeemed.IsZero():
		s.end(of, now)
		return Reused, nil
	case !of.grant.Live(now) || !now.Before(c.ExpiresAt):
		return Expired, nil
	}
	if err := s.add(of, tokens); err != nil {
		return Unknown, err
	}
	used := *c
	used.Redeemed = now
	s.codes[digest], of.unredeemed = &used, false
	s.move(of, now, tokens.ExpiresAt())
	return Redeemed, nil
}

// FindRefresh implements [Store].
func (s *MemoryStore) FindRefresh(ctx context.Context, digest string) (*Refresh, *Grant, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.RUnlock()
	r := s.refresh[digest]
	if r == nil {
		return nil, nil, nil
	}
	return r, s.grants[r.GrantID].grant, nil
}

// Rotate implements [Store].
func (s *MemoryStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	tokens Tokens) (Rotation, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Rotation{}, err
	}
	defer unlock()
	r := s.refresh[old]
	if r == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	of := s.grants[r.GrantID]
	switch {
	case !of.grant.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked}, nil
	case !of.grant.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired}, nil
	case !r.Rotated.IsZero():
		sealed := s.retry(r, now, grace)
		if sealed == nil {
			s.end(of, now)
			return Rotation{Verdict: Reused}, nil
		}
		if err := s.add(of, Tokens{Access: tokens.Access}); err != nil {
			return Rotation{}, err
		}
		s.move(of, now, latest(of.grant.ExpiresAt, tokens.Access.ExpiresAt))
		return Rotation{Verdict: Retried, Sealed: sealed}, nil
	}
	if err := s.add(of, tokens); err != nil {
		return Rotation{}, err
	}
	used := *r
	used.Rotated, used.Successor, used.Sealed = now, tokens.Refresh.Digest, nil
	s.refresh[old] = &used
	s.move(of, now, tokens.ExpiresAt())
	return Rotation{Verdict: Redeemed}, nil
}

// retry returns the sealed successor of a token that was used less than grace
// ago, or nil.
func (s *MemoryStore) retry(r *Refresh, now time.Time, grace time.Duration) []byte {
	since := now.Sub(r.Rotated)
	successor := s.refresh[r.Successor]
	if since <= -grace || since >= grace || successor == nil || !successor.Rotated.IsZero() ||
		!now.Before(successor.ExpiresAt) {
		return nil
	}
	return successor.Sealed
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// AddAccess implements [Store].
func (s *MemoryStore) AddAccess(ctx context.Context, access *Access, now time.Time) (bool, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	of := s.grants[access.GrantID]
	if of == nil || !of.grant.Live(now) {
		return false, nil
	}
	if err := s.add(of, Tokens{Access: access}); err != nil {
		return false, err
	}
	s.move(of, now, latest(of.grant.ExpiresAt, access.ExpiresAt))
	return true, nil
}

// RemoveAccess implements [Store].
func (s *MemoryStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	e := s.access.Get(digest)
	if e == nil {
		return false, nil
	}
	s.access.Remove(digest)
	delete(e.of.access, digest)
	return true, nil
}

// add adds tokens to a grant.
func (s *MemoryStore) add(of *grantRecord, tokens Tokens) error {
	a, r := tokens.Access, tokens.Refresh
	switch {
	case a.GrantID != of.grant.ID || r != nil && r.GrantID != of.grant.ID:
		return errForeign
	case s.access.Get(a.Digest) != nil || r != nil && s.refresh[r.Digest] != nil:
		return errExists
	}
	s.access.Put(&accessEntry{a, of})
	s.expiring.access.Add(a.Digest)
	of.access[a.Digest] = true
	if r != nil {
		s.refresh[r.Digest] = r
		s.expiring.refresh.Add(r.Digest)
		of.refresh[r.Digest] = true
	}
	return nil
}

// move says when a grant was used last and when it expires.
func (s *MemoryStore) move(of *grantRecord, now, expires time.Time) {
	before, moved := of.grant.ExpiresAt, *of.grant
	moved.LastUsed, moved.ExpiresAt = now, expires
	if of.grant = &moved; !expires.Equal(before) {
		s.expiring.grants.Add(moved.ID)
		s.track(of)
	}
}
