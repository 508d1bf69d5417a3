package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// This file runs the transactions of PostgreSQL and MySQL. Many connections change the database at once there, and
// the engine may end one transaction to let another one go on.

// pooled is the dialect of an engine that many connections change at once.
type pooled interface {
	dialect
	// begin returns the statements that start a transaction at READ COMMITTED.
	begin() []string
	// commit and rollback end a transaction of BeginTx, which conn has and whose context ctx is.
	commit(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error
	rollback(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error
	// isConnClosed reports whether an error says that the server closed the connection.
	isConnClosed(err error) bool
	// check returns an error if the server is too old, or has a setting that the stores cannot work with.
	check(ctx context.Context, db *sql.DB, warn func(text string)) error
}

// pool is the pool of such an engine.
type pool struct {
	db     *sql.DB
	engine pooled
	wait   time.Duration // the longest that a change may take with all its tries

	logger    *slog.Logger
	migrating chan struct{} // full while a migration of MySQL runs, which needs two connections
}

const (
	// maxTries is how often a transaction is tried that the engine ends in favor of others.
	maxTries = 20
	// maxDuplicates is how often one is tried that wrote a key that another transaction wrote first. The second try
	// reads that key.
	maxDuplicates = 3
	// maxBegins is how many connections may turn out to be closed by the server.
	maxBegins = 3
	// maxRetryPause is the longest pause between two tries.
	maxRetryPause = 100 * time.Millisecond
)

// transact runs change in a transaction, and again after an error that passes. The context of change ends when no time
// is left, so that no change waits for a lock longer.
func (p *pool) transact(ctx context.Context, change func(ctx context.Context, conn *sql.Conn) error) error {
	return p.retry(ctx, maxDuplicates, func(ctx context.Context) error { return p.attempt(ctx, change) })
}

// retry makes attempts at a transaction, and at most maxDuplicates of them that find a key that is there already.
func (p *pool) retry(ctx context.Context, maxDuplicates int, attempt func(ctx context.Context) error) error {
	since := time.Now()
	limited, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	duplicates, pause := 0, firstPause
	for try := 1; ; try++ {
		err := attempt(limited)
		if err == nil {
			return nil
		}
		switch p.engine.fault(err) {
		case retryable:
		case duplicateKey:
			duplicates++
		default:
			return p.changeError(ctx, limited, since, err)
		}
		if try == maxTries || duplicates >= maxDuplicates {
			return p.changeError(ctx, limited, since, err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-limited.Done():
			timer.Stop()
			return p.changeError(ctx, limited, since, err)
		case <-timer.C:
		}
		pause = min(2*pause, maxRetryPause)
	}
}

// changeError returns the error of a change. It is an [ErrBusy] if the change had no time left.
func (p *pool) changeError(ctx, limited context.Context, since time.Time, err error) error {
	var unknown *commitError
	if errors.As(err, &unknown) {
		return withHint(err)
	}
	if ctx.Err() == nil && limited.Err() != nil || p.engine.fault(err) == retryable {
		return &poolBusyError{time.Since(since), withHint(err)}
	}
	return withHint(err)
}

// poolBusyError is an [ErrBusy] of an engine with a pool.
type poolBusyError struct {
	waited time.Duration
	cause  error
}

func (e *poolBusyError) Error() string {
	return fmt.Sprintf("sqlstore: the database did not finish a change in %v, see Config.BusyTimeout: %v",
		e.waited.Round(time.Millisecond), e.cause)
}

func (e *poolBusyError) Is(target error) bool { return target == ErrBusy }
func (e *poolBusyError) Unwrap() error        { return e.cause }

// attempt runs change in one transaction.
func (p *pool) attempt(ctx context.Context, change func(ctx context.Context, conn *sql.Conn) error) error {
	conn, err := p.begin(ctx)
	if err != nil {
		return err
	}
	committed := false
	defer func() { // after a panic, too
		if !committed {
			if err := end(ctx, conn, "ROLLBACK"); err != nil {
				discard(conn)
			}
		}
		_ = conn.Close()
	}()
	if err := change(ctx, conn); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if _, err := conn.ExecContext(limited, "COMMIT"); err != nil {
		return commitFault(limited, conn, err)
	}
	committed = true
	return nil
}

// begin starts a transaction. A connection that the server closed while it was idle is replaced: nothing ran on it.
func (p *pool) begin(ctx context.Context) (*sql.Conn, error) {
	for try := 1; ; try++ {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		for _, statement := range p.engine.begin() {
			if _, err = conn.ExecContext(ctx, statement); err != nil {
				break
			}
		}
		if err == nil {
			return conn, nil
		}
		discard(conn) // it may have begun for all we know
		_ = conn.Close()
		if try == maxBegins || !errors.Is(err, driver.ErrBadConn) && !p.engine.isConnClosed(err) {
			return nil, err
		}
	}
}

// exec runs one statement, which is a transaction of its own.
func (p *pool) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	since := time.Now()
	limited, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	for try := 1; ; try++ {
		result, err := p.execOnce(limited, statement, args)
		if err == nil {
			return result, nil
		}
		if p.engine.fault(err) != retryable || try == maxTries || limited.Err() != nil {
			return nil, p.changeError(ctx, limited, since, err)
		}
	}
}

// execOnce is a try of exec. It tells apart whether the statement was sent.
func (p *pool) execOnce(ctx context.Context, statement string, args []any) (sql.Result, error) {
	for try := 1; ; try++ {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		result, err := conn.ExecContext(ctx, statement, args...)
		_ = conn.Close()
		switch {
		case errors.Is(err, driver.ErrBadConn): // drivers say so if they sent nothing
			if try == maxBegins {
				return nil, err
			}
		case err == nil || isServerAnswer(err):
			return result, err
		default:
			return nil, &commitError{"a change of one statement", err}
		}
	}
}
