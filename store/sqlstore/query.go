package sqlstore

import (
	"context"
	"database/sql"
)

// query is a query of a store that runs often.
type query struct {
	pool *sql.DB
	text string
	stmt *sql.Stmt // nil if the driver prepares it
}

// prepare returns a query that is prepared once for each connection.
func (db *DB) prepare(ctx context.Context, statement string) (query, error) {
	q := query{pool: db.read, text: db.sql(statement)}
	if !db.dialect.prepares() {
		return q, nil
	}
	var err error
	q.stmt, err = db.read.PrepareContext(ctx, q.text)
	return q, err
}

// row returns the one row of the query.
func (q query) row(ctx context.Context, args ...any) *sql.Row {
	if q.stmt == nil {
		return q.pool.QueryRowContext(ctx, q.text, args...)
	}
	return q.stmt.QueryRowContext(ctx, args...)
}

// rows returns all rows of the query.
func (q query) rows(ctx context.Context, args ...any) (*sql.Rows, error) {
	if q.stmt == nil {
		return q.pool.QueryContext(ctx, q.text, args...)
	}
	return q.stmt.QueryContext(ctx, args...)
}
