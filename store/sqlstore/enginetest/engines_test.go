package enginetest

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
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
var engines = []struct {
	name  string
	place func(testing.TB) *place // skips the test if there is no such server
}{
	{"SQLite", func(testing.TB) *place {
		return &place{instances: sqliteInstances}
	}},
	{"PostgreSQL", func(t testing.TB) *place {
		database := testserver.PostgreSQL(t).Database(t)
		return &place{database: database, instances: func(t testing.TB, n int) []*sqlstore.DB {
			return serverInstances(t, n, "pgx", database, sqlstore.NewPostgreSQL)
		}}
	}},
	{"MariaDB", func(t testing.TB) *place {
		database := testserver.MariaDB(t).Database(t)
		return &place{database: database, instances: func(t testing.TB, n int) []*sqlstore.DB {
			return serverInstances(t, n, "mysql", database, sqlstore.NewMySQL)
		}}
	}},
}

// place is a database of one test, for many stores: a new prefix of tables takes less time than a new database.
type place struct {
	database testserver.Database // zero for SQLite

	// instances opens the same new tables n times, by a pool each, as n processes do.
	instances func(t testing.TB, n int) []*sqlstore.DB
}

// open opens tables that no other test has.
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

func sqliteInstances(t testing.TB, n int) []*sqlstore.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine.db")
	instances := make([]*sqlstore.DB, n)
	for i := range instances {
		instances[i] = openSQLite(t, path)
	}
	return instances
}

// openPooled is sqlstore.NewPostgreSQL or sqlstore.NewMySQL.
type openPooled func(context.Context, *sql.DB, sqlstore.Config) (*sqlstore.DB, error)

// prefixNumber makes the prefixes of this process differ. Each process has databases of its own.
var prefixNumber atomic.Int64

func serverInstances(t testing.TB, n int, driver string, database testserver.Database, open openPooled) []*sqlstore.DB {
	t.Helper()
	config := sqlstore.Config{TablePrefix: fmt.Sprintf("t%d_", prefixNumber.Add(1))}
	instances := make([]*sqlstore.DB, n)
	for i := range instances {
		db, err := open(t.Context(), openPool(t, driver, database), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		instances[i] = db
	}
	return instances
}

func TestUnitEngines(t *testing.T) {
	for _, engine := range engines {
		t.Run("two instances on "+engine.name+" share tables that no other test has", func(t *testing.T) {
			place := engine.place(t)
			one, two := place.openTwo(t)
			first, second := opened(t, sqlstore.Knox, one), opened(t, sqlstore.Knox, two)
			apart := opened(t, sqlstore.Knox, place.open(t))
			now := time.Unix(2e9, 0).UTC()
			token := &knox.Record{Digest: "digest", ID: "id", UserID: "alice", Created: now, ExpiresAt: now.Add(time.Hour)}
			if _, err := first.Add(t.Context(), token, 0, false, knox.Ending{At: now}); err != nil {
				t.Fatal(err)
			}
			if found, err := second.Find(t.Context(), "digest"); err != nil || found == nil || !found.Created.Equal(now) {
				t.Errorf("the other instance wanted the token created at %v, and got %+v, %v", now, found, err)
			}
			if found, err := apart.Find(t.Context(), "digest"); err != nil || found != nil {
				t.Errorf("other tables have no token, and gave %+v, %v", found, err)
			}
		})
	}
}
