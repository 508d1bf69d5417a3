package moves

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

// engine is an engine that records are moved from or to.
type engine struct {
	name string
	open func(t *testing.T) storetest.TransferEngine // empty
}

var (
	inSQLite     = engine{"SQLite", openSQLite}
	inPostgreSQL = engine{"PostgreSQL", openPostgreSQL}
	inMariaDB    = engine{"MariaDB", openMariaDB}
	inRedis      = engine{"Redis", openRedis}
	inCluster    = engine{"Redis Cluster", openCluster}
)

var quiet = slog.New(slog.DiscardHandler)

// TestUnitTransferBetweenStores moves everything between databases of SQL and Redis. The long form has more pairs. What
// stays within one of the two is tested beside it.
func TestUnitTransferBetweenStores(t *testing.T) {
	pairs := [][2]engine{{inSQLite, inRedis}}
	if os.Getenv("GATEWARDEN_FAULTS") == "full" {
		pairs = append(pairs, [][2]engine{{inRedis, inPostgreSQL}, {inPostgreSQL, inCluster}, {inMariaDB, inRedis},
			{inRedis, inSQLite},
			{inCluster, inMariaDB}}...)
	}
	for _, pair := range pairs {
		t.Run("from "+pair[0].name+" to "+pair[1].name, func(t *testing.T) {
			t.Parallel()
			storetest.Transfer(t, func(t *testing.T) (from, to storetest.TransferEngine) {
				return pair[0].open(t), pair[1].open(t)
			})
		})
	}
}

func openSQLite(t *testing.T) storetest.TransferEngine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine.db")
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return sqlEngine(t, db)
}

func openPostgreSQL(t *testing.T) storetest.TransferEngine {
	t.Helper()
	return openPooled(t, "pgx", testserver.PostgreSQL(t), sqlstore.NewPostgreSQL)
}

func openMariaDB(t *testing.T) storetest.TransferEngine {
	t.Helper()
	return openPooled(t, "mysql", testserver.MariaDB(t), sqlstore.NewMySQL)
}

// openPooled opens a new database of a server.
func openPooled(t *testing.T, driver string, server *testserver.Server,
	open func(context.Context, *sql.DB, sqlstore.Config) (*sqlstore.DB, error)) storetest.TransferEngine {
	t.Helper()
	pool, err := sql.Open(driver, server.Database(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	db, err := open(t.Context(), pool, sqlstore.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return sqlEngine(t, db)
}

func sqlEngine(t *testing.T, db *sqlstore.DB) storetest.TransferEngine {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return storetest.TransferEngine{
		Transfer: opened(t, sqlstore.Transfer, db),
		Knox:     opened(t, sqlstore.Knox, db),
		Sessions: opened(t, sqlstore.Sessions, db),
		JWT:      opened(t, sqlstore.JWT, db),
		JWTKeys:  opened(t, sqlstore.JWTKeys, db),
		OAuth:    opened(t, sqlstore.OAuth, db),
		External: opened(t, sqlstore.External, db),
		OneTime:  opened(t, sqlstore.OneTime, db),
		Throttle: opened(t, sqlstore.Throttle, db),
	}
}

func opened[S any](t *testing.T, open func(context.Context, *sqlstore.DB) (S, error), db *sqlstore.DB) S {
	t.Helper()
	store, err := open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func openRedis(t *testing.T) storetest.TransferEngine {
	t.Helper()
	node := testserver.Redis(t)
	return redisEngine(t, node.URL(), nil, node.Prefix(t))
}

func openCluster(t *testing.T) storetest.TransferEngine {
	t.Helper()
	cluster := testserver.RedisCluster(t)
	return redisEngine(t, cluster.URL(), cluster.Addresses(), cluster.Prefix(t))
}

// redisEngine opens all stores under a prefix. The addresses are those of a Cluster.
func redisEngine(t *testing.T, url string, addresses []string, prefix string) storetest.TransferEngine {
	t.Helper()
	option, err := rueidis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) > 0 {
		option.InitAddress = addresses
	}
	db, err := redisstore.Open(t.Context(), option, redisstore.Config{Prefix: prefix,
		Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return storetest.TransferEngine{Transfer: redisstore.Transfer(db), Knox: redisstore.Knox(db),
		Sessions: redisstore.Sessions(db), JWT: redisstore.JWT(db), JWTKeys: redisstore.JWTKeys(db),
		OAuth: redisstore.OAuth(db), External: redisstore.External(db), OneTime: redisstore.OneTime(db),
		Throttle: redisstore.Throttle(db)}
}
