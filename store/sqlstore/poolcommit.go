package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
)

// This file is about changes that the server may have made without saying so.

// commitError is the error of a COMMIT without an answer, or of a statement that is a transaction of its own. It is no
// [ErrBusy], which says that nothing was changed.
type commitError struct {
	what  string // was not answered
	cause error
}

func (e *commitError) Error() string {
	return "sqlstore: the database did not answer " + e.what + ", so the change was either made or not: " +
		e.cause.Error()
}

func (e *commitError) Unwrap() error { return e.cause }

// commitFault returns the error of a COMMIT. A connection that still works has read the answer, such as that of
// PostgreSQL that it undid the transaction, which drivers tell without a code.
func commitFault(ctx context.Context, conn *sql.Conn, err error) error {
	if isServerAnswer(err) || !lostServer(err) && isUsable(ctx, conn) {
		return err
	}
	return &commitError{"a COMMIT", err}
}

// isUsable reports whether a connection can be used. After an error of PingContext, conn would wait for rows that are
// open.
func isUsable(ctx context.Context, conn *sql.Conn) bool {
	err := driver.ErrBadConn
	gone := conn.Raw(func(c any) error {
		if pinger, ok := c.(driver.Pinger); ok {
			err = pinger.Ping(ctx)
		}
		return nil
	})
	return gone == nil && err == nil
}

// isServerAnswer reports whether an error is the answer of the server, which then changed nothing.
func isServerAnswer(err error) bool {
	return (sqlState(err) != "" || mysqlError(err) != 0) && !lostServer(err)
}

// lostServer reports whether an error says that the connection to the server was lost. A server says so when it ends. A
// pooler says so when it loses its own connection in the middle of a statement, as PgBouncer does after query_timeout.
func lostServer(err error) bool {
	state := sqlState(err)
	if state == "40003" || strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P") {
		return true
	}
	switch n := mysqlError(err); n {
	case 1053, 1927: // the server shuts down, the connection was killed
		return true
	default:
		return n >= 2000 && n < 3000 // of clients, which poolers pass on
	}
}
