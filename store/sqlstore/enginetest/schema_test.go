package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/internal/schema"
)

const (
	firstScript = "-- notes\nCREATE TABLE {prefix}notes (\n\tid TEXT NOT NULL, -- of the note\n\ttext TEXT\n);\n\n" +
		"CREATE INDEX {prefix}notes_id ON {prefix}notes (id);\n"
	secondScript = "ALTER TABLE {prefix}notes ADD COLUMN author TEXT;\n"
)

// migrate runs scripts, one for each version, in a transaction.
func migrate(t *testing.T, db *sqlstore.DB, scripts ...string) error {
	t.Helper()
	folder := fstest.MapFS{}
	for i, script := range scripts {
		folder["notes_"+string(rune('1'+i))+".sql"] = &fstest.MapFile{Data: []byte(script)}
	}
	conn, err := db.Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = schema.Scripts{Folder: folder, Prefix: "gatewarden_"}.Migrate(t.Context(), conn, "notes")
	end := "COMMIT"
	if err != nil {
		end = "ROLLBACK"
	}
	if _, err := conn.ExecContext(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	return err
}

func execute(t *testing.T, db *sqlstore.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Writer().Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestUnitSchema(t *testing.T) {
	open := func(t *testing.T) *sqlstore.DB {
		t.Helper()
		return openSQLite(t, filepath.Join(t.TempDir(), "schema.db"))
	}
	version := func(t *testing.T, db *sqlstore.DB) (n int) {
		t.Helper()
		row := db.Reader().QueryRow("SELECT version FROM gatewarden_schema WHERE component = 'notes'")
		if err := row.Scan(&n); err != nil && !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		return n
	}
	wantForeign := func(t *testing.T, err error, says string) {
		t.Helper()
		if !errors.Is(err, sqlstore.ErrSchema) || !strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), "made by another version") {
			t.Errorf("got %v, want an error that says %q and what to do", err, says)
		}
	}
	t.Run("each version is added once, and what was written stays", func(t *testing.T) {
		db := open(t)
		for range 2 {
			if err := migrate(t, db, firstScript); err != nil || version(t, db) != 1 {
				t.Fatalf("got version %d, %v, want 1", version(t, db), err)
			}
		}
		execute(t, db, "INSERT INTO gatewarden_notes VALUES ('a', 'text')")
		for range 2 {
			if err := migrate(t, db, firstScript, secondScript); err != nil || version(t, db) != 2 {
				t.Fatalf("got version %d, %v, want 2", version(t, db), err)
			}
		}
		execute(t, db, "UPDATE gatewarden_notes SET author = 'alice' WHERE id = 'a'")
		var text, author string
		if err := db.Reader().QueryRow("SELECT text, author FROM gatewarden_notes").Scan(&text, &author); err != nil ||
			text != "text" || author != "alice" {
			t.Errorf("got %q of %q, %v, want the row from before", text, author, err)
		}
	})
	t.Run("a program that knows fewer versions refuses the tables", func(t *testing.T) {
		db := open(t)
		if err := migrate(t, db, firstScript, secondScript); err != nil {
			t.Fatal(err)
		}
		wantForeign(t, migrate(t, db, firstScript), "the tables have version 2 and this program knows versions up to 1")
		if version(t, db) != 2 {
			t.Errorf("got version %d, want it untouched", version(t, db))
		}
	})
	t.Run("tables of the same number that other statements made are refused", func(t *testing.T) {
		db := open(t)
		if err := migrate(t, db, strings.Replace(firstScript, "text TEXT", "body TEXT", 1)); err != nil {
			t.Fatal(err)
		}
		wantForeign(t, migrate(t, db, firstScript), "the tables have version 1, but not that of this program")
		wantForeign(t, migrate(t, db, firstScript, secondScript), "the tables have version 1, but not that of this "+
			"program")
	})
	t.Run("comments and spaces of a script may change", func(t *testing.T) {
		db := open(t)
		if err := migrate(t, db, firstScript); err != nil {
			t.Fatal(err)
		}
		reworded := strings.NewReplacer("-- notes\n", "", "-- of the note", "-- the identifier of a note; see RFC 9562",
			"\t", "    ").Replace(firstScript)
		if err := migrate(t, db, reworded, secondScript); err != nil || version(t, db) != 2 {
			t.Errorf("got version %d, %v, want 2", version(t, db), err)
		}
	})
	t.Run("a script that fails leaves the version before it", func(t *testing.T) {
		db := open(t)
		if err := migrate(t, db, firstScript, "ALTER TABLE {prefix}nothing ADD COLUMN x TEXT;\n"); err == nil ||
			errors.Is(err, sqlstore.ErrSchema) {
			t.Errorf("got %v, want the error of the engine", err)
		}
		if err := migrate(t, db, firstScript); err != nil || version(t, db) != 1 {
			t.Errorf("got version %d, %v, want 1", version(t, db), err)
		}
	})
	t.Run("a component without scripts is an error", func(t *testing.T) {
		if err := migrate(t, open(t)); err == nil {
			t.Error("got no error")
		}
	})
}

// TestUnitTablesFromBefore opens a file that a program made before the schema began
// anew at version 1.
func TestUnitTablesFromBefore(t *testing.T) {
	for component, open := range map[string]func(ctx context.Context, db *sqlstore.DB) error{
		"knox": func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.Knox(ctx, db); return err },
		"sessions": func(ctx context.Context, db *sqlstore.DB) error {
			_, err := sqlstore.Sessions(ctx, db)
			return err
		},
		"jwt": func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.JWT(ctx, db); return err },
		"jwtkeys": func(ctx context.Context, db *sqlstore.DB) error {
			_, err := sqlstore.JWTKeys(ctx, db)
			return err
		},
		"oauth": func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.OAuth(ctx, db); return err },
		"login": func(ctx context.Context, db *sqlstore.DB) error {
			_, err := sqlstore.External(ctx, db)
			return err
		},
		"onetime": func(ctx context.Context, db *sqlstore.DB) error {
			_, err := sqlstore.OneTime(ctx, db)
			return err
		},
		"throttle": func(ctx context.Context, db *sqlstore.DB) error {
			_, err := sqlstore.Throttle(ctx, db)
			return err
		},
	} {
		t.Run(component, func(t *testing.T) {
			db := openSQLite(t, filepath.Join(t.TempDir(), "before.db"))
			execute(t, db, "CREATE TABLE gatewarden_schema (component VARCHAR(64) NOT NULL PRIMARY KEY, version "+
				"INTEGER NOT NULL)",
				"INSERT INTO gatewarden_schema VALUES ('knox', 2), ('sessions', 1), ('owners', 1), ('jwt', 1), "+
					"('oauth', 1)")
			err := open(t.Context(), db)
			if !errors.Is(err, sqlstore.ErrSchema) || !strings.Contains(err.Error(), "made by another version") {
				t.Errorf("got %v, want an error that wraps ErrSchema", err)
			}
			var tables int
			if err := db.Reader().QueryRow("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").
				Scan(&tables); err != nil || tables != 1 {
				t.Errorf("got %d tables, %v, want nothing added", tables, err)
			}
		})
	}
}
