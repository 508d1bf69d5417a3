package enginetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

// recorder is the driver of SQLite with a list of the statements that it was given.
type recorder struct {
	driver.Driver
	mu         sync.Mutex
	statements map[string]bool
}

func (r *recorder) note(query string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements[query] = true
}

func (r *recorder) Open(name string) (driver.Conn, error) {
	conn, err := r.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return recordedConn{conn, r}, nil
}

type recordedConn struct {
	driver.Conn
	*recorder
}

func (c recordedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c recordedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c recordedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.note(query)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// TestUnitPlans runs what storetest does with every store, and asks the engine how it
// finds the rows of each statement.
func TestUnitPlans(t *testing.T) {
	t.Parallel() // it waits for the disk most of the time
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	r := &recorder{Driver: plain.Driver(), statements: map[string]bool{}}
	name := fmt.Sprint(t.Name(), time.Now().UnixNano())
	sql.Register(name, r)
	open := func(t *testing.T) *sqlstore.DB {
		t.Helper()
		db, err := sqlstore.OpenSQLite(t.Context(), name, filepath.Join(t.TempDir(), "plans.db"), sqlstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := open(t)
	storetest.Knox(t, func(t *testing.T) knox.Store { return opened(t, sqlstore.Knox, open(t)) })
	storetest.Sessions(t, func(t *testing.T) session.Store { return opened(t, sqlstore.Sessions, open(t)) })
	storetest.JWT(t, func(t *testing.T) jwt.Store { return opened(t, sqlstore.JWT, open(t)) })
	storetest.OAuth(t, func(t *testing.T) server.Store { return opened(t, sqlstore.OAuth, open(t)) })
	storetest.External(t, func(t *testing.T) external.Store { return opened(t, sqlstore.External, open(t)) })
	storetest.OneTime(t, func(t *testing.T) password.OneTimeStore { return opened(t, sqlstore.OneTime, open(t)) })
	storetest.Throttle(t, func(t *testing.T) password.ThrottleStore { return opened(t, sqlstore.Throttle, open(t)) })
	openAll(t, db)
	checked := 0
	verb := regexp.MustCompile(`^(SELECT|UPDATE|DELETE)\b`)
	pages := regexp.MustCompile(`(?s)^SELECT .*ORDER BY (id|client_id) (DESC )?LIMIT \?$`)
	for _, statement := range slices.Sorted(maps.Keys(r.statements)) {
		if !verb.MatchString(statement) || !strings.Contains(statement, "gatewarden_") {
			continue
		}
		checked++
		for _, step := range plan(t, db, statement) {
			if strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW" {
				t.Errorf("got %q, want a search by an index, for\n%s", step, statement)
			}
			if strings.Contains(step, "TEMP B-TREE") && pages.MatchString(statement) {
				t.Errorf("got %q, want a page to be read in the order of an index, for\n%s", step, statement)
			}
		}
	}
	if checked < 50 {
		t.Errorf("got %d statements, want those of all stores", checked)
	}
}

// plan returns how SQLite runs a statement.
func plan(t *testing.T, db *sqlstore.DB, statement string) (steps []string) {
	t.Helper()
	rows, err := db.Reader().Query("EXPLAIN QUERY PLAN "+statement, make([]any, strings.Count(statement, "?"))...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// opened returns a store of a database.
func opened[S any](t *testing.T, open func(context.Context, *sqlstore.DB) (S, error), db *sqlstore.DB) S {
	t.Helper()
	store, err := open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openAll makes the tables of all stores.
func openAll(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	opened(t, sqlstore.Knox, db)
	opened(t, sqlstore.Sessions, db)
	opened(t, sqlstore.JWT, db)
	opened(t, sqlstore.JWTKeys, db)
	opened(t, sqlstore.OAuth, db)
	opened(t, sqlstore.External, db)
	opened(t, sqlstore.OneTime, db)
	opened(t, sqlstore.Throttle, db)
}
