package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWTKeyStore is a [jwt.KeyStore] in a database.
type JWTKeyStore struct{ db *DB }

var _ jwt.KeyStore = (*JWTKeyStore)(nil)

// JWTKeys opens the store of keys of a database, and creates or migrates its
// table.
func JWTKeys(ctx context.Context, db *DB) (*JWTKeyStore, error) {
	if err := db.migrate(ctx, "jwtkeys"); err != nil {
		return nil, err
	}
	return &JWTKeyStore{db}, nil
}

// Keys implements [jwt.KeyStore].
func (s *JWTKeyStore) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	return readAll(ctx, s.db.query(`SELECT `+jwtKeyColumns+` FROM {prefix}jwt_keys ORDER BY signs, id`), scanJWTKey)
}

const jwtKeyColumns = `id, algorithm, sealed, created, signs, expires_at`

func scanJWTKey(row scanner) (*jwt.KeyRecord, error) {
	var r jwt.KeyRecord
	var created, signs, expiresAt sql.NullInt64
	if err := row.Scan(&r.ID, (*string)(&r.Algorithm), &r.Sealed, &created, &signs, &expiresAt); err != nil {
		return nil, err
	}
	r.Created, r.SignsFrom, r.ExpiresAt = instant(created), instant(signs), instant(expiresAt)
	return &r, nil
}

// Add implements [jwt.KeyStore] in one transaction. It locks the keys of the algorithm as the records of an owner are
// locked: to lock the newest one would not keep a newer one out.
func (s *JWTKeyStore) Add(ctx context.Context, r *jwt.KeyRecord, last string) (bool, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		if err := s.db.lockOwner(ctx, conn, "keys:"+string(r.Algorithm)); err != nil {
			return false, err
		}
		newest := ""
		err := queryRow(ctx, conn, s.db.sql(`SELECT id FROM {prefix}jwt_keys WHERE algorithm = ?
			ORDER BY signs DESC, id DESC LIMIT 1 {lock}`), string(r.Algorithm)).Scan(&newest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		if newest != last {
			return false, nil
		}
		_, err = conn.ExecContext(ctx, s.db.sql(insert("jwt_keys", jwtKeyColumns)),
			r.ID, string(r.Algorithm), r.Sealed, micros(r.Created), micros(r.SignsFrom), micros(r.ExpiresAt))
		return true, err
	})
}

// Change implements [jwt.KeyStore] in one transaction.
func (s *JWTKeyStore) Change(
	ctx context.Context, before *jwt.KeyRecord, signs, expiresAt time.Time,
) (bool, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		rows, err := conn.QueryContext(ctx, s.db.sql(`SELECT `+jwtKeyColumns+` FROM {prefix}jwt_keys
			WHERE id = ? {lock}`), before.ID)
		found, err := all(rows, err, scanJWTKey)
		if err != nil || len(found) == 0 || micros(found[0].SignsFrom) != micros(before.SignsFrom) ||
			micros(found[0].ExpiresAt) != micros(before.ExpiresAt) {
			return false, err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}jwt_keys SET signs = ?, expires_at = ? WHERE id = ?`),
			micros(signs), micros(expiresAt), before.ID)
		return true, err
	})
}

// SetEnd implements [jwt.KeyStore].
func (s *JWTKeyStore) SetEnd(ctx context.Context, id string, ends time.Time) (bool, error) {
	return changed(s.db.exec(ctx, s.db.sql(`UPDATE {prefix}jwt_keys SET expires_at = ?
		WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)`), micros(ends), id, micros(ends)))
}

// Remove implements [jwt.KeyStore].
func (s *JWTKeyStore) Remove(ctx context.Context, id string) (bool, error) {
	return changed(s.db.exec(ctx, s.db.sql(`DELETE FROM {prefix}jwt_keys WHERE id = ?`), id))
}
