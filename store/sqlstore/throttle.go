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
	return s.db.update(ctx, func(conn *sql.Conn) error {
		before, err := s.counters(ctx, conn, keys, now)
		if err != nil {
			return err
		}
		counters := slices.Clone(before)
		change(counters)
		for i, key := range keys {
			if counters[i] == before[i] {
				continue
			}
			if err := s.write(ctx, conn, key, counters[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// counters returns the counters of keys, in their order, in a transaction. A counter that has expired
// is the zero counter.
func (s *ThrottleStore) counters(ctx context.Context, conn *sql.Conn, keys []string,
	now time.Time) ([]password.Counter, error) {
	counters := make([]password.Counter, len(keys))
	for i, key := range keys {
		c, err := s.counter(ctx, conn, key)
		if err != nil {
			return nil, err
		}
		if now.Before(c.ExpiresAt) {
			counters[i] = c
		}
	}
	return counters, nil
}

// write puts a counter in the place of the one of a key, in a transaction. It is not an upsert, which each
// engine spells differently.
func (s *ThrottleStore) write(ctx context.Context, conn *sql.Conn, key string, c password.Counter) error {
	if _, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}throttle WHERE digest = ?`), key); err != nil {
		return err
	}
	if c == (password.Counter{}) {
		return nil
	}
	_, err := conn.ExecContext(ctx, s.db.sql(insert("throttle", "digest, failures, until, expires_at")),
		key, c.Failures, micros(c.Until), micros(c.ExpiresAt))
	return err
}

func (s *ThrottleStore) counter(ctx context.Context, conn *sql.Conn, key string) (password.Counter, error) {
	var c password.Counter
	var until, expires sql.NullInt64
	err := conn.QueryRowContext(ctx, s.db.sql(`SELECT failures, until, expires_at
		FROM {prefix}throttle WHERE digest = ? {lock}`), key).
		Scan(&c.Failures, &until, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	c.Until, c.ExpiresAt = instant(until), instant(expires)
	return c, err
}

// Purge implements [password.ThrottleStore].
func (s *ThrottleStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit <= 0 {
		limit = math.MaxInt32 // no limit
	}
	return s.db.purge(ctx, "throttle", "digest", `expires_at <= ?`, "expires_at", micros(now), limit)
}
