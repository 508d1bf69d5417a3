package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/session"
)

// This file replaces, ends and purges sessions.

// Replace implements [session.Store] in one transaction. It locks the owner, so that a change that ends all sessions
// of the user ends the successor, too, or else the session before it is replaced.
func (s *SessionStore) Replace(ctx context.Context, digest string, successor *session.Record,
	now time.Time) (bool, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		if err := s.db.lockOwner(ctx, conn, successor.UserID); err != nil {
			return false, err
		}
		if err := s.uses.flushFor(ctx, conn, `digest = ?`, digest); err != nil {
			return false, err
		}
		replaced, err := changed(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}sessions
			WHERE digest = ? AND expires_at > ? AND user_id <> ''`), digest, micros(now)))
		if err != nil || !replaced {
			return false, err
		}
		old := session.Record{Digest: digest, ID: successor.ID, UserID: successor.UserID}
		if err := s.add(ctx, conn, old.Tombstone(now)); err != nil {
			return false, err
		}
		if err := s.db.notify(ctx, conn, successor.UserID); err != nil {
			return false, err
		}
		return true, s.add(ctx, conn, successor)
	})
}

// Revoke implements [session.Store] in one transaction. It locks the owner because Replace may be putting another row
// with the same identifier in the place of this one.
func (s *SessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return false, err
		}
		found, err := changed(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}sessions
			WHERE user_id = ? AND id = ?`), userID, id))
		if err != nil || !found {
			return false, err
		}
		return true, s.db.notify(ctx, conn, userID)
	})
}

// RevokeAll implements [session.Store] in one transaction.
func (s *SessionStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]string, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return nil, err
		}
		ended, err := s.end(ctx, conn, `user_id = ? AND digest <> ?`, userID, kept)
		if err != nil {
			return nil, err
		}
		return ended, s.db.notifyEnded(ctx, conn, userID, ended)
	})
}

// Purge implements [session.Store] in one transaction.
func (s *SessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	const expired = `expires_at <= ? ORDER BY expires_at, digest LIMIT ?`
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]*session.Record, error) {
		if err := s.uses.flushExpired(ctx, conn, expired, now, limit); err != nil {
			return nil, err
		}
		purged, err := s.rows(ctx, conn, expired+` {skip}`, micros(now), limit)
		if err != nil {
			return nil, err
		}
		digests := make([]string, len(purged))
		for i, r := range purged {
			digests[i] = r.Digest
		}
		return purged, s.remove(ctx, conn, digests)
	})
}

// end removes the records that fit a condition, in a transaction, and returns their identifiers. The condition may
// end in an order and a limit.
func (s *SessionStore) end(ctx context.Context, conn *sql.Conn, condition string, args ...any) ([]string, error) {
	ended, err := s.rows(ctx, conn, condition+` {lock}`, args...)
	if err != nil {
		return nil, err
	}
	var ids, digests []string
	for _, r := range ended {
		ids, digests = append(ids, r.ID), append(digests, r.Digest)
	}
	return ids, s.remove(ctx, conn, digests)
}

// remove removes records, in a transaction that has locked them.
func (s *SessionStore) remove(ctx context.Context, conn *sql.Conn, digests []string) error {
	_, err := s.db.execForKeys(ctx, conn, `DELETE FROM {prefix}sessions WHERE digest IN {keys}`, digests)
	return err
}
