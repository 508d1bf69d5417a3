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
	db                    *DB
	find, list, listAfter *sql.Stmt
	uses                  *lastUses
}

var _ knox.Store = (*KnoxStore)(nil)

const (
	knoxColumns = `digest, id, user_id, name, scopes, created, expires_at, slide, max_expires_at, last_used,
		ip, user_agent, stamp, auth_time, amr, acr`
	knoxEndedColumns = `id, user_id, name, scopes, created, last_used, ended_at, reason, ip, user_agent`

	knoxLive = `(expires_at IS NULL OR expires_at > ?)`
	// knoxRivals are the records that Store.Add counts against a limit.
	knoxRivals = `user_id = ? AND stamp = ? AND ` + knoxLive
	// knoxOldest are those of them that make room.
	knoxOldest = `digest IN (SELECT digest FROM {prefix}knox_tokens WHERE ` + knoxRivals + ` AND id <> ?
		ORDER BY created, id, digest LIMIT ?)`
)

// Knox opens the knox store of a database, and creates or migrates its tables.
func Knox(ctx context.Context, db *DB) (*KnoxStore, error) {
	if err := db.migrate(ctx, "knox"); err != nil {
		return nil, err
	}
	s := &KnoxStore{db: db, uses: db.lastUses("knox_tokens", "TRUE")}
	var errs [3]error
	s.find, errs[0] = db.read.PrepareContext(ctx, db.table(`SELECT `+knoxColumns+`
		FROM {prefix}knox_tokens WHERE digest = ?`))
	s.list, errs[1] = db.read.PrepareContext(ctx, db.table(`SELECT `+knoxColumns+`
		FROM {prefix}knox_tokens WHERE user_id = ? AND `+knoxLive+` ORDER BY id DESC LIMIT ?`))
	s.listAfter, errs[2] = db.read.PrepareContext(ctx, db.table(`SELECT `+knoxColumns+`
		FROM {prefix}knox_tokens WHERE user_id = ? AND id < ? AND `+knoxLive+` ORDER BY id DESC LIMIT ?`))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Add implements [knox.Store] in one transaction.
func (s *KnoxStore) Add(ctx context.Context, r *knox.Record, limit int, evict bool, ending knox.Ending) (knox.Added, error) {
	var added knox.Added
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if limit > 0 {
			if err := s.uses.settleUser(ctx, conn, r.UserID, ending.At); err != nil {
				return err
			}
			rivals := []any{r.UserID, r.Stamp, ending.At.UnixMicro()}
			var have int
			count := s.db.table(`SELECT COUNT(*) FROM {prefix}knox_tokens WHERE ` + knoxRivals)
			if err := conn.QueryRowContext(ctx, count, rivals...).Scan(&have); err != nil {
				return err
			}
			if have >= limit && !evict {
				added.OverLimit = true
				return nil
			}
			if have >= limit {
				var err error
				spare := ending.Spare
				if limit == 1 {
					spare = ""
				}
				added.Evicted, err = s.end(ctx, conn, ending, knoxOldest, append(rivals, spare, have-limit+1)...)
				if err != nil {
					return err
				}
			}
		}
		_, err := conn.ExecContext(ctx, s.db.table(`INSERT INTO {prefix}knox_tokens (`+knoxColumns+`)
			VALUES (?`+strings.Repeat(", ?", 15)+`)`), knoxValues(r)...)
		if err == nil {
			s.uses.buffer.Drop(r.Digest)
		}
		return err
	})
	if err != nil {
		return knox.Added{}, err
	}
	return added, nil
}

// Find implements [knox.Store].
func (s *KnoxStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	pending := s.uses.buffer.View()
	r, err := scanKnox(s.find.QueryRowContext(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	show(pending, digest, &r.LastUsed, &r.ExpiresAt)
	return r, nil
}

// Touch implements [knox.Store]. It writes about once a second, as the package says. If the
// touch must not wait, Touch writes at once and, if others write, gives up soon and leaves
// it to the next second.
func (s *KnoxStore) Touch(ctx context.Context, touch knox.Touch) error {
	return s.uses.touch(ctx, touch.Digest, touch.Used, touch.ExpiresAt, touch.LiveUntil)
}

// List implements [knox.Store].
func (s *KnoxStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*knox.Record, error) {
	pending := s.uses.buffer.View()
	live := liveAt(pending, now)
	part := func(after string) ([]*knox.Record, error) {
		statement, args := s.list, []any{userID, live, limit}
		if after != "" {
			statement, args = s.listAfter, []any{userID, after, live, limit}
		}
		rows, err := statement.QueryContext(ctx, args...)
		if err != nil {
			return nil, err
		}
		return scanKnoxAll(rows, scanKnox)
	}
	return livePage(after, limit, part, func(r *knox.Record) bool {
		show(pending, r.Digest, &r.LastUsed, &r.ExpiresAt)
		return r.Live(now)
	}, func(r *knox.Record) string { return r.ID })
}

// Revoke implements [knox.Store] in one transaction.
func (s *KnoxStore) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	var ended []string
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		ended, err = s.end(ctx, conn, ending, "user_id = ? AND id = ?", userID, id)
		return err
	})
	return len(ended) > 0 && err == nil, err
}

// RevokeAll implements [knox.Store] in one transaction.
func (s *KnoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
	var ended []string
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if ended, err = s.end(ctx, conn, ending, "user_id = ? AND digest <> ?", userID, kept); err != nil || kept == "" {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}knox_tokens SET stamp = ?
			WHERE digest = ? AND user_id = ?`), stamp, kept, userID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// Purge implements [knox.Store] in one transaction.
func (s *KnoxStore) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	const expired = `digest IN (SELECT digest FROM {prefix}knox_tokens WHERE expires_at <= ?
		ORDER BY expires_at, digest LIMIT ?)`
	var purged []*knox.Record
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		if err := s.uses.settleExpired(ctx, conn, expired, ending.At, limit); err != nil {
			return err
		}
		rows, err := conn.QueryContext(ctx, s.db.table(`SELECT `+knoxColumns+`
			FROM {prefix}knox_tokens WHERE `+expired), ending.At.UnixMicro(), limit)
		if err != nil {
			return err
		}
		if purged, err = scanKnoxAll(rows, scanKnox); err != nil || len(purged) == 0 {
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
func (s *KnoxStore) Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*knox.EndedToken, error) {
	rows, err := s.db.read.QueryContext(ctx, s.db.table(`SELECT `+knoxEndedColumns+` FROM {prefix}knox_ended
		WHERE user_id = ? AND ended_at > ? ORDER BY ended_at DESC, id DESC LIMIT ?`), userID, since.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	return scanKnoxAll(rows, scanKnoxEnded)
}

// PurgeEnded implements [knox.Store].
func (s *KnoxStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	result, err := s.db.exec(ctx, s.db.table(`DELETE FROM {prefix}knox_ended WHERE n IN
		(SELECT n FROM {prefix}knox_ended WHERE ended_at <= ? ORDER BY ended_at LIMIT ?)`), before.UnixMicro(), limit)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
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
	ids, err := texts(ctx, conn, s.db.table(`SELECT id FROM {prefix}knox_tokens WHERE `+condition), args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return ids, s.remove(ctx, conn, ending, condition, args...)
}

// remove removes the records that fit a condition, and keeps what ending wants kept, in
// a transaction. It is one statement a table however many there are. What is kept is
// that of Ending.Of.
func (s *KnoxStore) remove(ctx context.Context, conn *sql.Conn, ending knox.Ending, condition string, args ...any) error {
	if ending.Keep {
		at := ending.At.UnixMicro()
		if _, err := conn.ExecContext(ctx, s.db.table(`INSERT INTO {prefix}knox_ended (`+knoxEndedColumns+`)
			SELECT id, user_id, name, scopes, created, last_used,
				CASE WHEN expires_at <= ? THEN expires_at ELSE ? END,
				CASE WHEN expires_at <= ? THEN ? ELSE ? END, ip, user_agent
			FROM {prefix}knox_tokens WHERE `+condition),
			append([]any{at, at, at, string(knox.EndExpired), string(ending.Reason)}, args...)...); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}knox_tokens WHERE `+condition), args...)
	return err
}

// knoxScopes are scopes as they are stored: NULL is not limited.
func knoxScopes(scopes []string, limited bool) any {
	if !limited {
		return nil
	}
	return strings.Join(scopes, " ")
}

// knoxValues are the columns of a record, in the order of knoxColumns.
func knoxValues(r *knox.Record) []any {
	return []any{r.Digest, r.ID, r.UserID, r.Name, knoxScopes(r.Scopes, r.Limited),
		micros(r.Created), micros(r.ExpiresAt), r.Slide.Microseconds(), micros(r.MaxExpiresAt), micros(r.LastUsed), r.IP, r.UserAgent, r.Stamp,
		micros(r.AuthInfo.AuthTime), list(r.AuthInfo.AMR), r.AuthInfo.ACR}
}

// knoxRow is a row of whichever kind.
type knoxRow interface{ Scan(...any) error }

func scanKnox(row knoxRow) (*knox.Record, error) {
	var (
		r                                                         knox.Record
		scopes                                                    sql.NullString
		amr                                                       string
		slide                                                     int64
		created, expiresAt, maxExpiresAt, lastUsed, authenticated sql.NullInt64
	)
	if err := row.Scan(&r.Digest, &r.ID, &r.UserID, &r.Name, &scopes, &created, &expiresAt, &slide,
		&maxExpiresAt, &lastUsed, &r.IP, &r.UserAgent, &r.Stamp, &authenticated, &amr, &r.AuthInfo.ACR); err != nil {
		return nil, err
	}
	r.Limited, r.Slide = scopes.Valid, time.Duration(slide)*time.Microsecond
	r.Scopes = strings.Fields(scopes.String)
	r.Created, r.ExpiresAt, r.MaxExpiresAt = instant(created), instant(expiresAt), instant(maxExpiresAt)
	r.LastUsed, r.AuthInfo.AuthTime = instant(lastUsed), instant(authenticated)
	if err := unlistAMR(amr, &r.AuthInfo.AMR); err != nil {
		return nil, err
	}
	return &r, nil
}

func scanKnoxEnded(row knoxRow) (*knox.EndedToken, error) {
	var (
		e                          knox.EndedToken
		scopes                     sql.NullString
		created, lastUsed, endedAt sql.NullInt64
	)
	if err := row.Scan(&e.ID, &e.UserID, &e.Name, &scopes, &created, &lastUsed, &endedAt,
		(*string)(&e.Reason), &e.IP, &e.UserAgent); err != nil {
		return nil, err
	}
	e.Limited, e.Scopes = scopes.Valid, strings.Fields(scopes.String)
	e.Created, e.LastUsed, e.EndedAt = instant(created), instant(lastUsed), instant(endedAt)
	return &e, nil
}

// scanKnoxAll reads rows to their end and closes them.
func scanKnoxAll[T any](rows *sql.Rows, scan func(knoxRow) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
