package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/jwt"
)

const (
	jwtOwner = `(SELECT generation FROM {prefix}owners WHERE user_id = ?),
		(SELECT voided FROM {prefix}owners WHERE user_id = ?),
		(SELECT COUNT(*) FROM {prefix}jwt_families WHERE id = ? AND ` + jwtLive + `)`
	// jwtRevoked reads what Revoked decides by.
	jwtRevoked = `SELECT ` + jwtOwner
	// jwtRevokedSliding is jwtRevoked for a token that is also a refresh token.
	jwtRevokedSliding = `SELECT ` + jwtOwner + `,
		(SELECT COUNT(*) FROM {prefix}jwt_refresh WHERE digest = ? AND family_id = ? AND expires_at > ?),
		(SELECT COUNT(*) FROM {prefix}jwt_refresh r JOIN {prefix}jwt_families f ON f.id = r.family_id
			WHERE r.digest = ? AND (r.rotated <= ? OR f.revoked_at IS NOT NULL))`
)

// Revoked implements [jwt.Store] by one query.
func (s *JWTStore) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	var generation, voided sql.NullInt64
	families, tokens, used := 1, 1, 0
	var err error
	if c.Digest == "" {
		err = s.revoked.row(ctx, c.UserID, c.UserID, c.SessionID, c.UserID, micros(now)).
			Scan(&generation, &voided, &families)
	} else {
		err = s.revokedSliding.row(ctx, c.UserID, c.UserID, c.SessionID, c.UserID, micros(now),
			c.Digest, c.SessionID, micros(now), c.Digest, micros(now.Add(-c.Grace))).Scan(&generation, &voided,
			&families, &tokens, &used)
	}
	switch {
	case err != nil:
		return false, err
	case c.SessionID != "" && (families == 0 || tokens == 0), used > 0:
		return true, nil
	case c.Generation < 0:
		return voided.Valid && !c.IssuedAt.After(instant(voided)), nil
	}
	return c.Generation < generation.Int64, nil
}
