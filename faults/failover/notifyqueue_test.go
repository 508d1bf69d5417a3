package failover

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// queueRoom is what the queue of notifications of PostgreSQL takes on the disk when it is full, and some more.
const queueRoom = 12 << 30

// needRoom skips the test if the disk is too small for it.
func needRoom(t *testing.T, folder string) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		t.Fatal(err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < queueRoom {
		t.Skipf("%s has %d GB left, and a full queue of notifications takes %d GB", folder, free>>30, queueRoom>>30)
	}
}

// holdQueue has a session listen and keep a transaction open. The server must keep each notification from now on.
func holdQueue(t *testing.T, pool *sql.DB) (release func()) {
	t.Helper()
	idle := must[*sql.Conn](t)(pool.Conn(t.Context()))
	for _, statement := range []string{`LISTEN other`, `BEGIN`, `SELECT 1`} {
		if _, err := idle.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() { _ = idle.Raw(func(any) error { return driver.ErrBadConn }) }
}

// fillQueue notifies until the server refuses it. The batches become small, so that no room is left.
func fillQueue(t *testing.T, pool *sql.DB) {
	t.Helper()
	const fill = `SELECT COUNT(pg_notify('other', repeat('x', 7980) || n)) FROM generate_series(1, $1) AS n`
	for batch := 4096; batch > 0; batch /= 4 {
		var err error
		for err == nil {
			_, err = pool.ExecContext(t.Context(), fill, batch)
		}
		if state := (interface{ SQLState() string })(nil); !errors.As(err, &state) || state.SQLState() != "54000" {
			t.Fatalf("got %v, want that the queue is full", err)
		}
	}
}

// sessions returns how many sessions keep a transaction open.
func sessions(t *testing.T, pool *sql.DB) (n int) {
	t.Helper()
	const query = `SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'idle in transaction'`
	if err := pool.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// makeRoom asks how full the queue is. The server removes what all sessions have read then.
func makeRoom(t *testing.T, pool *sql.DB) time.Duration {
	t.Helper()
	began := time.Now()
	var usage float64
	if err := pool.QueryRowContext(t.Context(), `SELECT pg_notification_queue_usage()`).Scan(&usage); err != nil {
		t.Fatal(err)
	}
	if usage > 0.1 {
		t.Errorf("got a queue that is full to %v after the session has ended, want at most 0.1", usage)
	}
	return time.Since(began)
}

// TestUnitNotificationsWithAFullQueue writes 8 GB. It is not parallel, so that nothing else makes the server slow.
func TestUnitNotificationsWithAFullQueue(t *testing.T) {
	onlyFull(t)
	needRoom(t, "/tmp")
	t.Run("a revocation that cannot be told is not made, and is an error that names the queue", func(t *testing.T) {
		l := newListening(t)
		token := l.caches.cachedToken(t)
		// The queue is one for all databases of the server.
		pool := must[*sql.DB](t)(sql.Open("pgx", l.server.Admin().DSN))
		defer pool.Close()
		release, began := holdQueue(t, pool), time.Now()
		fillQueue(t, pool)
		filled := time.Since(began)
		for _, s := range []*service{l.caches, l.revokes} {
			if got := s.logout(token); got.status != 503 {
				t.Errorf("got %d for a logout that cannot be told, want 503", got.status)
			}
			if got := s.check(token).status; got != 200 {
				t.Errorf("got %d for the token of a logout that failed, want 200 as before", got)
			}
			if got := s.login("bob").status; got != 200 {
				t.Errorf("got %d for a login, which tells nothing, want 200", got)
			}
			if err := s.stores.ping(t.Context()); err != nil {
				t.Errorf("got %v of Ping, want that it does not see a full queue", err)
			}
			if !s.log.has("the queue of notifications of PostgreSQL is full") {
				t.Errorf("the log does not name the queue:\n%s", s.log)
			}
		}
		release()
		until(t, "the session is gone", func() bool { return sessions(t, pool) == 0 })
		alone := l.revokes.logout(token).status // PostgreSQL 15 does not see by itself that there is room
		room := makeRoom(t, pool)
		until(t, "revocations go on", func() bool {
			status := l.revokes.logout(token).status
			return status == 204 || status == 401 // it may be the one before, and its answer was lost
		})
		until(t, "the cache is told", func() bool { return l.caches.check(token).status == 401 })
		row(t, "pgnotify, full queue of notifications", fmt.Sprintf(
			"revocations 503, checks and logins 200, /healthz well, filled in %v. After the session has ended: %d, "+
				"and 204 after pg_notification_queue_usage(), which took %v", filled.Round(time.Second), alone,
			room.Round(time.Second)))
	})
}
