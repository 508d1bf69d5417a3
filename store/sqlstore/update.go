package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"time"
)

// This file runs changes of the application on a connection of the writer. It releases the connection
// also after a change that left rows open or closed the connection.

// maxHeldConns is for how many connections that open rows hold the pool opens another one. Each one keeps a file
// open.
const maxHeldConns = 8

var (
	errRowsOpen = errors.New("sqlstore: changes by Update before this one left rows open, which keep their " +
		"connections. They must close them before they return, also after an error")
	errConnClosed = errors.New("sqlstore: the change was undone because it closed its connection, which is not its own")
)

// Update runs change in a transaction, for tables of the application's own in the same
// database: all of it happens, or nothing. The transaction may read and write, and it
// begins with the lock of the writer. The changes of a program have their turn one
// after another. Update waits for its turn at most Config.BusyTimeout and then returns
// an error that is [ErrBusy].
//
// The transaction is committed if change returns nil, even if ctx has ended by then.
// change must use conn alone, must not keep it, and must not call Update or a store of db. It must
// return an error that a statement returned: SQLite may have undone all before it, and what
// follows would then be committed by itself.
//
// In PostgreSQL and MySQL changes have no turn: the transaction is at READ COMMITTED, beside others. If the engine ends
// it in favor of another one (a deadlock), change runs again, up to 20 times within Config.BusyTimeout. So it must have
// no other effect than what it writes by conn. Its own statements wait for locks as long as their contexts let them.
// After an error of a statement, PostgreSQL undoes the transaction, also if change returns nil.
//
// change must not close conn. With a DB of [OpenSQLite], all of it is then undone, and Update returns an error. In
// PostgreSQL and MySQL, Close waits until ctx ends, and all is undone then. With [NewSQLite], others share the pool:
// their writes may be undone with it. If rows are open when conn is closed, the change waits for them and keeps its
// turn.
//
// change must close all rows before it returns, also after an error. Rows that stay open keep the
// connection until they are closed or their context ends. Update waits for it at most
// Config.BusyTimeout, and other changes wait meanwhile. Then another connection takes its place, up
// to 8, and Config.Logger is told at Warn, once until all of them are back. Update returns what it
// returns otherwise: nil if the change was committed.
func (db *DB) Update(ctx context.Context, change func(conn *sql.Conn) error) error {
	if db.pool != nil {
		return db.pool.update(ctx, change)
	}
	var lent any
	return db.run(ctx, false, func(conn *sql.Conn) error {
		lent = driverConn(conn)
		return change(conn)
	}, func(conn *sql.Conn, fault error) error {
		if errors.Is(fault, sql.ErrConnDone) {
			db.rollbackClosed(ctx, lent)
			return errConnClosed
		}
		db.releaseConn(conn, fault != nil)
		return nil
	})
}

// releaseConn returns a connection to its pool, or closes it if its state is not known. Open rows hold the
// connection. After db.busyTimeout the pool opens another one, so that other changes go on.
func (db *DB) releaseConn(conn *sql.Conn, unknown bool) {
	db.setReleaseStart(time.Now())
	defer db.setReleaseStart(time.Time{})
	back := make(chan struct{})
	go func() {
		defer close(back)
		if unknown {
			discard(conn)
		}
		_ = conn.Close() // waits until all rows are closed
	}()
	timer := time.NewTimer(db.busyTimeout)
	defer timer.Stop()
	select {
	case <-back:
		return
	case <-timer.C:
	}
	if db.addHeldConns(1) == 1 {
		cmp.Or(db.logger, slog.Default()).Warn("sqlstore: a change by Update left rows open, which keep its "+
			"connection. It must close them before it returns, also after an error", "waited", db.busyTimeout)
	}
	go func() {
		<-back
		db.addHeldConns(-1)
	}()
}

func (db *DB) setReleaseStart(since time.Time) {
	db.heldMu.Lock()
	defer db.heldMu.Unlock()
	db.releaseStart = since
}

// addHeldConns adds n to the number of connections that open rows hold. It lets the pool open as many more, and
// returns the new number. The pool of [NewSQLite] belongs to the application and stays as it is.
func (db *DB) addHeldConns(n int) int {
	db.heldMu.Lock()
	defer db.heldMu.Unlock()
	db.heldConns += n
	if db.read != db.write {
		db.write.SetMaxOpenConns(1 + min(db.heldConns, maxHeldConns))
	}
	return db.heldConns
}

// heldConnsError returns an error if rows that stay open may be why a change had no turn or no
// connection, and nil otherwise.
func (db *DB) heldConnsError() error {
	db.heldMu.Lock()
	defer db.heldMu.Unlock()
	if db.heldConns > 0 || !db.releaseStart.IsZero() && time.Since(db.releaseStart) > db.busyTimeout/2 {
		return errRowsOpen
	}
	return nil
}

// driverConn returns what identifies a connection in its pool.
func driverConn(conn *sql.Conn) (found any) {
	_ = conn.Raw(func(c any) error { found = c; return nil })
	return found
}

// rollbackClosed rolls back the transaction of a connection that a change closed, so that it is back
// in the pool. The pool gives out first what it got last.
func (db *DB) rollbackClosed(ctx context.Context, lent any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.busyTimeout)
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
