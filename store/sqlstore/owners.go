package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// generation returns the generation of a user, in a transaction: 0 until
// everything of theirs was made void for the first time.
func (db *DB) generation(ctx context.Context, conn *sql.Conn, userID string) (n int64, err error) {
	err = conn.QueryRowContext(ctx, db.table("SELECT generation FROM {prefix}owners WHERE user_id = ?"), userID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// void begins a new generation of a user, in a transaction.
func (db *DB) void(ctx context.Context, conn *sql.Conn, userID string, now time.Time) error {
	n, err := db.generation(ctx, conn, userID)
	if err != nil {
		return err
	}
	statement := "UPDATE {prefix}owners SET generation = ?, voided = ? WHERE user_id = ?"
	if n == 0 {
		statement = "INSERT INTO {prefix}owners (generation, voided, user_id) VALUES (?, ?, ?)"
	}
	_, err = conn.ExecContext(ctx, db.table(statement), n+1, micros(now), userID)
	return err
}
