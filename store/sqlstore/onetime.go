package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/password"
)

// OneTimeStore is a [password.OneTimeStore] in a database.
type OneTimeStore struct {
	db *DB
}

var _ password.OneTimeStore = (*OneTimeStore)(nil)

// OneTime opens the store of one-time tokens of a database, and creates or
// migrates its table.
func OneTime(ctx context.Context, db *DB) (*OneTimeStore, error) {
	if err := db.migrate(ctx, "onetime"); err != nil {
		return nil, err
	}
	return &OneTimeStore{db}, nil
}

// onceLive is the condition of the records that Add counts against its limit.
const onceLive = `user_id = ? AND purpose = ? AND used IS NULL AND expires_at > ?`

// Add implements [password.OneTimeStore] in one transaction.
func (s *OneTimeStore) Add(ctx context.Context, r *password.OneTimeRecord, limit int, now time.Time) error {
	return s.db.update(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := s.db.lockOwner(ctx, conn, r.UserID); err != nil {
			return err
		}
		var live int
		if err := queryRow(ctx, conn, s.db.sql(`SELECT COUNT(*) FROM {prefix}onetime
			WHERE `+onceLive),
			r.UserID, string(r.Purpose), micros(now)).Scan(&live); err != nil {
			return err
		}
		if surplus := live - limit + 1; surplus > 0 {
			oldest, err := queryStrings(ctx, conn, s.db.sql(`SELECT digest FROM {prefix}onetime
				WHERE `+onceLive+` ORDER BY created, digest LIMIT ? {lock}`),
				r.UserID, string(r.Purpose), micros(now), surplus)
			if err != nil {
				return err
			}
			if _, err := s.db.execForKeys(ctx, conn, `DELETE FROM {prefix}onetime WHERE digest IN {keys}`,
				oldest); err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, s.db.sql(insert("onetime", "digest, user_id, purpose, about, stamp, created, "+
			"expires_at, used")), r.Digest, r.UserID, string(r.Purpose), r.About, r.Stamp, micros(r.Created),
			micros(r.ExpiresAt), micros(r.Used))
		return err
	})
}

// Find implements [password.OneTimeStore].
func (s *OneTimeStore) Find(ctx context.Context, digest string) (*password.OneTimeRecord, error) {
	r := &password.OneTimeRecord{Digest: digest}
	var created, expires, used sql.NullInt64
	err := s.db.query(`SELECT user_id, purpose, about, stamp, created, expires_at, used
		FROM {prefix}onetime WHERE digest = ?`).row(ctx, digest).
		Scan(&r.UserID, (*string)(&r.Purpose), &r.About, &r.Stamp, &created, &expires, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.Created, r.ExpiresAt, r.Used = instant(created), instant(expires), instant(used)
	return r, nil
}

// Redeem implements [password.OneTimeStore] in one transaction.
func (s *OneTimeStore) Redeem(ctx context.Context, digest string, now time.Time) (password.OneTimeVerdict, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (password.OneTimeVerdict, error) {
		if err := s.lockOwnerOf(ctx, conn, digest); err != nil {
			return password.OneTimeUnknown, err
		}
		var userID, purpose string
		var expires, used sql.NullInt64
		err := queryRow(ctx, conn, s.db.sql(`SELECT user_id, purpose, expires_at, used
			FROM {prefix}onetime WHERE digest = ? {lock}`), digest).
			Scan(&userID, &purpose, &expires, &used)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return password.OneTimeUnknown, nil
		case err != nil:
			return password.OneTimeUnknown, err
		case used.Valid:
			return password.OneTimeUsed, nil
		case !now.Before(instant(expires)):
			return password.OneTimeExpired, nil
		}
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}onetime SET used = ? WHERE digest = ?`),
			micros(now), digest); err != nil {
			return password.OneTimeUnknown, err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}onetime
			WHERE user_id = ? AND purpose = ? AND used IS NULL`), userID, purpose)
		return password.OneTimeFirst, err
	})
}

// lockOwnerOf locks the user of a record, if there is one, in a transaction. Two records of a user, each
// of which ends the other one, are then redeemed one after the other.
func (s *OneTimeStore) lockOwnerOf(ctx context.Context, conn *sql.Conn, digest string) error {
	var userID string
	err := queryRow(ctx, conn, s.db.sql(`SELECT user_id FROM {prefix}onetime WHERE digest = ?`), digest).
		Scan(&userID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.db.lockOwner(ctx, conn, userID)
}

// RemoveUnused implements [password.OneTimeStore] in one transaction.
func (s *OneTimeStore) RemoveUnused(ctx context.Context, userID string) (int, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return 0, err
		}
		return count(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}onetime
			WHERE user_id = ? AND used IS NULL`), userID))
	})
}

// Purge implements [password.OneTimeStore].
func (s *OneTimeStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.db.purge(ctx, "onetime", "digest", "expires_at", micros(now), limit)
}
