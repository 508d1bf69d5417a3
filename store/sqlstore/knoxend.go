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
	ended, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]string, error) {
		ended, err := s.end(ctx, conn, ending, `user_id = ? AND id = ?`, userID, id)
		if err != nil {
			return nil, err
		}
		return ended, s.db.notifyEnded(ctx, conn, userID, ended)
	})
	return len(ended) > 0, err
}

// RevokeAll implements [knox.Store] in one transaction.
func (s *KnoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string,
	ending knox.Ending) ([]string, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]string, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return nil, err
		}
		ended, err := s.end(ctx, conn, ending, `user_id = ? AND digest <> ?`, userID, kept)
		if err != nil {
			return nil, err
		}
		if err := s.db.notify(ctx, conn, userID); err != nil || kept == "" { // of the stamp, too
			return ended, err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}knox_tokens SET stamp = ?
			WHERE digest = ? AND user_id = ?`), stamp, kept, userID)
		return ended, err
	})
}

// Purge implements [knox.Store] in one transaction.
func (s *KnoxStore) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	const expired = `expires_at <= ? ORDER BY expires_at, digest LIMIT ?`
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]*knox.Record, error) {
		if err := s.uses.flushExpired(ctx, conn, expired, ending.At, limit); err != nil {
			return nil, err
		}
		rows, err := conn.QueryContext(ctx, s.db.sql(knoxSelect+expired+` {skip}`), ending.At.UnixMicro(), limit)
		purged, err := all(rows, err, scanKnox)
		if err != nil {
			return nil, err
		}
		digests := make([]string, len(purged))
		for i, r := range purged {
			digests[i] = r.Digest
		}
		return purged, s.remove(ctx, conn, ending, digests)
	})
}

// Ended implements [knox.Store].
func (s *KnoxStore) Ended(ctx context.Context, userID string, since time.Time,
	limit int) ([]*knox.EndedToken, error) {
	ended := s.db.query(`SELECT ` + knoxEndedColumns + ` FROM {prefix}knox_ended
		WHERE user_id = ? AND ended_at > ? ORDER BY ended_at DESC, id DESC LIMIT ?`)
	return readAll(ctx, ended, scanKnoxEnded, userID, since.UnixMicro(), limit)
}

// PurgeEnded implements [knox.Store].
func (s *KnoxStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.purge(ctx, "knox_ended", "n", "ended_at", before.UnixMicro(), limit)
}

// end removes the records that fit a condition, as remove does, and returns their
// identifiers. The condition may end in an order and a limit.
func (s *KnoxStore) end(ctx context.Context, conn *sql.Conn, ending knox.Ending, condition string,
	args ...any) ([]string, error) {
	if ending.Keep { // the last use, too
		if err := s.uses.flushFor(ctx, conn, condition, args...); err != nil {
			return nil, err
		}
	}
	var ids, digests []string
	rows, err := conn.QueryContext(ctx, s.db.sql(`SELECT id, digest FROM {prefix}knox_tokens
		WHERE `+condition+` {lock}`), args...)
	_, err = all(rows, err, func(row scanner) (id string, err error) {
		var digest string
		err = row.Scan(&id, &digest)
		ids, digests = append(ids, id), append(digests, digest)
		return id, err
	})
	if err != nil {
		return nil, err
	}
	return ids, s.remove(ctx, conn, ending, digests)
}

// remove removes records, and keeps what ending wants kept, in a transaction that has locked them. What is kept is
// that of Ending.Of.
func (s *KnoxStore) remove(ctx context.Context, conn *sql.Conn, ending knox.Ending, digests []string) error {
	if ending.Keep {
		at := ending.At.UnixMicro()
		if _, err := s.db.execForKeys(ctx, conn, `INSERT INTO {prefix}knox_ended (`+knoxEndedColumns+`)
			SELECT id, user_id, name, scopes, created, last_used,
				CASE WHEN expires_at <= ? THEN expires_at ELSE ? END,
				CASE WHEN expires_at <= ? THEN ? ELSE ? END, ip, user_agent
			FROM {prefix}knox_tokens WHERE digest IN {keys}`, digests,
			at, at, at, string(knox.EndExpired), string(ending.Reason)); err != nil {
			return err
		}
	}
	_, err := s.db.execForKeys(ctx, conn, `DELETE FROM {prefix}knox_tokens WHERE digest IN {keys}`, digests)
	return err
}
