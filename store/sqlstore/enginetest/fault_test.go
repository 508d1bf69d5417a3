package enginetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// faults makes the nth statement of a database fail, before it runs.
type faults struct {
	calls, nth atomic.Int64
}

var errFault = errors.New("the disk is gone")

func (f *faults) hit() bool { return f.calls.Add(1) == f.nth.Load() }

// driverOf is the driver of SQLite with faults in front.
type driverOf struct {
	driver.Driver
	*faults
}

func (d driverOf) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return faultyConn{conn, d.faults}, nil
}

type faultyConn struct {
	driver.Conn
	*faults
}

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.hit() {
		return nil, errFault
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.hit() {
		return nil, errFault
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.hit() {
		return nil, errFault
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// openFaulty opens a database whose statements can be made to fail.
func openFaulty(t *testing.T) (*sqlstore.DB, *faults) {
	t.Helper()
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	sql.Register(t.Name(), driverOf{plain.Driver(), f})
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.OpenSQLite(t.Context(), t.Name(), filepath.Join(t.TempDir(), "faults.db"), sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, f
}

// faultRow is a method of a store, and the state it leaves.
type faultRow struct {
	sentence string
	do       func(user string) error
	after    []string
	fails    int // at least so often: begin, each statement, commit
}

// failEach makes every statement of each row fail in turn, each time for a user
// of its own, whose state must then be as prepare left it, or, if there was no
// error, the row's.
func (f *faults) failEach(t *testing.T, prepare func(user string), state func(user string) []string, rows []faultRow) {
	t.Helper()
	for _, row := range rows {
		failed := 0
		for nth := int64(1); ; nth++ {
			user := fmt.Sprint(row.sentence, nth)
			prepare(user)
			before := state(user)
			f.calls.Store(0)
			f.nth.Store(nth)
			err := row.do(user)
			calls := f.calls.Load()
			f.nth.Store(0)
			want := row.after
			if err != nil {
				want = before
				failed++
			}
			if got := state(user); !slices.Equal(got, want) {
				t.Errorf("%s, statement %d failing: error %v, left %q, want %q", row.sentence, nth, err, got, want)
			}
			if calls < nth {
				break
			}
		}
		if failed < row.fails {
			t.Errorf("%s failed %d times only", row.sentence, failed)
		}
	}
}

func TestAStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.Knox(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	ending := knox.Ending{Reason: knox.EndRevoked, At: now, Keep: true}
	record := func(user string, i int) *knox.Record {
		return &knox.Record{Digest: fmt.Sprint(user, i), ID: fmt.Sprint(i), UserID: user,
			Created: now.Add(time.Duration(i) * time.Second), ExpiresAt: now.Add(time.Minute)}
	}
	// state is which of a user's records are there, with a stamp they were
	// given, and which are kept as ended.
	state := func(user string) (ids []string) {
		records, err := store.List(t.Context(), user, "", 1000, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			ids = append(ids, strings.TrimSpace(r.ID+" "+r.Stamp))
		}
		ended, err := store.Ended(t.Context(), user, time.Time{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ended {
			ids = append(ids, "ended "+e.ID)
		}
		return ids
	}
	prepare := func(user string) {
		// Purging takes those of all users.
		if _, err := store.Purge(t.Context(), 100, knox.Ending{At: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 3; i++ {
			if _, err := store.Add(t.Context(), record(user, i), 0, false, knox.Ending{At: now}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.failEach(t, prepare, state, []faultRow{
		{"adding with eviction", func(user string) error {
			_, err := store.Add(t.Context(), record(user, 9), 2, true, ending)
			return err
		}, []string{"9", "3", "ended 2", "ended 1"}, 7},
		{"revoking all", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, "", "", ending)
			return err
		}, []string{"ended 3", "ended 2", "ended 1"}, 5},
		{"revoking all others", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, record(user, 2).Digest, "new", ending)
			return err
		}, []string{"2 new", "ended 3", "ended 1"}, 6},
		{"revoking one", func(user string) error {
			found, err := store.Revoke(t.Context(), user, "2", ending)
			if found != (err == nil) {
				t.Errorf("revoking one: %v with error %v", found, err)
			}
			return err
		}, []string{"3", "1", "ended 2"}, 5},
		{"purging", func(user string) error {
			purged, err := store.Purge(t.Context(), 10, knox.Ending{At: now.Add(time.Minute), Keep: true})
			if (len(purged) == 3) != (err == nil) {
				t.Errorf("purging: %v with error %v", purged, err)
			}
			return err
		}, []string{"ended 3", "ended 2", "ended 1"}, 5},
	})
}
