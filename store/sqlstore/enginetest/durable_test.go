package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/internal/schema"
)

func TestUnitConnections(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "connections.db"))
	t.Run("a commit is on disk before it is acknowledged", func(t *testing.T) {
		var changes, own int
		err := db.Update(t.Context(), func(conn *sql.Conn) error {
			return conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&changes)
		})
		if e := db.Writer().QueryRow("PRAGMA synchronous").Scan(&own); errors.Join(err, e) != nil {
			t.Fatal(err, e)
		}
		if changes != 2 || own != 2 { // FULL
			t.Errorf("got synchronous=%d for Update and %d for Writer, want 2", changes, own)
		}
	})
	t.Run("a reader cannot write", func(t *testing.T) {
		for range 10 {
			if _, err := db.Reader().Exec("CREATE TABLE notes (id TEXT)"); err == nil {
				t.Fatal("got no error")
			}
		}
	})
	t.Run("foreign keys hold on each connection", func(t *testing.T) {
		var on int
		if err := db.Writer().QueryRow("PRAGMA foreign_keys").Scan(&on); err != nil || on != 1 {
			t.Errorf("got %d, %v, want 1", on, err)
		}
	})
}

// stores opens each store of a database.
var stores = map[string]func(ctx context.Context, db *sqlstore.DB) error{
	"knox":     func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.Knox(ctx, db); return err },
	"sessions": func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.Sessions(ctx, db); return err },
	"throttle": func(ctx context.Context, db *sqlstore.DB) error { _, err := sqlstore.Throttle(ctx, db); return err },
}

func TestUnitTablesOfOthers(t *testing.T) {
	for component, open := range stores {
		t.Run("versions that this program does not know are refused: "+component, func(t *testing.T) {
			db := openSQLite(t, filepath.Join(t.TempDir(), "version.db"))
			if err := open(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			for _, version := range []string{"-5", "0", "99"} {
				execute(t, db, "UPDATE gatewarden_schema SET version = "+version+" WHERE component = '"+component+"'")
				err := open(t.Context(), db)
				if !errors.Is(err, sqlstore.ErrSchema) ||
					!strings.Contains(err.Error(), "the tables have version "+version) {
					t.Errorf("version %s: got %v, want ErrSchema that names it", version, err)
				}
			}
		})
	}
	for table, component := range map[string]string{
		"knox_ended": "knox", "knox_tokens": "knox", "sessions": "sessions", "throttle": "throttle",
	} {
		t.Run("a missing table is noticed when its store is opened: "+table, func(t *testing.T) {
			db := openSQLite(t, filepath.Join(t.TempDir(), "missing.db"))
			if err := stores[component](t.Context(), db); err != nil {
				t.Fatal(err)
			}
			execute(t, db, "DROP TABLE gatewarden_"+table)
			err := stores[component](t.Context(), db)
			says := "table gatewarden_" + table + ", which this program made before, cannot be read"
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want an error that names the table", err)
			}
		})
	}
}

// TestUnitMethodsFromBefore has rows whose methods are separated by spaces.
func TestUnitMethodsFromBefore(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "methods.db"))
	makeFirst(t, db, "knox")
	makeFirst(t, db, "sessions")
	rows := map[string][]string{
		"pwd otp":     {"pwd", "otp"},
		"pwd":         {"pwd"},
		"":            nil,
		`q"uo\te pwd`: {`q"uo\te`, "pwd"},
		"tab\there é": {"tab\there", "é"},
	}
	for methods := range rows {
		digest := "digest of " + methods
		for _, err := range []error{
			run(t, db, `INSERT INTO gatewarden_knox_tokens
				(digest, id, user_id, name, created, slide, ip, user_agent, stamp, amr, acr)
				VALUES (?, ?, 'alice', '', 1, 0, '', '', '', ?, '')`, digest, digest, methods),
			run(t, db, `INSERT INTO gatewarden_sessions
				(digest, id, user_id, owner, remembered, created, expires_at, idle, max_expires_at,
				last_used, ip, user_agent, stamp, amr, acr)
					VALUES (?, ?, 'alice', '', 0, 1, ?, 0, ?, 1, '', '', '', ?, '')`,
				digest, digest, time.Now().Add(time.Hour).UnixMicro(), time.Now().Add(time.Hour).UnixMicro(), methods),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(t *testing.T) {
		t.Helper()
		tokens, sessions := opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db)
		for methods, want := range rows {
			token, err := tokens.Find(t.Context(), "digest of "+methods)
			if err != nil || !slices.Equal(token.AuthInfo.AMR, want) {
				t.Errorf("token with %q: got %+v, %v, want %q", methods, token, err, want)
			}
			session, err := sessions.Find(t.Context(), "digest of "+methods)
			if err != nil || !slices.Equal(session.AuthInfo.AMR, want) {
				t.Errorf("session with %q: got %+v, %v, want %q", methods, session, err, want)
			}
		}
	}
	t.Run("the migration keeps them", func(t *testing.T) {
		check(t)
		var spaced int
		if err := db.Reader().QueryRow(`SELECT COUNT(*) FROM gatewarden_knox_tokens WHERE amr NOT LIKE '[%'`).
			Scan(&spaced); err != nil || spaced != 0 {
			t.Errorf("got %d old rows, %v, want 0", spaced, err)
		}
	})
	t.Run("rows that a program of the version before adds later are read", func(t *testing.T) {
		delete(rows, "tab\there é") // it cut there
		for methods := range rows {
			if err := run(t, db, "UPDATE gatewarden_knox_tokens SET amr = ? WHERE digest = ?", methods,
				"digest of "+methods); err != nil {
				t.Fatal(err)
			}
		}
		check(t)
	})
}

func run(t *testing.T, db *sqlstore.DB, statement string, args ...any) error {
	t.Helper()
	_, err := db.Writer().Exec(statement, args...)
	return err
}

// makeFirst makes the tables of version 1 of a component.
func makeFirst(t *testing.T, db *sqlstore.DB, component string) {
	t.Helper()
	name := component + "_1.sql"
	script, err := os.ReadFile(filepath.Join("..", "migrations", "sqlite", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(conn *sql.Conn) error {
		folder := fstest.MapFS{name: &fstest.MapFile{Data: script}}
		return schema.Scripts{Folder: folder, Prefix: "gatewarden_"}.Migrate(t.Context(), conn, component)
	}); err != nil {
		t.Fatal(err)
	}
}
