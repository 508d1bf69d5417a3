package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"strings"
	"time"
)

// This file reads and writes values and results as all stores do.

// changed reports whether a statement changed a row.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// count returns how many rows a statement concerned.
func count(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// all reads rows to their end and closes them.
func all[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// scanOne reads the only row of a query, and the end of the answer. The driver of MySQL would read the end when the
// rows are closed, and then it does not go by the context any more: a server that was silent from there on would never
// be given up on.
func scanOne(rows *sql.Rows, err error, fields []any) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return cmp.Or(rows.Err(), sql.ErrNoRows)
	}
	err = rows.Scan(fields...)
	rows.Next()
	return cmp.Or(err, rows.Err())
}

// oneRow is the only row of a query, as sql.Row is one.
type oneRow struct {
	rows *sql.Rows
	err  error
}

// queryRow asks for one row in a transaction.
func queryRow(ctx context.Context, conn *sql.Conn, query string, args ...any) oneRow {
	rows, err := conn.QueryContext(ctx, query, args...)
	return oneRow{rows, err}
}

// Scan reads the row and ends the query. See scanOne.
func (r oneRow) Scan(fields ...any) error { return scanOne(r.rows, r.err, fields) }

// queryStrings returns the one column of a query.
func queryStrings(ctx context.Context, conn *sql.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	return all(rows, err, func(row scanner) (text string, err error) {
		err = row.Scan(&text)
		return text, err
	})
}

// micros is a time as it is stored: microseconds since 1970, NULL for the zero
// time.
func micros(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UnixMicro()
}

// instant reads what micros wrote.
func instant(stored sql.NullInt64) time.Time {
	if !stored.Valid {
		return time.Time{}
	}
	return time.UnixMicro(stored.Int64).UTC()
}

// sealed is what is stored of bytes that may be absent. A driver may write an empty slice that is not NULL for a nil
// one.
func sealed(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// limitedScopes are scopes as they are stored, separated by spaces. NULL is not limited.
func limitedScopes(scopes []string, limited bool) any {
	if !limited {
		return nil
	}
	return strings.Join(scopes, " ")
}

// transactValue runs a change in a transaction and returns its result. If the engine ends the transaction in favor of
// another one, change runs again, so all that it found out is in its result. The context of change ends when its time
// is over.
func transactValue[T any](ctx context.Context, db *DB, change func(ctx context.Context, conn *sql.Conn) (T, error)) (
	T, error) {
	var result T
	err := db.update(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
		result, err = change(ctx, conn)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// putOnce writes a key into a table, and reports whether it was not there or had expired, in a
// transaction of its own.
func (db *DB) putOnce(ctx context.Context, table, key string, expires, now time.Time) (bool, error) {
	return transactValue(ctx, db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		return db.insertOnce(ctx, conn, table, key, expires, now)
	})
}

// insertOnce is putOnce, in a transaction.
func (db *DB) insertOnce(ctx context.Context, conn *sql.Conn, table, key string, expires, now time.Time) (bool, error) {
	if _, err := conn.ExecContext(ctx, db.sql(`DELETE FROM {prefix}`+table+`
		WHERE {key} = ? AND expires_at <= ?`), key, micros(now)); err != nil {
		return false, err
	}
	return db.dialect.insertNew(ctx, db, conn, table, "{key}, expires_at", key, micros(expires))
}
