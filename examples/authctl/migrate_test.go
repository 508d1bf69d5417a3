package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/sqlstore"
)

// emptyDatabases are databases without a table.
var emptyDatabases = []struct {
	name, engine string
	file         func(t *testing.T) file
}{
	{"SQLite", "sqlite", func(t *testing.T) file {
		f := file{t: t, path: filepath.Join(t.TempDir(), "app.db")}
		if err := os.WriteFile(f.path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}},
	{"PostgreSQL", "postgresql", func(t *testing.T) file { return onServer(t, testserver.PostgreSQL(t)) }},
	{"MariaDB", "mysql", func(t *testing.T) file { return onServer(t, testserver.MariaDB(t)) }},
}

// apply runs statements as psql, mariadb and sqlite3 do with a file.
func (f file) apply(script string) {
	f.t.Helper()
	address := f.address()
	switch {
	case strings.HasPrefix(address, "postgres:"):
		address += "&default_query_exec_mode=simple_protocol"
	case strings.HasPrefix(address, "mysql:"):
		address += "?multiStatements=true"
	}
	db, err := database.Open(f.t.Context(), address, sqlstore.Config{})
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Writer().ExecContext(f.t.Context(), script); err != nil {
		f.t.Fatalf("%v\n%s", err, script)
	}
}

// stores opens every store with ManualMigrations, and returns what fails.
func (f file) stores() error {
	f.t.Helper()
	ctx := f.t.Context()
	db, err := database.Open(ctx, f.address(), sqlstore.Config{ManualMigrations: true})
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	return errors.Join(opened(ctx, db, sqlstore.Knox), opened(ctx, db, sqlstore.Sessions),
		opened(ctx, db, sqlstore.JWT),
		opened(ctx, db, sqlstore.JWTKeys), opened(ctx, db, sqlstore.OAuth), opened(ctx, db, sqlstore.External),
		opened(ctx, db, sqlstore.OneTime), opened(ctx, db, sqlstore.Throttle))
}

func opened[S any](ctx context.Context, db *database.DB, open func(context.Context, *sqlstore.DB) (S, error)) error {
	_, err := open(ctx, db.DB)
	return err
}

func TestUnitMigratePrintsWhatMakesTheTables(t *testing.T) {
	for _, empty := range emptyDatabases {
		for _, way := range []struct {
			name string
			args []string
		}{
			{"read from the empty database", []string{"migrate"}},
			{"without a connection", []string{"migrate", "-schema", empty.engine}},
		} {
			t.Run(empty.name+", "+way.name, func(t *testing.T) {
				f := empty.file(t)
				if err := f.stores(); !errors.Is(err, sqlstore.ErrSchema) {
					t.Errorf("without tables: got %v, want ErrSchema", err)
				}
				script := f.want(way.args...)
				if err := f.stores(); !errors.Is(err, sqlstore.ErrSchema) {
					t.Errorf("after the printing: got %v, want ErrSchema, since it changes nothing", err)
				}
				f.apply(script)
				if err := f.stores(); err != nil {
					t.Error(err)
				}
				if r := f.run("migrate"); r.code != 0 || r.out != "" || !strings.Contains(r.err, "newest version") {
					t.Errorf("a second time: got %+v, want nothing on stdout", r)
				}
			})
		}
	}
	t.Run("the demo takes the tables that were made by hand", func(t *testing.T) {
		f := emptyDatabases[0].file(t)
		f.apply(f.want("migrate"))
		launch(t, f).login(alice)
	})
	t.Run("without a connection it needs no database", func(t *testing.T) {
		f := file{t: t, path: filepath.Join(t.TempDir(), "nowhere", "app.db")}
		if script := f.want("migrate", "-schema", "postgresql"); !strings.Contains(script, "gatewarden_knox_tokens") {
			t.Errorf("got %s", script)
		}
	})
	t.Run("another engine is a mistake", func(t *testing.T) {
		f := file{t: t, path: filepath.Join(t.TempDir(), "app.db")}
		if r := f.run("migrate", "-schema", "oracle"); r.code != 2 || !strings.Contains(r.err, "postgresql") {
			t.Errorf("got %+v, want a list of engines and exit code 2", r)
		}
	})
}

// TestUnitMigratePrintsTheNextVersion goes from tables that are one version old in each component of SQLite. Other
// engines have one version as yet.
func TestUnitMigratePrintsTheNextVersion(t *testing.T) {
	folder := "../../store/sqlstore/migrations/sqlite/"
	f := emptyDatabases[0].file(t)
	script := `CREATE TABLE gatewarden_schema (component VARCHAR(64) NOT NULL PRIMARY KEY, version INTEGER NOT NULL,
		checksum VARCHAR(80) NOT NULL);`
	old := 0
	for _, component := range []string{"owners", "knox", "sessions", "jwt", "jwtkeys", "oauth", "login", "onetime",
		"throttle"} {
		var versions []string
		for {
			text, err := os.ReadFile(fmt.Sprint(folder, component, "_", len(versions)+1, ".sql"))
			if err != nil {
				break
			}
			versions = append(versions, string(text))
		}
		if len(versions) > 1 {
			versions = versions[:len(versions)-1]
			old++
		}
		script += strings.ReplaceAll(strings.Join(versions, "\n"), "{prefix}", "gatewarden_") +
			fmt.Sprintf("\nINSERT INTO gatewarden_schema VALUES ('%s', %d, '%s');\n", component, len(versions),
				checksum(versions))
	}
	if old == 0 {
		t.Fatal("no component has two versions")
	}
	f.apply(script)
	if err := f.stores(); !errors.Is(err, sqlstore.ErrSchema) {
		t.Errorf("with old tables: got %v, want ErrSchema", err)
	}
	f.apply(f.want("migrate"))
	if err := f.stores(); err != nil {
		t.Error(err)
	}
}

// checksum is what sqlstore writes into the version table: the SHA-256 of the words of each script without comments.
func checksum(scripts []string) string {
	hash := sha256.New()
	for _, script := range scripts {
		for line := range strings.Lines(script) {
			code, _, _ := strings.Cut(line, "--")
			for word := range strings.FieldsSeq(code) {
				hash.Write([]byte(word + " "))
			}
		}
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))
}
