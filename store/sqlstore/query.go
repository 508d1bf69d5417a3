package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// query is a query of a store outside of transactions.
type query struct {
	pool *sql.DB
	text string
	stmt *sql.Stmt     // nil if the driver prepares it
	wait time.Duration // the longest that it may take, see withTimeout; 0 has no timeout
}

// query returns a query that is not prepared.
func (db *DB) query(statement string) query {
	return query{pool: db.read, text: db.sql(statement), wait: db.readTimeout}
}

// prepare returns a query that runs often. It is prepared once for each connection.
func (db *DB) prepare(ctx context.Context, statement string) (query, error) {
	q := db.query(statement)
	if !db.dialect.prepares() {
		return q, nil
	}
	limited, cancel := context.WithTimeout(ctx, migrateWait) // a migration of another program may have locked the table
	defer cancel()
	var err error
	q.stmt, err = db.read.PrepareContext(limited, q.text)
	return q, err
}

// row returns the one row of the query. The caller must scan it.
func (q query) row(ctx context.Context, args ...any) scanner {
	limited, bound := q.withTimeout(ctx)
	if bound != nil {
		bound.rows, bound.fault = q.rows(limited, args)
		return bound
	}
	if q.stmt == nil {
		return q.pool.QueryRowContext(ctx, q.text, args...)
	}
	return q.stmt.QueryRowContext(ctx, args...)
}

func (q query) rows(ctx context.Context, args []any) (*sql.Rows, error) {
	if q.stmt == nil {
		return q.pool.QueryContext(ctx, q.text, args...)
	}
	return q.stmt.QueryContext(ctx, args...)
}

// readAll returns all rows of a query.
func readAll[T any](ctx context.Context, q query, scan func(scanner) (T, error), args ...any) ([]T, error) {
	limited, bound := q.withTimeout(ctx)
	rows, err := q.rows(limited, args)
	found, err := all(rows, err, scan)
	return found, bound.end(err)
}
