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
	rows, err := s.db.read.QueryContext(ctx, s.db.table(`SELECT id, algorithm, sealed, created, signs, expires_at
		FROM {prefix}jwt_keys ORDER BY signs, id`))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*jwt.KeyRecord
	for rows.Next() {
		var r jwt.KeyRecord
		var created, signs, expiresAt sql.NullInt64
		if err := rows.Scan(&r.ID, (*string)(&r.Algorithm), &r.Sealed, &created, &signs, &expiresAt); err != nil {
			return nil, err
		}
		r.Created, r.Signs, r.ExpiresAt = instant(created), instant(signs), instant(expiresAt)
		all = append(all, &r)
	}
	return all, rows.Err()
}

// Add implements [jwt.KeyStore] in one transaction.
func (s *JWTKeyStore) Add(ctx context.Context, r *jwt.KeyRecord, last string) (bool, error) {
	added := false
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		newest := ""
		err := conn.QueryRowContext(ctx, s.db.table(`SELECT id FROM {prefix}jwt_keys
			ORDER BY signs DESC, id DESC LIMIT 1`)).Scan(&newest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if newest != last {
			return nil
		}
		added = true
		_, err = conn.ExecContext(ctx, s.db.table(`INSERT INTO {prefix}jwt_keys
			(id, algorithm, sealed, created, signs, expires_at) VALUES (?, ?, ?, ?, ?, ?)`),
			r.ID, string(r.Algorithm), r.Sealed, micros(r.Created), micros(r.Signs), micros(r.ExpiresAt))
		return err
	})
	return added && err == nil, err
}

// Change implements [jwt.KeyStore].
func (s *JWTKeyStore) Change(ctx context.Context, id string, signs, expiresAt time.Time) (bool, error) {
	return s.changed(ctx, `UPDATE {prefix}jwt_keys SET signs = ?, expires_at = ? WHERE id = ?`,
		micros(signs), micros(expiresAt), id)
}

// Remove implements [jwt.KeyStore].
func (s *JWTKeyStore) Remove(ctx context.Context, id string) (bool, error) {
	return s.changed(ctx, `DELETE FROM {prefix}jwt_keys WHERE id = ?`, id)
}

// changed runs a statement and reports whether it concerned a row.
func (s *JWTKeyStore) changed(ctx context.Context, statement string, args ...any) (bool, error) {
	result, err := s.db.exec(ctx, s.db.table(statement), args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
