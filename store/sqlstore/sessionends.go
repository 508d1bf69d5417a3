package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/session"
)

// This file replaces, ends and purges sessions.

// Replace implements [session.Store] in one transaction.
func (s *SessionStore) Replace(ctx context.Context, digest string, successor *session.Record,
	now time.Time) (bool, error) {
	replaced := false
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if err := s.uses.settle(ctx, conn, `digest = ?`, digest); err != nil {
			return err
		}
		var err error
		replaced, err = changed(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}sessions
			WHERE digest = ? AND expires_at > ? AND user_id <> ''`), digest, micros(now)))
		if err != nil || !replaced {
			return err
		}
		old := session.Record{Digest: digest, ID: successor.ID, UserID: successor.UserID}
		if err := s.add(ctx, conn, old.Moved(now)); err != nil {
			return err
		}
		return s.add(ctx, conn, successor)
	})
	return replaced && err == nil, err
}

// Revoke implements [session.Store].
func (s *SessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	return changed(s.db.exec(ctx, s.db.sql(`DELETE FROM {prefix}sessions WHERE user_id = ? AND id = ?`),
		userID, id))
}

// RevokeAll implements [session.Store] in one transaction.
func (s *SessionStore) RevokeAll(ctx context.Context, userID, kept string) (ids []string, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if err = s.db.lockOwner(ctx, conn, userID); err != nil {
			return err
		}
		ids, err = s.end(ctx, conn, `user_id = ? AND digest <> ?`, userID, kept)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Purge implements [session.Store] in one transaction.
func (s *SessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	expired := s.db.dialect.first("sessions", "digest", `expires_at <= ?`, "expires_at, digest")
	var purged []*session.Record
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if err := s.uses.settleExpired(ctx, conn, expired, now, limit); err != nil {
			return err
		}
		if purged, err = s.rows(ctx, conn, expired, micros(now), limit); err != nil || len(purged) == 0 {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}sessions WHERE `+expired), micros(now), limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// end removes the records that fit a condition by one statement, in a transaction, and
// returns their identifiers.
func (s *SessionStore) end(ctx context.Context, conn *sql.Conn, condition string, args ...any) ([]string, error) {
	ids, err := texts(ctx, conn, s.db.sql(`SELECT id FROM {prefix}sessions
		WHERE `+condition+` {lock}`), args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}sessions WHERE `+condition), args...)
	return ids, err
}
