package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth/session"
)

// SessionStore is a [session.Store] in a database.
type SessionStore struct {
	db                   *DB
	insert, remove, live string
	find, list           *sql.Stmt
	touch, revoke        *sql.Stmt
}

var _ session.Store = (*SessionStore)(nil)

const sessionColumns = `digest, id, user_id, owner, scopes, remembered, created, expires_at, idle, max_expires_at,
	last_used, ip, user_agent, stamp, auth_time, amr, acr`

// Sessions opens the session store of a database, and creates or migrates its
// table.
func Sessions(ctx context.Context, db *DB) (*SessionStore, error) {
	if err := db.migrate(ctx, "sessions"); err != nil {
		return nil, err
	}
	s := &SessionStore{db: db,
		insert: db.table(`INSERT INTO {prefix}sessions (` + sessionColumns + `)
			VALUES (?` + strings.Repeat(", ?", 16) + `)`),
		remove: db.table(`DELETE FROM {prefix}sessions WHERE digest = ?`),
		live:   `user_id = ? AND expires_at > ? ORDER BY created DESC, id DESC`,
	}
	var errs [4]error
	s.find, errs[0] = db.read.PrepareContext(ctx, s.selecting("digest = ?"))
	s.list, errs[1] = db.read.PrepareContext(ctx, s.selecting(s.live))
	s.touch, errs[2] = db.write.PrepareContext(ctx, db.table(`UPDATE {prefix}sessions SET
		last_used = CASE WHEN last_used > ? THEN last_used ELSE ? END,
		expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END
		WHERE digest = ? AND expires_at > ? AND user_id <> ''`))
	s.revoke, errs[3] = db.write.PrepareContext(ctx, db.table(`DELETE FROM {prefix}sessions
		WHERE user_id = ? AND id = ?`))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *SessionStore) selecting(condition string) string {
	return s.db.table(`SELECT ` + sessionColumns + " FROM {prefix}sessions WHERE " + condition)
}

// Add implements [session.Store] in one transaction.
func (s *SessionStore) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool, now time.Time) (session.Added, error) {
	var added session.Added
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if replaced != "" {
			old, err := s.rows(ctx, conn, "digest = ?", replaced)
			if err != nil {
				return err
			}
			if len(old) > 0 && !old[0].IsMark() {
				added.Replaced = old[0]
			}
		}
		var ending []*session.Record
		if limit > 0 {
			live, err := s.rows(ctx, conn, s.live, r.UserID, micros(now))
			if err != nil {
				return err
			}
			room := limit
			for _, other := range live { // newest first
				switch {
				case added.Replaced != nil && other.Digest == added.Replaced.Digest, other.Stamp != r.Stamp:
				case room > 1:
					room--
				default:
					ending = append(ending, other)
				}
			}
			if len(ending) > 0 && !evict {
				added = session.Added{OverLimit: true}
				return nil
			}
		}
		for _, other := range ending {
			added.Evicted = append(added.Evicted, other.ID)
		}
		if added.Replaced != nil {
			ending = append(ending, added.Replaced)
		}
		if err := s.removeAll(ctx, conn, ending); err != nil {
			return err
		}
		if added.Replaced != nil {
			if err := s.add(ctx, conn, added.Replaced.Moved(now)); err != nil {
				return err
			}
		}
		return s.add(ctx, conn, r)
	})
	if err != nil {
		return session.Added{}, err
	}
	return added, nil
}

// Find implements [session.Store].
func (s *SessionStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	r, err := scanSession(s.find.QueryRowContext(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// Touch implements [session.Store].
func (s *SessionStore) Touch(ctx context.Context, digest string, used, expires time.Time) error {
	_, err := s.touch.ExecContext(ctx, micros(used), micros(used), micros(expires), micros(expires), digest, micros(used))
	return err
}

// Replace implements [session.Store] in one transaction.
func (s *SessionStore) Replace(ctx context.Context, digest string, successor *session.Record, now time.Time) (bool, error) {
	replaced := false
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, s.remove+` AND expires_at > ? AND user_id <> ''`, digest, micros(now))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		replaced = true
		old := session.Record{Digest: digest, ID: successor.ID, UserID: successor.UserID}
		if err := s.add(ctx, conn, old.Moved(now)); err != nil {
			return err
		}
		return s.add(ctx, conn, successor)
	})
	return replaced && err == nil, err
}

// List implements [session.Store].
func (s *SessionStore) List(ctx context.Context, userID string, now time.Time) ([]*session.Record, error) {
	rows, err := s.list.QueryContext(ctx, userID, now.UnixMicro())
	if err != nil {
		return nil, err
	}
	return scanSessions(rows)
}

// Revoke implements [session.Store].
func (s *SessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	result, err := s.revoke.ExecContext(ctx, userID, id)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RevokeAll implements [session.Store].
func (s *SessionStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	removed, err := s.removeWhere(ctx, "user_id = ? AND digest <> ?", userID, kept)
	var ids []string
	for _, r := range removed {
		ids = append(ids, r.ID)
	}
	return ids, err
}

// Purge implements [session.Store].
func (s *SessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	return s.removeWhere(ctx, `expires_at <= ? ORDER BY expires_at LIMIT ?`, micros(now), limit)
}

// removeWhere removes records and returns them, in one transaction.
func (s *SessionStore) removeWhere(ctx context.Context, condition string, args ...any) ([]*session.Record, error) {
	var removed []*session.Record
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if removed, err = s.rows(ctx, conn, condition, args...); err != nil {
			return err
		}
		return s.removeAll(ctx, conn, removed)
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}

func (s *SessionStore) removeAll(ctx context.Context, conn *sql.Conn, records []*session.Record) error {
	for _, r := range records {
		if _, err := conn.ExecContext(ctx, s.remove, r.Digest); err != nil {
			return err
		}
	}
	return nil
}

func (s *SessionStore) add(ctx context.Context, conn *sql.Conn, r *session.Record) error {
	_, err := conn.ExecContext(ctx, s.insert, sessionValues(r)...)
	return err
}

func (s *SessionStore) rows(ctx context.Context, conn *sql.Conn, condition string, args ...any) ([]*session.Record, error) {
	rows, err := conn.QueryContext(ctx, s.selecting(condition), args...)
	if err != nil {
		return nil, err
	}
	return scanSessions(rows)
}

// sessionValues are the columns of a record, in the order of sessionColumns.
func sessionValues(r *session.Record) []any {
	var scopes any
	if r.Limited {
		scopes = strings.Join(r.Scopes, " ")
	}
	remembered := 0
	if r.Remembered {
		remembered = 1
	}
	return []any{r.Digest, r.ID, r.UserID, r.Owner, scopes, remembered, micros(r.Created), micros(r.ExpiresAt),
		r.Idle.Microseconds(), micros(r.MaxExpiresAt), micros(r.LastUsed), r.IP, r.UserAgent, r.Stamp,
		micros(r.AuthInfo.AuthTime), strings.Join(r.AuthInfo.AMR, " "), r.AuthInfo.ACR}
}

func scanSession(row interface{ Scan(...any) error }) (*session.Record, error) {
	var (
		r                                                         session.Record
		scopes                                                    sql.NullString
		amr                                                       string
		remembered, idle                                          int64
		created, expiresAt, maxExpiresAt, lastUsed, authenticated sql.NullInt64
	)
	if err := row.Scan(&r.Digest, &r.ID, &r.UserID, &r.Owner, &scopes, &remembered, &created, &expiresAt, &idle,
		&maxExpiresAt, &lastUsed, &r.IP, &r.UserAgent, &r.Stamp, &authenticated, &amr, &r.AuthInfo.ACR); err != nil {
		return nil, err
	}
	r.Limited, r.Remembered, r.Idle = scopes.Valid, remembered != 0, time.Duration(idle)*time.Microsecond
	r.Scopes, r.AuthInfo.AMR = strings.Fields(scopes.String), strings.Fields(amr)
	r.Created, r.ExpiresAt, r.MaxExpiresAt = instant(created), instant(expiresAt), instant(maxExpiresAt)
	r.LastUsed, r.AuthInfo.AuthTime = instant(lastUsed), instant(authenticated)
	return &r, nil
}

func scanSessions(rows *sql.Rows) ([]*session.Record, error) {
	defer rows.Close()
	var all []*session.Record
	for rows.Next() {
		r, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
