package enginetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// openRows starts to read numbers without end and returns the rows.
func openRows(ctx context.Context, conn *sql.Conn) (*sql.Rows, error) {
	rows, err := conn.QueryContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n")
	if err == nil && !rows.Next() {
		err = errors.New("no rows")
	}
	return rows, err
}

// logged is what a database logs. It is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// openLogged opens a database with a BusyTimeout.
func openLogged(t *testing.T, wait time.Duration) (*sqlstore.DB, *sqlstore.KnoxStore, *logged) {
	t.Helper()
	log := new(logged)
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", filepath.Join(t.TempDir(), "rows.db"),
		sqlstore.Config{BusyTimeout: wait, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Knox(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return db, store, log
}

// unlessBusy tries again while a busy machine or rows that are about to be closed keep the turn.
func unlessBusy(t *testing.T, change func() error) {
	t.Helper()
	var err error
	for range 30 {
		if err = change(); !errors.Is(err, sqlstore.ErrBusy) {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestUnitAChangeThatLeavesRowsOpen(t *testing.T) {
	errChange := errors.New("the change failed")
	for name, row := range map[string]struct {
		returns error
		notes   int
	}{
		"is committed if it returns no error": {nil, 1},
		"is undone if it returns an error":    {errChange, 0},
	} {
		t.Run(name, func(t *testing.T) {
			db, store, log := openLogged(t, busyTimeout)
			defer closeBusy(t, db)
			unlessBusy(t, func() error {
				return db.Update(t.Context(), func(conn *sql.Conn) error {
					_, err := conn.ExecContext(t.Context(), "CREATE TABLE notes (id TEXT)")
					return err
				})
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := db.Update(ctx, func(conn *sql.Conn) error {
				if _, err := conn.ExecContext(ctx, "INSERT INTO notes VALUES ('x')"); err != nil {
					return err
				}
				if _, err := openRows(ctx, conn); err != nil {
					return err
				}
				return row.returns
			})
			if err != row.returns {
				t.Errorf("got %v, want %v, what the change returned", err, row.returns)
			}
			var n int
			if err := db.Reader().QueryRow("SELECT COUNT(*) FROM notes").Scan(&n); err != nil || n != row.notes {
				t.Errorf("got %d notes, %v, want %d", n, err, row.notes)
			}
			if n := log.count("left rows open"); n != 1 || log.count("level=WARN") != 1 {
				t.Errorf("got %d warnings, want 1", n)
			}
			unlessBusy(t, func() error { return db.Update(t.Context(), nothing) })
			unlessBusy(t, func() error { return touch(t.Context(), store) })
			cancel()
			unlessBusy(t, func() error { return db.Update(t.Context(), nothing) })
		})
	}
	t.Run("waits for them and says nothing if they are closed in time", func(t *testing.T) {
		db, _, log := openLogged(t, time.Minute)
		defer closeBusy(t, db)
		var closing atomic.Bool
		err := db.Update(t.Context(), func(conn *sql.Conn) error {
			rows, err := openRows(t.Context(), conn)
			if err != nil {
				return err
			}
			returned := make(chan struct{})
			defer close(returned)
			go func() {
				<-returned
				closing.Store(true)
				_ = rows.Close()
			}()
			return nil
		})
		if err != nil || !closing.Load() {
			t.Errorf("got %v, want Update to wait for the rows and to return nil", err)
		}
		if n := log.count("level=WARN"); n != 0 {
			t.Errorf("got %d warnings, want 0", n)
		}
	})
	t.Run("many of them say why there is no connection", func(t *testing.T) {
		db, _, log := openLogged(t, busyTimeout)
		defer closeBusy(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		left := 0
		for range 20 {
			err := db.Update(ctx, func(conn *sql.Conn) error { _, err := openRows(ctx, conn); return err })
			if errors.Is(err, sqlstore.ErrBusy) {
				if !strings.Contains(err.Error(), "left rows open") {
					t.Errorf("got %v, want an error that names the rows", err)
				}
				break
			}
			left++
		}
		if left < 2 || left > 9 {
			t.Errorf("%d connections were left behind, want 9 at most", left)
		}
		if n := log.count("left rows open"); n != 1 {
			t.Errorf("got %d warnings, want 1", n)
		}
		cancel()
		unlessBusy(t, func() error { return db.Update(t.Context(), nothing) })
	})
	t.Run("is named by a change that has no turn meanwhile", func(t *testing.T) {
		db, _, _ := openLogged(t, time.Second)
		defer closeBusy(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- db.Update(ctx, func(conn *sql.Conn) error {
				defer close(began)
				_, err := openRows(ctx, conn)
				return err
			})
		}()
		<-began
		named := false
		for len(ended) == 0 && !named {
			soon, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := db.Update(soon, nothing)
			stop()
			named = errors.Is(err, sqlstore.ErrBusy) && strings.Contains(err.Error(), "left rows open")
		}
		if !named {
			t.Error("no change that waited in vain named the rows")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// slowReturns is the driver of SQLite on a machine that needs long to give a connection back.
type slowReturns struct {
	driver.Driver
	slow *atomic.Bool
}

func (d slowReturns) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return slowConn{faultyConn{conn, &faults{}}, d.slow}, nil
}

type slowConn struct {
	faultyConn
	slow *atomic.Bool
}

// IsValid is called when a connection comes back to its pool.
func (c slowConn) IsValid() bool {
	if c.slow.Load() {
		time.Sleep(400 * time.Millisecond)
	}
	return true
}

func TestUnitAChangeOfAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it succeeds however long its connection takes to come back
		plain, err := sql.Open("sqlite", "")
		if err != nil {
			t.Fatal(err)
		}
		slow := new(atomic.Bool)
		name := fmt.Sprintf("slow %p", slow)
		sql.Register(name, slowReturns{plain.Driver(), slow})
		if err := plain.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := sqlstore.OpenSQLite(t.Context(), name, filepath.Join(t.TempDir(), "slow.db"), sqlstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeBusy(t, db)
		store, err := sqlstore.Knox(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		slow.Store(true)
		now := time.Now()
		_, err = store.Add(t.Context(), &knox.Record{Digest: "d", ID: "i", UserID: "u", Created: now}, 0, false,
			knox.Ending{At: now})
		if err = errors.Join(err, db.Update(t.Context(), nothing)); err != nil {
			t.Error(err)
		}
		slow.Store(false)
	})
}

func TestUnitAChangeThatClosesItsConnection(t *testing.T) {
	ctx := t.Context()
	file, err := sqlstore.OpenSQLite(ctx, "sqlite", filepath.Join(t.TempDir(), "closed.db"), sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "pool.db")+"?_pragma=foreign_keys(1)&"+
		"_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := sqlstore.NewSQLite(pool, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, db := range map[string]*sqlstore.DB{"of OpenSQLite": file, "of the application": theirs} {
		t.Run(name, func(t *testing.T) {
			defer db.Close()
			if _, err := sqlstore.Knox(ctx, db); err != nil {
				t.Fatal(err)
			}
			err := db.Update(ctx, func(conn *sql.Conn) error {
				if _, err := conn.ExecContext(ctx, "CREATE TABLE notes (id TEXT)"); err != nil {
					return err
				}
				return conn.Close()
			})
			if err == nil || !strings.Contains(err.Error(), "closed its connection") {
				t.Errorf("got %v, want an error that names the fault", err)
			}
			if _, err := db.Writer().Exec("CREATE TABLE notes (id TEXT)"); err != nil {
				t.Errorf("the writer: %v, want the transaction undone", err)
			}
			if err := db.Update(ctx, nothing); err != nil {
				t.Errorf("the next change: %v", err)
			}
		})
	}
}
