package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// This file ends and purges logins.

// end ends a family that has not ended, in a transaction.
func (s *JWTStore) end(ctx context.Context, conn *sql.Conn, family *jwt.Session, now time.Time) error {
	ended, err := changed(conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_families SET revoked_at = ?
		WHERE id = ? AND revoked_at IS NULL`), micros(now), family.ID))
	if err != nil || !ended {
		return err
	}
	return s.db.notify(ctx, conn, family.UserID)
}

// endThese ends families that a transaction has locked.
func (s *JWTStore) endThese(ctx context.Context, conn *sql.Conn, ids []string, now time.Time) error {
	_, err := s.db.execForKeys(ctx, conn, `UPDATE {prefix}jwt_families SET revoked_at = ? WHERE id IN {keys}`, ids,
		micros(now))
	return err
}

// Revoke implements [jwt.Store].
func (s *JWTStore) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	return s.db.endOne(ctx, s.db.sql(`UPDATE {prefix}jwt_families SET revoked_at = ?
		WHERE id = ? AND `+jwtLive), userID, micros(now), id, userID, micros(now))
}

// RevokeAll implements [jwt.Store] in one transaction.
func (s *JWTStore) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]string, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return nil, err
		}
		generations := 0
		if kept == "" {
			generations = 1
		}
		if err := s.db.revokeIssuedBefore(ctx, conn, userID, generations, now); err != nil {
			return nil, err
		}
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_families SET stamp = ?
			WHERE id = ? AND `+jwtLive), stamp, kept, userID, micros(now)); err != nil {
			return nil, err
		}
		ids, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}jwt_families
			WHERE id <> ? AND `+jwtLive+` ORDER BY created DESC, id DESC {lock}`),
			kept, userID, micros(now))
		if err != nil {
			return nil, err
		}
		if err := s.db.notify(ctx, conn, userID); err != nil { // of what others issued, too
			return nil, err
		}
		return ids, s.endThese(ctx, conn, ids, now)
	})
}

// Purge implements [jwt.Store] in one transaction.
func (s *JWTStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		ids, err := s.purgeable(ctx, conn, now, limit)
		if err != nil {
			return 0, err
		}
		for _, statement := range []string{
			`DELETE FROM {prefix}jwt_refresh WHERE family_id IN {keys}`,
			`DELETE FROM {prefix}jwt_families WHERE id IN {keys}`,
		} {
			if _, err := s.db.execForKeys(ctx, conn, statement, ids); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
}

// purgeable returns at most limit families that Purge removes: first those that expired, then
// those that ended. An adopted token of before version 4 of the tables is told by having been rotated when the
// family began. MariaDB reads a whole index for NOT EXISTS, and looks one family up for a value that is NULL.
func (s *JWTStore) purgeable(ctx context.Context, conn *sql.Conn, now time.Time, limit int) ([]string, error) {
	kept := micros(now.Add(-jwt.KeepExpired))
	ids, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}jwt_families f
		WHERE expires_at <= ?
		AND (SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = f.id AND r.expires_at > ? LIMIT 1) IS NULL
		ORDER BY expires_at LIMIT ? {skip}`), micros(now), kept, limit)
	if err != nil || len(ids) == limit {
		return ids, err
	}
	ended, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}jwt_families f
		WHERE revoked_at <= ? AND NOT (expires_at <= ?
			AND (SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = f.id AND r.expires_at > ? LIMIT 1) IS NULL)
		AND (SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = f.id
			AND (r.adopted = TRUE OR r.rotated = f.created) AND r.expires_at > ? LIMIT 1) IS NULL
		ORDER BY revoked_at LIMIT ? {skip}`), micros(now.Add(-jwt.KeepEnded)), micros(now), kept, kept, limit-len(ids))
	return append(ids, ended...), err
}
