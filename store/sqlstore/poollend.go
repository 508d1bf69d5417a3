package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// This file lends a connection of PostgreSQL or MySQL to a change of the application. The transaction is one of
// database/sql, which keeps the connection out of the pool until it ends, whatever the change does with it.

// probePause is the time between two looks at whether a change has closed its connection.
const probePause = 100 * time.Millisecond

// lend runs change in a transaction. Only an error of the engine that passes lets it run again.
func (p *pool) lend(ctx context.Context, change func(conn *sql.Conn) error) error {
	return p.retry(ctx, 1, func(limited context.Context) error { return p.lendOnce(ctx, limited, change) })
}

func (p *pool) lendOnce(ctx, limited context.Context, change func(conn *sql.Conn) error) error {
	conn, err := p.db.Conn(limited)
	if err != nil {
		return err
	}
	defer p.giveBack(conn)
	// The transaction must not end by itself with ctx: what change writes then would be committed statement by statement.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a panic, too
	done := make(chan struct{})
	defer close(done)
	go undoIfClosed(conn, tx, done)
	if err := change(conn); err != nil {
		return err
	}
	if driverConn(conn) == nil {
		return errConnClosed
	}
	return tx.Commit()
}

// undoIfClosed undoes a transaction whose change has called conn.Close, which waits for the end of the transaction.
func undoIfClosed(conn *sql.Conn, tx *sql.Tx, done <-chan struct{}) {
	ticker := time.NewTicker(probePause)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		if err := conn.Raw(func(any) error { return nil }); errors.Is(err, sql.ErrConnDone) {
			_ = tx.Rollback()
			return
		}
	}
}

// giveBack returns a connection to its pool, unless rows keep it.
func (p *pool) giveBack(conn *sql.Conn) {
	back := make(chan struct{})
	go func() {
		defer close(back)
		_ = conn.Close() // waits until all rows are closed
	}()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-back:
	case <-timer.C:
		p.logger.Warn("sqlstore: a change by Update left rows open, which keep its connection. "+
			"It must close them before it returns, also after an error", "waited", p.wait)
	}
}
