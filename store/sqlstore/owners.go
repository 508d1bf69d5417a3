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
	statement := db.table(`SELECT generation FROM {prefix}owners WHERE user_id = ?`)
	err = conn.QueryRowContext(ctx, statement, userID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// void notes that what is of no generation is void until now, and makes a user
// so many generations older, in a transaction.
func (db *DB) void(ctx context.Context, conn *sql.Conn, userID string, generations int, now time.Time) error {
	result, err := conn.ExecContext(ctx, db.table(`UPDATE {prefix}owners SET generation = generation + ?, voided = ?
		WHERE user_id = ?`), generations, micros(now), userID)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, db.table(`INSERT INTO {prefix}owners (generation, voided, user_id)
		VALUES (?, ?, ?)`), generations, micros(now), userID)
	return err
}
