package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// This file runs changes of the application on a connection of PostgreSQL or MySQL. The transaction is one of
// database/sql, which keeps the connection out of the pool until it ends, whatever the change does with it.

// probePause is the time between two looks at whether a change has closed its connection.
const probePause = 100 * time.Millisecond

// update runs change in a transaction. It runs change again after a temporary error of the engine only.
func (p *pool) update(ctx context.Context, change func(conn *sql.Conn) error) error {
	var own error // of change
	err := p.retry(ctx, 1, func(limited context.Context) error {
		own = nil
		return p.updateOnce(ctx, limited, func(conn *sql.Conn) error {
			own = change(conn)
			return own
		})
	})
	if own != nil && p.engine.fault(own) != retryable { // however long change took, it is no ErrBusy
		return withHint(own)
	}
	return err
}

func (p *pool) updateOnce(ctx, limited context.Context, change func(conn *sql.Conn) error) error {
	// The transaction must not end by itself with ctx: what change writes then would be committed statement by
	// statement.
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	conn, tx, err := p.beginTx(limited, detached, cancel)
	if err != nil {
		return err
	}
	defer p.releaseConn(conn)
	ended := false
	defer func() { // after a panic, too
		if !ended {
			defer time.AfterFunc(endTimeout, cancel).Stop()
			_ = p.engine.rollback(detached, conn, tx)
		}
	}()
	done := make(chan struct{})
	defer close(done)
	go rollbackIfClosed(conn, tx, done)
	if err := change(conn); err != nil {
		return err
	}
	if driverConn(conn) == nil {
		return errConnClosed
	}
	ended = true
	defer time.AfterFunc(endTimeout, cancel).Stop() // a server may be silent
	if err = p.engine.commit(detached, conn, tx); err != nil {
		return commitFault(detached, conn, err)
	}
	return nil
}

// beginTx starts a transaction, for as long as limited lasts. A connection that the server closed while it was idle is
// replaced: nothing ran on it. The context of the transaction is detached, which cancel ends.
func (p *pool) beginTx(limited, detached context.Context, cancel func()) (*sql.Conn, *sql.Tx, error) {
	stop := context.AfterFunc(limited, cancel)
	defer stop()
	for try := 1; ; try++ {
		conn, err := p.db.Conn(limited)
		if err != nil {
			return nil, nil, err
		}
		tx, err := conn.BeginTx(detached, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err == nil && !stop() { // the time ended in between
			_ = tx.Rollback()
			err = limited.Err()
		}
		if err == nil {
			return conn, tx, nil
		}
		discard(conn)
		_ = conn.Close()
		if try == maxBegins || !errors.Is(err, driver.ErrBadConn) && !p.engine.isConnClosed(err) {
			return nil, nil, err
		}
	}
}

// rollbackIfClosed undoes a transaction whose change has called conn.Close, which waits for the end of the transaction.
func rollbackIfClosed(conn *sql.Conn, tx *sql.Tx, done <-chan struct{}) {
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

// releaseConn returns a connection to its pool, unless rows or a server that is silent keep it.
func (p *pool) releaseConn(conn *sql.Conn) {
	back := make(chan struct{})
	go func() {
		defer close(back)
		_ = conn.Close() // waits until all rows are closed, and for mysql.leave
	}()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-back:
	case <-timer.C:
		p.logger.Warn("sqlstore: a change by Update left rows open, which keep its connection. "+
			"It must close them before it returns, also after an error. Or the server is silent", "waited", p.wait)
	}
}
