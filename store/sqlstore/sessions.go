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
	db                    *DB
	insert, remove        string
	revoke                string
	uses                  *lastUses
	find, list, listAfter *sql.Stmt
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
		revoke: db.table(`DELETE FROM {prefix}sessions WHERE user_id = ? AND id = ?`),
		uses:   db.lastUses("sessions", "user_id <> ''"), // no mark
	}
	var errs [3]error
	s.find, errs[0] = db.read.PrepareContext(ctx, s.selecting("digest = ?"))
	s.list, errs[1] = db.read.PrepareContext(ctx, s.selecting("user_id = ? AND expires_at > ? ORDER BY id DESC LIMIT ?"))
	s.listAfter, errs[2] = db.read.PrepareContext(ctx,
		s.selecting("user_id = ? AND id < ? AND expires_at > ? ORDER BY id DESC LIMIT ?"))
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
			if err := s.uses.settle(ctx, conn, "digest = ?", replaced); err != nil {
				return err
			}
			old, err := s.rows(ctx, conn, "digest = ?", replaced)
			if err != nil {
				return err
			}
			if len(old) > 0 && !old[0].IsMark() {
				added.Replaced = old[0]
			}
		}
		if limit > 0 {
			if err := s.uses.settleUser(ctx, conn, r.UserID, now); err != nil {
				return err
			}
			full, err := s.makeRoom(ctx, conn, &added, limit, evict, r.UserID, r.Stamp, micros(now), replaced)
			if err != nil {
				return err
			}
			if full {
				added = session.Added{OverLimit: true}
				return nil
			}
		}
		if added.Replaced != nil {
			if _, err := conn.ExecContext(ctx, s.remove, replaced); err != nil {
				return err
			}
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

// sessionRivals are the records that Store.Add counts against a limit, and sessionOldest
// are those of them that make room.
const (
	sessionRivals = `user_id = ? AND stamp = ? AND expires_at > ? AND digest <> ?`
	sessionOldest = `digest IN (SELECT digest FROM {prefix}sessions WHERE ` + sessionRivals + `
		ORDER BY created, id, digest LIMIT ?)`
)

// makeRoom removes the oldest rivals until one more makes at most limit, and writes their
// identifiers into added. If none may go, it reports that there is no room.
func (s *SessionStore) makeRoom(ctx context.Context, conn *sql.Conn, added *session.Added, limit int, evict bool,
	rivals ...any) (full bool, err error) {
	var have int
	count := s.db.table(`SELECT COUNT(*) FROM {prefix}sessions WHERE ` + sessionRivals)
	if err := conn.QueryRowContext(ctx, count, rivals...).Scan(&have); err != nil || have < limit {
		return false, err
	}
	if !evict {
		return true, nil
	}
	added.Evicted, err = s.end(ctx, conn, sessionOldest, append(rivals, have-limit+1)...)
	return false, err
}

// Find implements [session.Store].
func (s *SessionStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	pending := s.uses.buffer.View()
	r, err := scanSession(s.find.QueryRowContext(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !r.IsMark() {
		show(pending, digest, &r.LastUsed, &r.ExpiresAt)
	}
	return r, nil
}

// Touch implements [session.Store]. It writes about once a second, as the package says. If the
// touch must not wait, Touch writes at once and, if others write, gives up soon and leaves
// it to the next second.
func (s *SessionStore) Touch(ctx context.Context, touch session.Touch) error {
	return s.uses.touch(ctx, touch.Digest, touch.Used, touch.ExpiresAt, touch.LiveUntil)
}

// Replace implements [session.Store] in one transaction.
func (s *SessionStore) Replace(ctx context.Context, digest string, successor *session.Record, now time.Time) (bool, error) {
	replaced := false
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if err := s.uses.settle(ctx, conn, "digest = ?", digest); err != nil {
			return err
		}
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
func (s *SessionStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*session.Record, error) {
	pending := s.uses.buffer.View()
	live := liveAt(pending, now)
	part := func(after string) ([]*session.Record, error) {
		statement, args := s.list, []any{userID, live, limit}
		if after != "" {
			statement, args = s.listAfter, []any{userID, after, live, limit}
		}
		rows, err := statement.QueryContext(ctx, args...)
		if err != nil {
			return nil, err
		}
		return scanSessions(rows)
	}
	return livePage(after, limit, part, func(r *session.Record) bool {
		show(pending, r.Digest, &r.LastUsed, &r.ExpiresAt)
		return r.Live(now)
	}, func(r *session.Record) string { return r.ID })
}

// Revoke implements [session.Store].
func (s *SessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	result, err := s.db.exec(ctx, s.revoke, userID, id)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RevokeAll implements [session.Store] in one transaction.
func (s *SessionStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	var ids []string
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		ids, err = s.end(ctx, conn, "user_id = ? AND digest <> ?", userID, kept)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Purge implements [session.Store] in one transaction.
func (s *SessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	const expired = `digest IN (SELECT digest FROM {prefix}sessions WHERE expires_at <= ?
		ORDER BY expires_at, digest LIMIT ?)`
	var purged []*session.Record
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if err := s.uses.settleExpired(ctx, conn, expired, now, limit); err != nil {
			return err
		}
		if purged, err = s.rows(ctx, conn, expired, micros(now), limit); err != nil || len(purged) == 0 {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}sessions WHERE `+expired), micros(now), limit)
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
	ids, err := texts(ctx, conn, s.db.table(`SELECT id FROM {prefix}sessions WHERE `+condition), args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}sessions WHERE `+condition), args...)
	return ids, err
}

func (s *SessionStore) add(ctx context.Context, conn *sql.Conn, r *session.Record) error {
	_, err := conn.ExecContext(ctx, s.insert, sessionValues(r)...)
	if err == nil && !r.IsMark() { // touches change no mark
		s.uses.buffer.Drop(r.Digest)
	}
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
		micros(r.AuthInfo.AuthTime), list(r.AuthInfo.AMR), r.AuthInfo.ACR}
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
	r.Scopes = strings.Fields(scopes.String)
	r.Created, r.ExpiresAt, r.MaxExpiresAt = instant(created), instant(expiresAt), instant(maxExpiresAt)
	r.LastUsed, r.AuthInfo.AuthTime = instant(lastUsed), instant(authenticated)
	if err := unlistAMR(amr, &r.AuthInfo.AMR); err != nil {
		return nil, err
	}
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
