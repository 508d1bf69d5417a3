package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtUse is the use of a refresh token in a change.
type jwtUse struct {
	c       *change
	t       tag
	now     time.Time
	full    bool // the memory of the server is full: see jwtStore.end
	token   *jwt.Refresh
	login   *login
	void    revokedBeforeRow
	expired []string // digests of the family that are of no use any more, at most forgetAtOnce
}

// forgetAtOnce is how many digests a refresh forgets at most. More are there only after a long pause, and later
// refreshes forget them. Their keys have gone by then.
const forgetAtOnce = 100

// Rotate implements [jwt.Store]. It reads twice, since the key of the token names the family, and writes once.
func (s *jwtStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (jwt.Rotation, error) {
	return s.use(ctx, old, next.Digest, now, func(ctx context.Context, u *jwtUse) (jwt.Rotation, error) {
		if !u.token.Rotated.IsZero() {
			return s.retry(ctx, u, grace)
		}
		return s.rotate(ctx, u, next)
	})
}

// Use implements [jwt.Store].
func (s *jwtStore) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	return s.use(ctx, digest, "", now, func(_ context.Context, u *jwtUse) (jwt.Rotation, error) {
		if !u.token.Rotated.IsZero() {
			return s.reused(u), nil
		}
		l := u.login
		if ends.After(u.token.ExpiresAt) {
			u.token.ExpiresAt = ends
			s.putToken(u.c, u.t, l, u.token, now)
		}
		l.LastUsed, l.ExpiresAt = later(l.LastUsed, now), later(l.ExpiresAt, ends)
		s.putLogin(u.c, u.t, l, now)
		return jwt.Rotation{Verdict: jwt.Kept, Session: l.Session, Generation: u.void.Generation}, nil
	})
}

// use reads a token, its family and, if there shall be a successor, the key of that. Unless the token is no good
// whatever is done with it, decide has the verdict.
func (s *jwtStore) use(ctx context.Context, digest, next string, now time.Time,
	decide func(ctx context.Context, u *jwtUse) (jwt.Rotation, error)) (jwt.Rotation, error) {
	var rotation jwt.Rotation
	err := retryOutOfMemory(func(full bool) error {
		return s.db.atDigest(ctx, jwtPlaces, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
			rotation = jwt.Rotation{}
			u := &jwtUse{c: c, t: t, now: now, full: full}
			if found, err := s.load(ctx, u, digest, next); err != nil || !found {
				return found, err
			}
			var err error
			switch l := u.login; {
			case l == nil: // Unknown
			case !l.RevokedAt.IsZero():
				rotation = jwt.Rotation{Verdict: jwt.Revoked, Session: l.Session}
			case !l.Live(now) || !now.Before(u.token.ExpiresAt):
				rotation = jwt.Rotation{Verdict: jwt.Expired, Session: l.Session}
			default:
				rotation, err = decide(ctx, u)
			}
			return true, err
		})
	})
	if err != nil {
		return jwt.Rotation{}, err
	}
	return rotation, nil
}

// load reads what decides about a token, and reports whether there is one. The digests to forget are read beside the
// keys, in the same round trip.
func (s *jwtStore) load(ctx context.Context, u *jwtUse, digest, next string) (bool, error) {
	var row refreshRow
	found, err := u.c.get(ctx, s.db.key(jwtTokens, u.t, digest), &row)
	if err != nil || !found {
		return false, err
	}
	u.token = row.refresh(digest)
	keys := []string{s.db.key(jwtFamilies, u.t, row.FamilyID), s.db.key(jwtOwners, u.t, row.UserID)}
	forget := func() error { return nil }
	switch {
	case row.Successor != "":
		keys = append(keys, s.db.key(jwtTokens, u.t, row.Successor))
	case next != "":
		keys = append(keys, s.db.key(jwtTokens, u.t, next))
		forget = s.expired(ctx, u)
	}
	err = u.c.read(ctx, keys...)
	if forgetting := forget(); err == nil {
		err = forgetting
	}
	if err != nil {
		return true, err
	}
	if u.login, err = s.login(ctx, u.c, u.t, row.FamilyID); err != nil {
		return true, err
	}
	u.void, err = s.loadRevokedBefore(ctx, u.c, u.t, row.UserID)
	return true, err
}

// expired begins to read which digests of a family are of no use any more. The function that it returns waits for them.
// They need not be compared: a use that moves an expiry changes the family, too.
func (s *jwtStore) expired(ctx context.Context, u *jwtUse) (wait func() error) {
	read := make(chan error, 1)
	index := s.db.key(jwtMembers, u.t, u.token.SessionID)
	go func() {
		var err error
		u.expired, err = s.db.until(ctx, index, u.now.Add(-jwt.KeepExpired), forgetAtOnce)
		read <- err
	}()
	return func() error { return <-read }
}

// retry decides about a token that was rotated before. Within the grace it returns the successor. Otherwise it ends the
// family.
func (s *jwtStore) retry(ctx context.Context, u *jwtUse, grace time.Duration) (jwt.Rotation, error) {
	since := u.now.Sub(u.token.Rotated) // negative if the clock of another instance is ahead
	if since <= -grace || since >= grace {
		return s.reused(u), nil
	}
	var row refreshRow
	found, err := u.c.get(ctx, s.db.key(jwtTokens, u.t, u.token.Successor), &row)
	if err != nil {
		return jwt.Rotation{}, err
	}
	next := row.refresh(u.token.Successor)
	if !found || !next.Rotated.IsZero() || !u.now.Before(next.ExpiresAt) || len(next.Sealed) == 0 {
		return s.reused(u), nil
	}
	return jwt.Rotation{Verdict: jwt.Retried, Session: u.login.Session, Generation: u.void.Generation,
		Sealed: next.Sealed}, nil
}

// reused ends the family of a token that was used before.
func (s *jwtStore) reused(u *jwtUse) jwt.Rotation {
	s.end(u.c, u.t, u.login, u.now, u.full)
	return jwt.Rotation{Verdict: jwt.Reused, Session: u.login.Session}
}

// rotate replaces the token that is used by a new one, and removes expired tokens.
func (s *jwtStore) rotate(ctx context.Context, u *jwtUse, next *jwt.Refresh) (jwt.Rotation, error) {
	c, t, l := u.c, u.t, u.login
	switch {
	case next.SessionID != l.ID:
		return jwt.Rotation{}, errOtherFamily
	case c.exists(s.db.key(jwtTokens, t, next.Digest)):
		return jwt.Rotation{}, errDigestExists
	}
	ttl := ttlUntil(next.ExpiresAt.Add(jwt.KeepExpired), u.now)
	if err := s.db.storeTag(ctx, jwtTokens, jwtPlaces, next.Digest, t, ttl); err != nil {
		return jwt.Rotation{}, err
	}
	for _, digest := range u.expired {
		c.remove(s.db.key(jwtTokens, t, digest))
		c.removeMember(s.db.key(jwtMembers, t, l.ID), digest)
	}
	used := *u.token
	used.Rotated, used.Successor, used.Sealed = u.now, next.Digest, nil
	s.putToken(c, t, l, &used, u.now)
	s.putToken(c, t, l, next, u.now)
	l.LastUsed, l.ExpiresAt = u.now, next.ExpiresAt
	s.putLogin(c, t, l, u.now)
	return jwt.Rotation{Verdict: jwt.Rotated, Session: l.Session, Generation: u.void.Generation}, nil
}
