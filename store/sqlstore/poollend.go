package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// This file lends a connection of PostgreSQL or MySQL to a change of the application. The transaction is one of
// database/sql, which keeps the connection out of the pool until it ends, whatever the change does with it.

// probeTime is how long a connection may take to answer before it counts as one that is being closed.
const probeTime = time.Second

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
	go undoIfClosing(ctx, conn, tx, done)
	if err := change(conn); err != nil {
		return err
	}
	if driverConn(conn) == nil {
		return errConnClosed
	}
	return tx.Commit()
}

// undoIfClosing undoes a transaction whose change waits in conn.Close, once ctx has ended. Close waits for the end of
// the transaction, which only comes after it.
func undoIfClosing(ctx context.Context, conn *sql.Conn, tx *sql.Tx, done <-chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = conn.Raw(func(any) error { return nil }) // waits behind Close, and while a statement runs
	}()
	timer := time.NewTimer(probeTime)
	defer timer.Stop()
	select {
	case <-answered:
		return
	case <-done:
		return
	case <-timer.C:
	}
	_, _ = tx.Exec("SELECT 1") // waits while a statement runs, and not behind Close
	timer.Reset(probeTime)
	select {
	case <-answered:
	case <-done:
	case <-timer.C:
		_ = tx.Rollback()
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
