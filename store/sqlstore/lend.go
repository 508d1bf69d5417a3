package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// This file takes a connection back from a change that does not give it back as it should.

const (
	// returnWait is how long a connection is waited for that rows or another goroutine keep.
	returnWait = 250 * time.Millisecond
	// maxKept is how many such connections others replace. Each one keeps a file open.
	maxKept = 8
)

var (
	errRowsCommitted = errors.New("sqlstore: the change was committed, and left rows open, which keep its connection. " +
		"It must close them before it returns")
	errRowsRolledBack = errors.New("sqlstore: the change was undone, and left rows open, which keep its connection. " +
		"It must close them before it returns, also after an error")
	errKept       = errors.New("sqlstore: changes before this one left rows open, which keep their connections")
	errConnClosed = errors.New("sqlstore: the change was undone because it closed its connection, which is not its own")
)

// giveBack returns a connection to its pool, or out of it if its state is not known. Rows that
// are open keep it: then another connection takes its place, so that other changes go on.
func (db *DB) giveBack(conn *sql.Conn, unknown bool) (back bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if unknown {
			discard(conn)
		}
		_ = conn.Close() // waits until all rows are closed
	}()
	timer := time.NewTimer(returnWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	db.keep(1)
	go func() {
		<-done
		db.keep(-1)
	}()
	return false
}

// keep counts connections that rows keep, and makes room for as many others. The pool of
// [NewSQLite] is the application's.
func (db *DB) keep(more int) {
	db.keptMu.Lock()
	defer db.keptMu.Unlock()
	db.kept += more
	if db.read != db.write {
		db.write.SetMaxOpenConns(1 + min(db.kept, maxKept))
	}
}

// keptCause returns why there is no connection, or nil.
func (db *DB) keptCause() error {
	db.keptMu.Lock()
	defer db.keptMu.Unlock()
	if db.kept > 0 {
		return errKept
	}
	return nil
}

// driverConn returns what identifies a connection in its pool.
func driverConn(conn *sql.Conn) (found any) {
	_ = conn.Raw(func(c any) error { found = c; return nil })
	return found
}

// reclaim rolls back the transaction of a connection that a change closed, so that it is back
// in the pool. The pool gives out first what it got last.
func (db *DB) reclaim(ctx context.Context, lent any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnWait)
	defer cancel()
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.Raw(func(c any) error {
		plain, ok := c.(driver.Conn)
		if c != lent || !ok {
			return nil
		}
		if err := execute(ctx, plain, "ROLLBACK"); err != nil {
			return driver.ErrBadConn // its state is not known
		}
		return nil
	})
}
