package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// This file bounds the time of queries. A server that is cut off by the network, or a process that is stopped, accepts
// a query and never answers it. The context of a request has no deadline by default.

// ErrNoAnswer is returned, wrapped, by a read that PostgreSQL or MySQL did not answer within [Config].ReadTimeout. The
// wait for a connection of the pool counts. Requests are answered with 503.
var ErrNoAnswer = errors.New("sqlstore: no answer from the database")

const defaultReadTimeout = 5 * time.Second

// queryTimeout ends a query that takes longer than its time.
type queryTimeout struct {
	ctx     context.Context
	limited context.Context
	cancel  context.CancelFunc
	pool    *sql.DB
	wait    time.Duration
	rows    *sql.Rows // of a query for one
	fault   error     // of that query
}

// withTimeout returns the context for a query. The queryTimeout is nil if ctx ends in time by itself, or if the query
// has no timeout. That saves a timer.
func (q query) withTimeout(ctx context.Context) (context.Context, *queryTimeout) {
	if q.wait == 0 {
		return ctx, nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= q.wait {
		return ctx, nil
	}
	limited, cancel := context.WithTimeout(ctx, q.wait)
	return limited, &queryTimeout{ctx: ctx, limited: limited, cancel: cancel, pool: q.pool, wait: q.wait}
}

// end ends a query. It returns err, or what says that the time was over.
func (b *queryTimeout) end(err error) error {
	if b == nil {
		return err
	}
	late := err != nil && b.limited.Err() != nil && b.ctx.Err() == nil
	b.cancel()
	if !late || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	stats := b.pool.Stats()
	full := 0
	if stats.MaxOpenConnections > 0 && stats.InUse >= stats.MaxOpenConnections {
		full = stats.MaxOpenConnections
	}
	return &noAnswerError{b.wait, full, err}
}

// Scan reads the row and ends the query.
func (b *queryTimeout) Scan(fields ...any) error { return b.end(scanOne(b.rows, b.fault, fields)) }

// noAnswerError is an [ErrNoAnswer].
type noAnswerError struct {
	waited time.Duration
	full   int // how many connections the pool has, if all of them were in use
	cause  error
}

func (e *noAnswerError) Error() string {
	text := fmt.Sprintf("sqlstore: the database did not answer a query within %v, see Config.ReadTimeout", e.waited)
	if e.full > 0 {
		text += fmt.Sprintf("; all connections of the pool (%d) were in use, see sql.DB.SetMaxOpenConns", e.full)
	}
	return text + ": " + e.cause.Error()
}

func (e *noAnswerError) Is(target error) bool { return target == ErrNoAnswer }
func (e *noAnswerError) Unwrap() error        { return e.cause }
