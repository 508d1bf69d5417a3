package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
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
func (s *ThrottleStore) Update(ctx context.Context, keys []string, now time.Time, change func(counters []password.Counter)) error {
	return s.db.update(ctx, func(conn *sql.Conn) error {
		counters := make([]password.Counter, len(keys))
		for i, key := range keys {
			c, err := s.counter(ctx, conn, key)
			if err != nil {
				return err
			}
			if now.Before(c.ExpiresAt) {
				counters[i] = c
			}
		}
		before := append([]password.Counter(nil), counters...)
		change(counters)
		for i, key := range keys {
			if counters[i] == before[i] {
				continue
			}
			// Not an upsert: each engine spells that differently.
			if _, err := conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}throttle
				WHERE digest = ?`), key); err != nil {
				return err
			}
			if c := counters[i]; c != (password.Counter{}) {
				if _, err := conn.ExecContext(ctx, s.db.table(`INSERT INTO {prefix}throttle
					(digest, failures, until, expires_at) VALUES (?, ?, ?, ?)`),
					key, c.Failures, micros(c.Until), micros(c.ExpiresAt)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *ThrottleStore) counter(ctx context.Context, conn *sql.Conn, key string) (password.Counter, error) {
	var c password.Counter
	var until, expires sql.NullInt64
	err := conn.QueryRowContext(ctx, s.db.table(`SELECT failures, until, expires_at
		FROM {prefix}throttle WHERE digest = ?`), key).
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
		limit = math.MaxInt32 // none
	}
	result, err := s.db.exec(ctx, s.db.table(`DELETE FROM {prefix}throttle WHERE digest IN
		(SELECT digest FROM {prefix}throttle WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`), micros(now), limit)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
