package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// lockOwner makes other transactions that lock this user wait until the transaction of conn ends. A
// change that counts the records of a user, or ends all of them, calls it first: one that adds a record
// at the same time is then before or after it. In SQLite the turn of a writer is that lock. Other engines lock the row
// of the user in the table owners, which is made at the first lock and stays.
func (db *DB) lockOwner(ctx context.Context, conn *sql.Conn, userID string) error {
	if !db.dialect.locksRows() {
		return nil
	}
	statement := db.sql(`SELECT user_id FROM {prefix}owners WHERE user_id = ? {lock}`)
	for try := 0; ; try++ {
		locked, err := queryStrings(ctx, conn, statement, userID)
		if err != nil || len(locked) > 0 {
			return err
		}
		if try > 0 {
			return errOwner
		}
		if _, err := db.dialect.insertNew(ctx, db, conn, "owners", "user_id, generation", userID, 0); err != nil {
			return err
		}
	}
}

var errOwner = errors.New("sqlstore: the row of a user in the table owners was removed while it was being locked")

// generation returns the generation of a user, in a transaction. It is 0 until all tokens of the user
// are revoked for the first time.
func (db *DB) generation(ctx context.Context, conn *sql.Conn, userID string) (n int64, err error) {
	statement := db.sql(`SELECT generation FROM {prefix}owners WHERE user_id = ?`)
	err = queryRow(ctx, conn, statement, userID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// revokeIssuedBefore revokes what other issuers issued to a user until now, in a transaction. It adds generations to
// the generation of the user, which revokes the tokens of older generations.
func (db *DB) revokeIssuedBefore(ctx context.Context, conn *sql.Conn, userID string, generations int,
	now time.Time) error {
	if _, err := db.dialect.insertNew(ctx, db, conn, "owners", "user_id, generation, voided", userID, 0,
		micros(now)); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, db.sql(`UPDATE {prefix}owners SET generation = generation + ?, voided = ?
		WHERE user_id = ?`), generations, micros(now), userID)
	return err
}
