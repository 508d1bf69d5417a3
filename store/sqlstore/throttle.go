package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gatewarden/auth/password"
)

// ThrottleStore is a [password.ThrottleStore] in a database.
type ThrottleStore struct {
	db *DB
}

var _ password.ThrottleStore = (*ThrottleStore)(nil)

// Throttle opens the throttle store of a database, and creates or migrates its
// table.
func Throttle(ctx context.Context, db *DB) (*ThrottleStore, error) {
	if err := db.migrate(ctx, "throttle"); err != nil {
		return nil, err
	}
	return &ThrottleStore{db}, nil
}

// Update implements [password.ThrottleStore] in one transaction.
func (s *ThrottleStore) Update(ctx context.Context, keys []string, now time.Time,
	change func(counters []password.Counter)) error {
	return s.db.update(ctx, func(ctx context.Context, conn *sql.Conn) error {
		rows, err := s.counters(ctx, conn, keys, now)
		if err != nil {
			return err
		}
		counters := make([]password.Counter, len(keys))
		for i, key := range keys {
			counters[i] = rows[key].live
		}
		change(counters)
		for i, key := range keys {
			if err := s.write(ctx, conn, key, rows[key], counters[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// counter is the row of a key.
type counter struct {
	there bool
	made  bool             // by this transaction, to lock it
	live  password.Counter // zero if the row has expired, or is not there
}

// counters returns the rows of keys, in a transaction, and locks them in one order for all callers.
func (s *ThrottleStore) counters(ctx context.Context, conn *sql.Conn, keys []string,
	now time.Time) (map[string]counter, error) {
	rows := make(map[string]counter, len(keys))
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		found, err := s.lock(ctx, conn, key, now)
		if err != nil {
			return nil, err
		}
		rows[key] = found
	}
	return rows, nil
}

// lock returns the row of a key, in a transaction, and locks it. If there is no row it makes one, so that others that
// count by the same key wait for it. Where the turn of a writer is the lock, it makes none.
func (s *ThrottleStore) lock(ctx context.Context, conn *sql.Conn, key string, now time.Time) (counter, error) {
	for {
		found, err := s.counter(ctx, conn, key, now)
		if err != nil || found.there || !s.db.dialect.locksRows() {
			return found, err
		}
		made, err := s.db.dialect.insertNew(ctx, s.db, conn, "throttle", "digest, failures", key, 0)
		if err != nil || made {
			return counter{there: made, made: made}, err
		}
	}
}

func (s *ThrottleStore) counter(ctx context.Context, conn *sql.Conn, key string, now time.Time) (counter, error) {
	var c password.Counter
	var until, expires sql.NullInt64
	err := queryRow(ctx, conn, s.db.sql(`SELECT failures, until, expires_at
		FROM {prefix}throttle WHERE digest = ? {lock}`), key).
		Scan(&c.Failures, &until, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return counter{}, nil
	}
	c.Until, c.ExpiresAt = instant(until), instant(expires)
	if !now.Before(c.ExpiresAt) {
		c = password.Counter{}
	}
	return counter{there: true, live: c}, err
}

// write puts a counter in the place of the one of a key, in a transaction. A row that is there is changed and not
// replaced: others that wait for its lock would find it gone, and miss the new one.
func (s *ThrottleStore) write(ctx context.Context, conn *sql.Conn, key string, was counter, c password.Counter) error {
	statement := insert("throttle", "failures, until, expires_at, digest")
	args := []any{c.Failures, micros(c.Until), micros(c.ExpiresAt), key}
	switch {
	case c == was.live && !was.made:
		return nil
	case c == (password.Counter{}):
		statement, args = `DELETE FROM {prefix}throttle WHERE digest = ?`, args[3:]
	case was.there:
		statement = `UPDATE {prefix}throttle SET failures = ?, until = ?, expires_at = ? WHERE digest = ?`
	}
	_, err := conn.ExecContext(ctx, s.db.sql(statement), args...)
	return err
}

// Purge implements [password.ThrottleStore].
func (s *ThrottleStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit <= 0 {
		limit = math.MaxInt32 // no limit
	}
	return s.db.purge(ctx, "throttle", "digest", "expires_at", micros(now), limit)
}
