package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// Revoked implements [jwt.Store]. What decides is read in one round trip, and an adopted token takes a second one. That
// needs no change: what is revoked stays revoked, so the answer is right for the moment of the first read.
func (s *jwtStore) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t := tagOfOwner(c.UserID)
	keys := []string{s.db.key(jwtOwners, t, c.UserID)}
	if c.SessionID != "" {
		keys = append(keys, s.db.key(jwtFamilies, t, c.SessionID))
	}
	if c.Digest != "" {
		return s.isTokenRevoked(ctx, c, now, keys)
	}
	texts, err := s.db.getAll(ctx, keys)
	if err != nil {
		return false, err
	}
	return isRevoked(c, now, keys, texts)
}

// isRevoked decides by what was revoked for the user and, if there is a second key, by the family.
func isRevoked(c jwt.Claimed, now time.Time, keys []string, texts []*string) (bool, error) {
	if len(keys) > 1 {
		if live, err := isLive(keys[1], texts[1], c, now); err != nil || !live {
			return err == nil, err
		}
	}
	return isRevokedBefore(keys[0], texts[0], c)
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

// isRevokedBefore reports whether the text of a key revokes a token that belongs to no family.
func isRevokedBefore(key string, text *string, c jwt.Claimed) (bool, error) {
	if text == nil { // generation 0, and nothing is void
		return false, nil
	}
	var row revokedBeforeRow
	if err := decode(key, *text, &row); err != nil {
		return false, err
	}
	if c.Generation < 0 {
		return row.Voided != 0 && !c.IssuedAt.After(row.Voided.time()), nil
	}
	return c.Generation < row.Generation, nil
}

// isTokenRevoked implements Revoked for a claim with the digest of a refresh token. A family whose key is missing has
// ended.
func (s *jwtStore) isTokenRevoked(ctx context.Context, c jwt.Claimed, now time.Time, keys []string) (bool, error) {
	row, t, texts, err := s.token(ctx, c.Digest, keys...)
	if err != nil {
		return false, err
	}
	if revoked, err := isRevoked(c, now, keys, texts); err != nil || revoked {
		return revoked, err
	}
	if row == nil { // the token is unknown, and revoked if it belongs to a family
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
