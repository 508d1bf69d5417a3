package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth/knox"
)

// KnoxStore is a [knox.Store] in a database.
type KnoxStore struct {
	db                           *DB
	insert, remove, oldest, live string
	find, list                   *sql.Stmt
	touch, revoke                *sql.Stmt
}

var _ knox.Store = (*KnoxStore)(nil)

const knoxColumns = "digest, id, user_id, name, scopes, created, expires, slide, ends, last_used, ip, user_agent, stamp, auth_time, amr, acr"

// Knox opens the knox store of a database, and creates or migrates its table.
func Knox(ctx context.Context, db *DB) (*KnoxStore, error) {
	if err := db.migrate(ctx, "knox"); err != nil {
		return nil, err
	}
	s := &KnoxStore{db: db,
		insert: db.table("INSERT INTO {prefix}knox_tokens (" + knoxColumns + ") VALUES (?" + strings.Repeat(", ?", 15) + ")"),
		remove: db.table("DELETE FROM {prefix}knox_tokens WHERE digest = ?"),
		live:   db.table("SELECT COUNT(*) FROM {prefix}knox_tokens WHERE user_id = ? AND stamp = ? AND (expires IS NULL OR expires > ?)"),
		oldest: db.table("SELECT digest, id FROM {prefix}knox_tokens WHERE user_id = ? AND stamp = ? AND (expires IS NULL OR expires > ?) ORDER BY created, id LIMIT ?"),
	}
	var errs [4]error
	s.find, errs[0] = db.read.PrepareContext(ctx, db.table("SELECT "+knoxColumns+" FROM {prefix}knox_tokens WHERE digest = ?"))
	s.list, errs[1] = db.read.PrepareContext(ctx, db.table("SELECT "+knoxColumns+" FROM {prefix}knox_tokens WHERE user_id = ? AND (expires IS NULL OR expires > ?) ORDER BY created DESC, id DESC"))
	s.touch, errs[2] = db.write.PrepareContext(ctx, db.table(`UPDATE {prefix}knox_tokens SET
		last_used = CASE WHEN last_used > ? THEN last_used ELSE ? END,
		expires = CASE WHEN expires < ? THEN ? ELSE expires END
		WHERE digest = ? AND (expires IS NULL OR expires > ?)`))
	s.revoke, errs[3] = db.write.PrepareContext(ctx, db.table("DELETE FROM {prefix}knox_tokens WHERE user_id = ? AND id = ?"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Add implements [knox.Store] in one transaction.
func (s *KnoxStore) Add(ctx context.Context, r *knox.Record, limit int, evict bool, now time.Time) (knox.Added, error) {
	var added knox.Added
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if limit > 0 {
			var have int
			if err := conn.QueryRowContext(ctx, s.live, r.UserID, r.Stamp, micros(now)).Scan(&have); err != nil {
				return err
			}
			if have >= limit && !evict {
				added.OverLimit = true
				return nil
			}
			if have >= limit {
				evicted, err := s.evict(ctx, conn, r, now, have-limit+1)
				if err != nil {
					return err
				}
				added.Evicted = evicted
			}
		}
		_, err := conn.ExecContext(ctx, s.insert, knoxValues(r)...)
		return err
	})
	if err != nil {
		return knox.Added{}, err
	}
	return added, nil
}

// evict removes the n oldest of the records that stand in the way of r.
func (s *KnoxStore) evict(ctx context.Context, conn *sql.Conn, r *knox.Record, now time.Time, n int) ([]string, error) {
	rows, err := conn.QueryContext(ctx, s.oldest, r.UserID, r.Stamp, micros(now), n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var digests, ids []string
	for rows.Next() {
		var digest, id string
		if err := rows.Scan(&digest, &id); err != nil {
			return nil, err
		}
		digests, ids = append(digests, digest), append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, digest := range digests {
		if _, err := conn.ExecContext(ctx, s.remove, digest); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Find implements [knox.Store].
func (s *KnoxStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	r, err := scanKnox(s.find.QueryRowContext(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// Touch implements [knox.Store].
func (s *KnoxStore) Touch(ctx context.Context, digest string, used, expires time.Time) error {
	_, err := s.touch.ExecContext(ctx, micros(used), micros(used), micros(expires), micros(expires), digest, micros(used))
	return err
}

// List implements [knox.Store].
func (s *KnoxStore) List(ctx context.Context, userID string, now time.Time) ([]*knox.Record, error) {
	rows, err := s.list.QueryContext(ctx, userID, now.UnixMicro())
	if err != nil {
		return nil, err
	}
	return scanAllKnox(rows)
}

// Revoke implements [knox.Store].
func (s *KnoxStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	result, err := s.revoke.ExecContext(ctx, userID, id)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RevokeAll implements [knox.Store].
func (s *KnoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string) ([]string, error) {
	var removed []*knox.Record
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if removed, err = s.removeWhere(ctx, conn, "user_id = ? AND digest <> ?", userID, kept); err != nil || kept == "" {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.table("UPDATE {prefix}knox_tokens SET stamp = ? WHERE digest = ? AND user_id = ?"), stamp, kept, userID)
		return err
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range removed {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// Purge implements [knox.Store].
func (s *KnoxStore) Purge(ctx context.Context, now time.Time, limit int) ([]*knox.Record, error) {
	var removed []*knox.Record
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		removed, err = s.removeWhere(ctx, conn, "expires <= ? ORDER BY expires LIMIT ?", micros(now), limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}

// removeWhere removes records and returns them.
func (s *KnoxStore) removeWhere(ctx context.Context, conn *sql.Conn, condition string, args ...any) ([]*knox.Record, error) {
	rows, err := conn.QueryContext(ctx, s.db.table("SELECT "+knoxColumns+" FROM {prefix}knox_tokens WHERE "+condition), args...)
	if err != nil {
		return nil, err
	}
	removed, err := scanAllKnox(rows)
	if err != nil {
		return nil, err
	}
	for _, r := range removed {
		if _, err := conn.ExecContext(ctx, s.remove, r.Digest); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

// knoxValues are the columns of a record, in the order of knoxColumns.
func knoxValues(r *knox.Record) []any {
	var scopes any
	if r.Limited {
		scopes = strings.Join(r.Scopes, " ")
	}
	return []any{r.Digest, r.ID, r.UserID, r.Name, scopes, micros(r.Created), micros(r.Expires), r.Slide.Microseconds(),
		micros(r.Ends), micros(r.LastUsed), r.IP, r.UserAgent, r.Stamp, micros(r.Login.AuthTime), strings.Join(r.Login.AMR, " "), r.Login.ACR}
}

func scanKnox(row interface{ Scan(...any) error }) (*knox.Record, error) {
	var (
		r                                          knox.Record
		scopes                                     sql.NullString
		amr                                        string
		slide                                      int64
		created, expires, ends, lastUsed, loggedIn sql.NullInt64
	)
	if err := row.Scan(&r.Digest, &r.ID, &r.UserID, &r.Name, &scopes, &created, &expires, &slide,
		&ends, &lastUsed, &r.IP, &r.UserAgent, &r.Stamp, &loggedIn, &amr, &r.Login.ACR); err != nil {
		return nil, err
	}
	r.Limited, r.Slide = scopes.Valid, time.Duration(slide)*time.Microsecond
	r.Scopes, r.Login.AMR = strings.Fields(scopes.String), strings.Fields(amr)
	r.Created, r.Expires, r.Ends = instant(created), instant(expires), instant(ends)
	r.LastUsed, r.Login.AuthTime = instant(lastUsed), instant(loggedIn)
	return &r, nil
}

func scanAllKnox(rows *sql.Rows) ([]*knox.Record, error) {
	defer rows.Close()
	var all []*knox.Record
	for rows.Next() {
		r, err := scanKnox(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
