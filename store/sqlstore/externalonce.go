package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// This file has the codes and the keys that are used once.

// PutOnce implements [external.Store] in one transaction.
func (s *ExternalStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (fresh bool, err error) {
	return s.db.putOnce(ctx, "login_once", key, expires, now)
}

// AddCode implements [external.Store].
func (s *ExternalStore) AddCode(ctx context.Context, code *external.Code) error {
	data := code.Data
	if data == nil {
		data = []byte{}
	}
	_, err := s.db.exec(ctx, s.db.sql(insert("login_codes", "digest, user_id, stamp, challenge, data, expires_at")),
		code.Digest, code.UserID, code.Stamp, code.Challenge, data, micros(code.ExpiresAt))
	return err
}

// TakeCode implements [external.Store] in one transaction.
func (s *ExternalStore) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (*external.Code, error) {
		code := &external.Code{Digest: digest}
		var expires sql.NullInt64
		err := queryRow(ctx, conn, s.db.sql(`SELECT user_id, stamp, challenge, data, expires_at
			FROM {prefix}login_codes WHERE digest = ? AND expires_at > ? {lock}`), digest, micros(now)).
			Scan(&code.UserID, &code.Stamp, &code.Challenge, &code.Data, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		code.ExpiresAt = instant(expires)
		_, err = s.run(ctx, conn, `DELETE FROM {prefix}login_codes WHERE digest = ?`, digest)
		return code, err
	})
}

// Purge implements [external.Store] in one transaction.
func (s *ExternalStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		total := 0
		for _, each := range []struct{ table, key string }{{"login_once", "{key}"}, {"login_codes", "digest"},
			{"login_reservations", "id"}} {
			n, err := s.db.purgeIn(ctx, conn, each.table, each.key, "expires_at", micros(now), limit-total)
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	})
}
