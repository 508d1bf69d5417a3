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
	var row *refreshRow
	var at tag
	var texts []*string
	var err error
	if c.Digest != "" {
		row, at, texts, err = s.token(ctx, c.Digest, keys...)
	} else {
		texts, err = s.db.getAll(ctx, keys)
	}
	if err != nil {
		return false, err
	}
	if c.SessionID != "" {
		if live, err := isLive(keys[1], texts[1], c, now); err != nil || !live {
			return !live && err == nil, err
		}
	}
	if c.Digest != "" {
		if spent, err := s.spent(ctx, row, at, c, now); err != nil || spent {
			return spent && err == nil, err
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

// spent reports whether the refresh token of c is of no use any more. A family whose key has gone has ended. The family
// with c.SessionID is live.
func (s *jwtStore) spent(ctx context.Context, row *refreshRow, t tag, c jwt.Claimed, now time.Time) (bool, error) {
	if row == nil {
		return c.SessionID != "", nil
	}
	r := row.refresh(c.Digest)
	if !r.Rotated.IsZero() && now.Sub(r.Rotated) >= c.Grace {
		return true, nil
	}
	if c.SessionID != "" {
		return r.FamilyID != c.SessionID || !now.Before(r.ExpiresAt), nil
	}
	l, err := s.family(ctx, t, r.FamilyID)
	return err == nil && (l == nil || !l.RevokedAt.IsZero()), err
}
