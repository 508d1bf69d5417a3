package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// Rotate implements [jwt.Store] in one transaction.
func (s *JWTStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (jwt.Rotation, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (jwt.Rotation, error) {
		return s.rotate(ctx, conn, old, now, grace, next)
	})
}

func (s *JWTStore) rotate(ctx context.Context, conn *sql.Conn, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (rotation jwt.Rotation, err error) {
	r, family, err := s.load(ctx, conn, old)
	if err != nil || r == nil {
		return rotation, err // Unknown
	}
	if rotation = refused(r, family, now); rotation.Verdict != jwt.Unknown {
		return rotation, nil
	}
	if rotation.Generation, err = s.db.generation(ctx, conn, family.UserID); err != nil {
		return rotation, err
	}
	if !r.Rotated.IsZero() {
		err = s.retry(ctx, conn, &rotation, r, now, grace)
		return rotation, err
	}
	if next.SessionID != family.ID {
		return rotation, errFamily
	}
	rotation.Verdict, family.LastUsed, family.ExpiresAt = jwt.Rotated, now, next.ExpiresAt
	return rotation, s.replace(ctx, conn, old, next, now)
}

// retry writes into rotation what a second use of a token leads to: its successor within the grace, and
// otherwise the end of the family, in a transaction.
func (s *JWTStore) retry(ctx context.Context, conn *sql.Conn, rotation *jwt.Rotation, r *jwt.Refresh,
	now time.Time, grace time.Duration) error {
	if since := now.Sub(r.Rotated); since > -grace && since < grace {
		next, _, err := s.load(ctx, conn, r.Successor)
		if err != nil {
			return err
		}
		if next != nil && next.Rotated.IsZero() && now.Before(next.ExpiresAt) && len(next.Sealed) > 0 {
			rotation.Verdict, rotation.Sealed = jwt.Retried, next.Sealed
			return nil
		}
	}
	rotation.Verdict, rotation.Generation, rotation.Session.RevokedAt = jwt.Reused, 0, now
	return s.end(ctx, conn, rotation.Session, now)
}

// replace puts a token in the place of another one, and forgets those of the family that are of no use
// any more, in a transaction.
func (s *JWTStore) replace(ctx context.Context, conn *sql.Conn, old string, next *jwt.Refresh, now time.Time) error {
	if _, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}jwt_refresh
		WHERE family_id = ? AND expires_at <= ?`), next.SessionID, micros(now.Add(-jwt.KeepExpired))); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_refresh
		SET rotated = ?, successor = ?, sealed = NULL WHERE digest = ?`), micros(now), next.Digest, old); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, s.addToken, tokenValues(next)...); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_families SET last_used = ?, expires_at = ?
		WHERE id = ?`), micros(now), micros(next.ExpiresAt), next.SessionID)
	return err
}

// Use implements [jwt.Store] in one transaction.
func (s *JWTStore) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (jwt.Rotation, error) {
		return s.use(ctx, conn, digest, now, ends)
	})
}

func (s *JWTStore) use(ctx context.Context, conn *sql.Conn, digest string, now,
	ends time.Time) (rotation jwt.Rotation, err error) {
	r, family, err := s.load(ctx, conn, digest)
	if err != nil || r == nil {
		return rotation, err // Unknown
	}
	if rotation = refused(r, family, now); rotation.Verdict != jwt.Unknown {
		return rotation, nil
	}
	if !r.Rotated.IsZero() {
		rotation.Verdict, family.RevokedAt = jwt.Reused, now
		return rotation, s.end(ctx, conn, family, now)
	}
	if rotation.Generation, err = s.db.generation(ctx, conn, family.UserID); err != nil {
		return rotation, err
	}
	rotation.Verdict = jwt.Kept
	if ends.After(r.ExpiresAt) {
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_refresh SET expires_at = ?
			WHERE digest = ?`), micros(ends), digest); err != nil {
			return rotation, err
		}
	}
	if now.After(family.LastUsed) {
		family.LastUsed = now
	}
	if ends.After(family.ExpiresAt) {
		family.ExpiresAt = ends
	}
	_, err = conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_families SET last_used = ?, expires_at = ?
		WHERE id = ?`), micros(family.LastUsed), micros(family.ExpiresAt), family.ID)
	return rotation, err
}

// refused returns the verdict about a token that is no good whatever is done with it, or [jwt.Unknown] if it is
// good or was replaced.
func refused(r *jwt.Refresh, family *jwt.Session, now time.Time) jwt.Rotation {
	rotation := jwt.Rotation{Session: family}
	switch {
	case !family.RevokedAt.IsZero():
		rotation.Verdict = jwt.Revoked
	case !family.Live(now) || !now.Before(r.ExpiresAt):
		rotation.Verdict = jwt.Expired
	}
	return rotation
}
