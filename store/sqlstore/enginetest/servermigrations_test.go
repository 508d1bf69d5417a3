package enginetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// openStores opens all stores of a database, and returns the first error.
func openStores(ctx context.Context, db *sqlstore.DB) error {
	return errors.Join(
		errorOf(sqlstore.Knox(ctx, db)), errorOf(sqlstore.Sessions(ctx, db)), errorOf(sqlstore.JWT(ctx, db)),
		errorOf(sqlstore.JWTKeys(ctx, db)), errorOf(sqlstore.OAuth(ctx, db)), errorOf(sqlstore.External(ctx, db)),
		errorOf(sqlstore.OneTime(ctx, db)), errorOf(sqlstore.Throttle(ctx, db)))
}

// openAtOnce opens all stores on a database eight times at once, as eight programs do.
func openAtOnce(ctx context.Context, driver, dsn, prefix string, open openPooled) error {
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			pool, err := sql.Open(driver, dsn)
			if err != nil {
				errs[i] = err
				return
			}
			db, err := open(ctx, pool, sqlstore.Config{TablePrefix: prefix, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				errs[i] = errors.Join(err, pool.Close())
				return
			}
			errs[i] = errors.Join(openStores(ctx, db), db.Close())
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// openSQLiteFile is openPooled for a file, which is the DSN.
func openSQLiteFile(path string) openPooled {
	return func(ctx context.Context, pool *sql.DB, config sqlstore.Config) (*sqlstore.DB, error) {
		if err := pool.Close(); err != nil {
			return nil, err
		}
		config.BusyTimeout = time.Minute
		return sqlstore.OpenSQLite(ctx, "sqlite", path, config)
	}
}

// startedVariable tells a process of TestUnitStartAtOnce that it is the second one. It has the number of an engine, a
// prefix and the DSN.
const startedVariable = "GATEWARDEN_TEST_START"

func TestUnitStartAtOnce(t *testing.T) {
	opener := func(e *engine, dsn string) openPooled {
		if e.open == nil {
			return openSQLiteFile(dsn)
		}
		return e.open
	}
	if text := os.Getenv(startedVariable); text != "" {
		parts := strings.SplitN(text, " ", 3)
		e := engines[parts[0][0]-'0']
		if err := openAtOnce(t.Context(), e.driver, parts[2], parts[1], opener(e, parts[2])); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, engine := range engines {
		t.Run("sixteen programs in two processes make the tables of "+engine.name+", twice", func(t *testing.T) {
			p := engine.place(t)
			dsn := p.database.DSN
			if engine.server == nil {
				dsn = t.TempDir() + "/start.db"
			}
			for round := range 2 {
				prefix := fmt.Sprint("start", round, "_")
				other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnitStartAtOnce$")
				other.Env = append(os.Environ(), fmt.Sprint(startedVariable, "=", i, " ", prefix, " ", dsn))
				done := make(chan error, 1)
				go func() {
					text, err := other.CombinedOutput()
					if err != nil {
						err = fmt.Errorf("%w: %s", err, text)
					}
					done <- err
				}()
				for range 2 { // the second time they find the tables
					if err := openAtOnce(t.Context(), engine.driver, dsn, prefix, opener(engine, dsn)); err != nil {
						t.Error(err)
					}
				}
				if err := <-done; err != nil {
					t.Errorf("the other process: %v", err)
				}
			}
		})
	}
}

func TestUnitTablesOfAnotherVersionOnAServer(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db := p.instance(t, sqlstore.Config{TablePrefix: prefix})
		openAll(t, db)
		set := func(t *testing.T, version int) {
			t.Helper()
			must(t, db.Writer(), fmt.Sprintf("UPDATE %sschema SET version = %d WHERE component = 'knox'",
				prefix, version))
		}
		defer set(t, 1)
		for name, row := range map[string]struct {
			version int
			newer   bool
			want    error
			warns   int
		}{
			"one newer is refused":                         {2, false, sqlstore.ErrSchema, 0},
			"one newer is taken with AllowNewerTables":     {2, true, nil, 1},
			"two newer are refused with AllowNewerTables":  {3, true, sqlstore.ErrSchema, 0},
			"those of this version are taken, and no word": {1, true, nil, 0},
		} {
			t.Run(name, func(t *testing.T) {
				set(t, row.version)
				log := new(logged)
				again := p.instance(t, sqlstore.Config{TablePrefix: prefix, AllowNewerTables: row.newer,
					Logger: slog.New(slog.NewTextHandler(log, nil))})
				if _, err := sqlstore.Knox(t.Context(), again); !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
				if n := log.count("newer than this program"); n != row.warns {
					t.Errorf("got %d warnings, want %d", n, row.warns)
				}
			})
		}
	})
}

func TestUnitMigrationsByHandOnAServer(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db := p.instance(t, sqlstore.Config{TablePrefix: prefix, ManualMigrations: true})
		err := openStores(t.Context(), db)
		if !errors.Is(err, sqlstore.ErrSchema) || !strings.Contains(err.Error(), "MigrationSQL") {
			t.Errorf("got %v without tables, want ErrSchema and what to do", err)
		}
		text, err := db.MigrationSQL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(text, ";\n") {
			if strings.TrimSpace(statement) != "" {
				must(t, db.Writer(), statement)
			}
		}
		if err := openStores(t.Context(), db); err != nil {
			t.Errorf("got %v after the statements were applied", err)
		}
		if text, err := db.MigrationSQL(t.Context()); err != nil || text != "" {
			t.Errorf("then got %q, %v, want nothing to do", text, err)
		}
	})
}

// TestUnitAKilledMigrationOfMariaDB leaves the tables as a program does that was killed between two statements.
func TestUnitAKilledMigrationOfMariaDB(t *testing.T) {
	p := engines[2].place(t)
	prefix := p.take(t)
	db := p.instance(t, sqlstore.Config{TablePrefix: prefix})
	openAll(t, db)
	must(t, db.Writer(), "DROP TABLE "+prefix+"knox_ended")
	must(t, db.Writer(), fmt.Sprintf("UPDATE %sschema SET version = 0, checksum = '%x migrating' WHERE component = "+
		"'knox'",
		prefix, sha256.Sum256(nil)))
	manual := p.instance(t, sqlstore.Config{TablePrefix: prefix, ManualMigrations: true})
	if _, err := sqlstore.Knox(t.Context(), manual); !errors.Is(err, sqlstore.ErrSchema) {
		t.Errorf("got %v with ManualMigrations, want ErrSchema", err)
	}
	store := opened(t, sqlstore.Knox, p.instance(t, sqlstore.Config{TablePrefix: prefix}))
	noon := time.Unix(2e9, 0).UTC()
	addTokens(t, store, "alice", 1, noon)
	if _, err := store.Ended(t.Context(), "alice", noon, 1); err != nil {
		t.Errorf("the table that was missing: %v", err)
	}
	var marked int
	marks := "SELECT COUNT(*) FROM " + prefix + "schema WHERE checksum LIKE '% migrating'"
	if err := db.Reader().QueryRow(marks).Scan(&marked); err != nil || marked != 0 {
		t.Errorf("got %d components that are being migrated, %v, want 0", marked, err)
	}
}

func TestUnitAnUpToDateSchemaNeedsNoRight(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db := p.instance(t, sqlstore.Config{TablePrefix: prefix})
		openAll(t, db)
		user, password := "app"+strings.ToLower(rand.Text()[:12]), rand.Text()
		address := p.database.URL[strings.LastIndex(p.database.URL, "@")+1:]
		var name string
		current := map[string]string{"pgx": "SELECT current_database()", "mysql": "SELECT DATABASE()"}[p.driver]
		if err := db.Reader().QueryRow(current).Scan(&name); err != nil {
			t.Fatal(err)
		}
		dsn, create := "postgres://"+user+":"+password+"@"+address, []string{
			"CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'",
			"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + user,
			"REVOKE CREATE ON SCHEMA public FROM PUBLIC"}
		drop := []string{"DROP OWNED BY " + user, "DROP ROLE " + user}
		if p.driver == "mysql" {
			host, _, _ := strings.Cut(address, "/")
			dsn = user + ":" + password + "@tcp(" + host + ")/" + name
			create = []string{"CREATE USER " + user + " IDENTIFIED BY '" + password + "'",
				"GRANT SELECT, INSERT, UPDATE, DELETE ON " + name + ".* TO " + user}
			drop = []string{"DROP USER " + user}
		}
		for _, statement := range create {
			must(t, db.Writer(), statement)
		}
		defer func() {
			for _, statement := range drop {
				must(t, db.Writer(), statement)
			}
		}()
		if p.driver == "pgx" { // and it asks for no lock
			must(t, p.begin(t), "LOCK TABLE "+prefix+"schema IN SHARE ROW EXCLUSIVE MODE")
		}
		pool, err := sql.Open(p.driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		app, err := p.engine.open(t.Context(), pool,
			sqlstore.Config{TablePrefix: prefix, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		if err := openStores(t.Context(), app); err != nil {
			t.Error(err)
		}
		noon := time.Unix(2e9, 0).UTC()
		addTokens(t, opened(t, sqlstore.Knox, app), "alice", 1, noon)
		err = openStores(t.Context(), app)
		if err != nil {
			t.Error(err)
		}
		config := sqlstore.Config{TablePrefix: "missing_", Logger: slog.New(slog.DiscardHandler)}
		other, err := p.engine.open(t.Context(), pool, config)
		if err != nil {
			t.Fatal(err)
		}
		err = openStores(t.Context(), other)
		if err == nil || !strings.Contains(err.Error(), "lacks a right") || strings.Contains(err.Error(), password) {
			t.Errorf("got %v for tables that are not there, want the missing right, and no password", err)
		}
	})
}

func TestUnitAPoolOfOneConnection(t *testing.T) {
	p := engines[2].place(t)
	prefix := p.take(t)
	open := func() *sqlstore.DB {
		pool := openPool(t, p.driver, p.database)
		pool.SetMaxOpenConns(1)
		db, err := p.engine.open(t.Context(), pool,
			sqlstore.Config{TablePrefix: prefix, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	if _, err := sqlstore.Knox(t.Context(), open()); err == nil ||
		!strings.Contains(err.Error(), "a migration needs two") {
		t.Errorf("got %v, want an error that names the pool", err)
	}
	openAll(t, p.instance(t, sqlstore.Config{TablePrefix: prefix}))
	db := open()
	store := opened(t, sqlstore.Knox, db)
	noon := time.Unix(2e9, 0).UTC()
	addTokens(t, store, "alice", 3, noon)
	if purged, err := store.Purge(t.Context(), 10, knox.Ending{At: noon, Keep: true}); err != nil || len(purged) != 3 {
		t.Errorf("got %d, %v, want the three tokens", len(purged), err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
