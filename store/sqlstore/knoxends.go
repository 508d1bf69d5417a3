package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/knox"
)

// This file ends tokens of knox, and lists and purges what is kept of them.

// Revoke implements [knox.Store] in one transaction.
func (s *KnoxStore) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	var ended []string
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		ended, err = s.end(ctx, conn, ending, `user_id = ? AND id = ?`, userID, id)
		return err
	})
	return len(ended) > 0 && err == nil, err
}

// RevokeAll implements [knox.Store] in one transaction.
func (s *KnoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string,
	ending knox.Ending) (ended []string, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if err = s.db.lockOwner(ctx, conn, userID); err != nil {
			return err
		}
		ended, err = s.end(ctx, conn, ending, `user_id = ? AND digest <> ?`, userID, kept)
		if err != nil || kept == "" {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}knox_tokens SET stamp = ?
			WHERE digest = ? AND user_id = ?`), stamp, kept, userID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// Purge implements [knox.Store] in one transaction.
func (s *KnoxStore) Purge(ctx context.Context, limit int, ending knox.Ending) (purged []*knox.Record, err error) {
	expired := s.db.dialect.first("knox_tokens", "digest", `expires_at <= ?`, "expires_at, digest")
	err = s.db.update(ctx, func(conn *sql.Conn) error {
		if err := s.uses.settleExpired(ctx, conn, expired, ending.At, limit); err != nil {
			return err
		}
		rows, err := conn.QueryContext(ctx, s.selecting(expired+` {lock}`), ending.At.UnixMicro(), limit)
		if purged, err = all(rows, err, scanKnox); err != nil || len(purged) == 0 {
			return err
		}
		return s.remove(ctx, conn, ending, expired, ending.At.UnixMicro(), limit)
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// Ended implements [knox.Store].
func (s *KnoxStore) Ended(ctx context.Context, userID string, since time.Time,
	limit int) ([]*knox.EndedToken, error) {
	rows, err := s.db.read.QueryContext(ctx, s.db.sql(`SELECT `+knoxEndedColumns+` FROM {prefix}knox_ended
		WHERE user_id = ? AND ended_at > ? ORDER BY ended_at DESC, id DESC LIMIT ?`),
		userID, since.UnixMicro(), limit)
	return all(rows, err, scanKnoxEnded)
}

// PurgeEnded implements [knox.Store].
func (s *KnoxStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.purge(ctx, "knox_ended", "n", `ended_at <= ?`, "ended_at", before.UnixMicro(), limit)
}

// end removes the records that fit a condition, as remove does, and returns their
// identifiers.
func (s *KnoxStore) end(ctx context.Context, conn *sql.Conn, ending knox.Ending, condition string,
	args ...any) ([]string, error) {
	if ending.Keep { // the last use, too
		if err := s.uses.settle(ctx, conn, condition, args...); err != nil {
			return nil, err
		}
	}
	ids, err := texts(ctx, conn, s.db.sql(`SELECT id FROM {prefix}knox_tokens
		WHERE `+condition+` {lock}`), args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return ids, s.remove(ctx, conn, ending, condition, args...)
}

// remove removes the records that fit a condition, and keeps what ending wants kept, in
// a transaction. It is one statement a table however many there are. What is kept is
// that of Ending.Of.
func (s *KnoxStore) remove(ctx context.Context, conn *sql.Conn, ending knox.Ending, condition string,
	args ...any) error {
	if ending.Keep {
		at := ending.At.UnixMicro()
		if _, err := conn.ExecContext(ctx, s.db.sql(`INSERT INTO {prefix}knox_ended (`+knoxEndedColumns+`)
			SELECT id, user_id, name, scopes, created, last_used,
				CASE WHEN expires_at <= ? THEN expires_at ELSE ? END,
				CASE WHEN expires_at <= ? THEN ? ELSE ? END, ip, user_agent
			FROM {prefix}knox_tokens WHERE `+condition),
			append([]any{at, at, at, string(knox.EndExpired), string(ending.Reason)}, args...)...); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}knox_tokens WHERE `+condition), args...)
	return err
}
