package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// Revoked implements [jwt.Store]. What decides is read in one round trip, and an adopted token takes a second one. That
// needs no change: what is void stays void, so the answer is right for the moment of the first read.
func (s *jwtStore) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t := tagOfOwner(c.UserID)
	keys := []string{s.db.key(jwtOwners, t, c.UserID)}
	if c.SessionID != "" {
		keys = append(keys, s.db.key(jwtFamilies, t, c.SessionID))
	}
	if c.Digest != "" {
		return s.spent(ctx, c, now, keys)
	}
	texts, err := s.db.getAll(ctx, keys)
	if err != nil {
		return false, err
	}
	return isRevoked(c, now, keys, texts)
}

// isRevoked decides by what is void for the user and, if there is a second key, by the family.
func isRevoked(c jwt.Claimed, now time.Time, keys []string, texts []*string) (bool, error) {
	if len(keys) > 1 {
		if live, err := isLive(keys[1], texts[1], c, now); err != nil || !live {
			return err == nil, err
		}
	}
	return isVoid(keys[0], texts[0], c)
}

// isLive reports whether the text of a key is a live family of the user.
func isLive(key string, text *string, c jwt.Claimed, now time.Time) (bool, error) {
	if text == nil {
		return false, nil
	}
	var row familyRow
	if err := decode(key, *text, &row); err != nil {
		return false, err
	}
	return row.UserID == c.UserID && row.login(c.SessionID).Live(now), nil
}

// isVoid reports whether the text of a key voids what is of no family.
func isVoid(key string, text *string, c jwt.Claimed) (bool, error) {
	if text == nil { // generation 0, and nothing is void
		return false, nil
	}
	var row voidRow
	if err := decode(key, *text, &row); err != nil {
		return false, err
	}
	if c.Generation < 0 {
		return row.Voided != 0 && !c.IssuedAt.After(row.Voided.time()), nil
	}
	return c.Generation < row.Generation, nil
}

// spent is Revoked for a claim with a digest. A family without its key has ended.
func (s *jwtStore) spent(ctx context.Context, c jwt.Claimed, now time.Time, keys []string) (bool, error) {
	row, t, texts, err := s.token(ctx, c.Digest, keys...)
	if err != nil {
		return false, err
	}
	if revoked, err := isRevoked(c, now, keys, texts); err != nil || revoked {
		return revoked, err
	}
	if row == nil {
		return c.SessionID != "", nil
	}
	r := row.refresh(c.Digest)
	if !r.Rotated.IsZero() && now.Sub(r.Rotated) >= c.Grace {
		return true, nil
	}
	if c.SessionID != "" { // that family is live
		return r.SessionID != c.SessionID || !now.Before(r.ExpiresAt), nil
	}
	l, err := s.family(ctx, t, r.SessionID)
	return err == nil && (l == nil || !l.RevokedAt.IsZero()), err
}
