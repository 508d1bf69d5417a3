package enginetest

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// engines are what the tests of stores loop over:
//
//	for _, engine := range engines {
//		t.Run(engine.name, func(t *testing.T) {
//			place := engine.place(t)
//			storetest.Knox(t, func(t *testing.T) knox.Store { return opened(t, sqlstore.Knox, place.open(t)) })
//		})
//	}
var engines = []*engine{
	{name: "SQLite", driver: "sqlite"},
	{name: "PostgreSQL", driver: "pgx", server: testserver.PostgreSQL, open: sqlstore.NewPostgreSQL},
	{name: "MariaDB", driver: "mysql", server: testserver.MariaDB, open: sqlstore.NewMySQL,
		options: "?interpolateParams=true"},
}

// engine is a kind of database.
type engine struct {
	name, driver string
	server       func(testing.TB) *testserver.Server // nil for SQLite
	open         openPooled
	options      string // of the driver, after the DSN
}

// openPooled is sqlstore.NewPostgreSQL or sqlstore.NewMySQL.
type openPooled func(context.Context, *sql.DB, sqlstore.Config) (*sqlstore.DB, error)

// place is a database of a server for many stores, one after another or at once. Each store has tables of its own while
// its test runs. Then they are emptied for another one, which takes less time than to make new ones.
type place struct {
	*engine
	database testserver.Database // zero for SQLite
	tap      *tap

	mu     sync.Mutex
	made   int
	unused []string // prefixes of tables
	last   string   // the prefix that was taken last
}

// place makes a database. It skips the test if there is no such server.
func (e *engine) place(t testing.TB) *place {
	t.Helper()
	p := &place{engine: e}
	if e.server == nil {
		return p
	}
	p.database = e.server(t).Database(t)
	p.database.DSN += e.options
	plain, err := sql.Open(e.driver, p.database.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	connector, err := plain.Driver().(driver.DriverContext).OpenConnector(p.database.DSN)
	if err != nil {
		t.Fatal(err)
	}
	p.tap = &tap{Connector: connector}
	t.Cleanup(p.tap.end)
	return p
}

// open opens empty tables that no other test has.
func (p *place) open(t testing.TB) *sqlstore.DB {
	t.Helper()
	return p.instances(t, 1)[0]
}

// openTwo opens such tables twice, as two processes do.
func (p *place) openTwo(t testing.TB) (first, second *sqlstore.DB) {
	t.Helper()
	both := p.instances(t, 2)
	return both[0], both[1]
}

// instances opens the same tables n times, by a pool each.
func (p *place) instances(t testing.TB, n int) []*sqlstore.DB {
	t.Helper()
	instances := make([]*sqlstore.DB, n)
	if p.server == nil {
		path := filepath.Join(t.TempDir(), "engine.db")
		for i := range instances {
			instances[i] = openSQLite(t, path)
		}
		return instances
	}
	prefix := p.take(t)
	for i := range instances {
		// A machine that runs other tests takes longer than the 5 s of the default for 32 changes at once.
		instances[i] = p.instance(t, sqlstore.Config{TablePrefix: prefix, BusyTimeout: 30 * time.Second})
	}
	return instances
}

// instance opens the stores by a pool of its own.
func (p *place) instance(t testing.TB, config sqlstore.Config) *sqlstore.DB {
	t.Helper()
	config.Logger = cmp.Or(config.Logger, slog.New(slog.DiscardHandler)) // servers of tests are fast and not safe
	db, err := p.engine.open(t.Context(), p.pool(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// pool returns a pool of the database. Two of them have 32 connections together.
func (p *place) pool() *sql.DB {
	pool := sql.OpenDB(p.tap)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	return pool
}

// take returns the prefix of tables that are empty, or are not made yet, until the test is over.
func (p *place) take(t testing.TB) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := ""
	if n := len(p.unused); n > 0 {
		prefix, p.unused = p.unused[n-1], p.unused[:n-1]
	} else {
		p.made++
		prefix = fmt.Sprintf("t%d_", p.made)
	}
	p.last = prefix
	t.Cleanup(func() { p.giveBack(t, prefix) })
	return prefix
}

// giveBack empties the tables of a prefix.
func (p *place) giveBack(t testing.TB, prefix string) {
	pool := p.pool()
	defer pool.Close()
	schema := "DATABASE()"
	if p.driver == "pgx" {
		schema = "current_schema()"
	}
	rows, err := pool.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = " + schema)
	if err != nil {
		t.Error(err)
		return
	}
	defer rows.Close()
	var first, last []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Error(err)
			return
		}
		switch rest, ours := strings.CutPrefix(table, prefix); {
		case !ours || rest == "schema":
		case rest == "oauth_grants" || rest == "jwt_families": // others refer to them
			last = append(last, table)
		default:
			first = append(first, table)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
		return
	}
	for _, table := range append(first, last...) {
		if _, err := pool.Exec("DELETE FROM " + table); err != nil {
			t.Error(err)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unused = append(p.unused, prefix)
}

func TestUnitEngines(t *testing.T) {
	for _, engine := range engines {
		t.Run("two instances on "+engine.name+" share tables that no other test has", func(t *testing.T) {
			place := engine.place(t)
			one, two := place.openTwo(t)
			first, second := opened(t, sqlstore.Knox, one), opened(t, sqlstore.Knox, two)
			apart := opened(t, sqlstore.Knox, place.open(t))
			now := time.Unix(2e9, 0).UTC()
			token := &knox.Record{Digest: "digest", ID: "id", UserID: "alice", Created: now,
				ExpiresAt: now.Add(time.Hour)}
			if _, err := first.Add(t.Context(), token, 0, false, knox.Ending{At: now}); err != nil {
				t.Fatal(err)
			}
			if found, err := second.Find(t.Context(), "digest"); err != nil || found == nil ||
				!found.Created.Equal(now) {
				t.Errorf("the other instance wanted the token created at %v, and got %+v, %v", now, found, err)
			}
			if found, err := apart.Find(t.Context(), "digest"); err != nil || found != nil {
				t.Errorf("other tables have no token, and gave %+v, %v", found, err)
			}
		})
	}
}
