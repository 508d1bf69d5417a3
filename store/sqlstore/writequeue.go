package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ErrBusy is returned, wrapped, by a change that did not get its turn to write within
// [Config].BusyTimeout, or before its context ended. Nothing was changed. The text of
// the error says what the change waited for.
var ErrBusy = errors.New("sqlstore: no turn to write")

const (
	// touchWait is how long a touch in a request waits for another program. If it fails, it is
	// written with the touches that wait.
	touchWait = 50 * time.Millisecond
	// touchTurn is how long a touch waits for the changes of this program before it, which
	// take some milliseconds each, unless one of them waits for another program.
	touchTurn = time.Second

	// A try for the lock of the file that fails is made again after a pause. The pause
	// grows from the first value to the second one.
	firstPause = time.Millisecond
	lastPause  = 10 * time.Millisecond
)

// busyError is an [ErrBusy] with what the change waited for.
type busyError struct {
	waited time.Duration
	locked bool  // by another program
	cause  error // of the engine or the context, or nil
}

func (e *busyError) Error() string {
	text := "sqlstore: other changes of this program take too long"
	if e.locked {
		text = "sqlstore: the database is locked by another program or connection"
	}
	text = fmt.Sprintf("%s; waited %v, see Config.BusyTimeout", text, e.waited.Round(time.Millisecond))
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *busyError) Is(target error) bool { return target == ErrBusy }
func (e *busyError) Unwrap() error        { return e.cause }

// writeQueue lets one change of this program write at a time, in the order in which they
// came. A touch that waits is next after each other change, so that it needs to wait
// for one change only. After a touch the order counts again, so touches cannot keep
// other changes from their turn.
type writeQueue struct {
	free   chan struct{} // holds a token if it is free
	urgent chan struct{} // hands the token to a touch that waits
	since  time.Time
	locked atomic.Int64 // see recordLocked
}

func newWriteQueue() *writeQueue {
	t := &writeQueue{free: make(chan struct{}, 1), urgent: make(chan struct{}), since: time.Now()}
	t.free <- struct{}{}
	return t
}

// recordLocked notes whether another program kept the lock from the change whose turn it is.
func (t *writeQueue) recordLocked(locked bool) {
	if locked {
		t.locked.Store(max(1, int64(time.Since(t.since))))
	} else {
		t.locked.Store(0)
	}
}

// blocked reports whether another program has kept the lock for a while, and had it a
// moment ago.
func (t *writeQueue) blocked() bool {
	at := t.locked.Load()
	return at != 0 && time.Since(t.since)-time.Duration(at) < touchWait
}

// acquire waits for a turn and reports whether it came before ctx ended.
func (t *writeQueue) acquire(ctx context.Context) bool {
	select {
	case <-t.free:
		return true
	case <-ctx.Done():
		return false
	}
}

// acquireForTouch is acquire for a touch. It gives up while another program has the lock.
func (t *writeQueue) acquireForTouch(ctx context.Context) bool {
	select {
	case <-t.free:
		return t.keepUnlessBlocked()
	default:
	}
	ticker := time.NewTicker(touchWait / 2)
	defer ticker.Stop()
	for !t.blocked() {
		select {
		case <-t.free:
			return t.keepUnlessBlocked()
		case <-t.urgent:
			return t.keepUnlessBlocked()
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return false
}

// keepUnlessBlocked releases the turn of a touch if the touch would wait for another program, as
// the change before it did. It reports whether the touch keeps its turn. Otherwise touches that
// come at once would each wait, one after another.
func (t *writeQueue) keepUnlessBlocked() bool {
	if t.blocked() {
		t.release(true)
		return false
	}
	return true
}

// release ends a turn. A touch that waits is next, unless a touch ends its turn.
func (t *writeQueue) release(touch bool) {
	if !touch {
		select {
		case t.urgent <- struct{}{}:
			return
		default:
		}
	}
	t.free <- struct{}{}
}

// begin waits for a turn to write and begins a transaction. The caller calls release
// after it has ended the transaction and closed the connection.
func (db *DB) begin(ctx context.Context, touch bool) (conn *sql.Conn, err error) {
	wait, take := db.busyTimeout, db.queue.acquire
	if touch {
		wait, take = min(wait, touchTurn), db.queue.acquireForTouch
	}
	since := time.Now()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if !take(waiting) {
		return nil, &busyError{time.Since(since), db.queue.blocked(), errors.Join(ctx.Err(), db.heldConnsError())}
	}
	defer func() {
		if err != nil {
			db.queue.release(touch)
		}
	}()
	if err := db.file.check(); err != nil {
		return nil, err
	}
	conn, err = db.write.Conn(waiting)
	if err != nil {
		return nil, db.noConn(ctx, waiting, err, since)
	}
	locking := waiting
	if touch {
		short, cancel := context.WithTimeout(waiting, touchWait)
		defer cancel()
		locking = short
	}
	if err = db.lock(locking, conn); err == nil {
		return conn, nil
	}
	locked := isLocked(err)
	if !locked {
		discard(conn) // it may have begun for all we know
	}
	_ = conn.Close()
	if locked {
		return nil, &busyError{time.Since(since), true, errors.Join(ctx.Err(), err)}
	}
	return nil, err
}

// noConn returns the error for a change that got no connection.
func (db *DB) noConn(ctx, waiting context.Context, err error, since time.Time) error {
	if waiting.Err() == nil && !isLocked(err) {
		return err
	}
	locked := db.queue.blocked() || isLocked(err)
	if errors.Is(err, waiting.Err()) {
		err = nil // which only says that the time was over
	}
	return &busyError{time.Since(since), locked, errors.Join(ctx.Err(), db.heldConnsError(), err)}
}

// lock begins a transaction, and tries again while another program has the lock. The
// engine could wait by itself, but a driver that waits so does not look at ctx.
func (db *DB) lock(ctx context.Context, conn *sql.Conn) error {
	var timer *time.Timer
	since, pause := time.Now(), firstPause
	// A try does not wait. If ctx could end it halfway, the connection would be lost.
	try := context.WithoutCancel(ctx)
	for {
		err := beginImmediate(try, conn)
		if err == nil {
			db.queue.recordLocked(false)
		}
		if err == nil || !isLocked(err) {
			return err
		}
		if time.Since(since) >= touchWait/2 {
			db.queue.recordLocked(true)
		}
		// Other programs pause as long, so chance decides which one is first.
		random := pause/2 + rand.N(pause)
		if timer == nil {
			timer = time.NewTimer(random)
			defer timer.Stop()
		} else {
			timer.Reset(random)
		}
		select {
		case <-ctx.Done():
			return err
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}
