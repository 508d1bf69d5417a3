package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestUnitAChangeThatLeavesRowsOpen(t *testing.T) {
	errChange := errors.New("the change failed")
	for name, row := range map[string]struct {
		returns error
		says    string
		notes   int
	}{
		"is committed if it returns no error": {nil, "was committed, and left rows open", 1},
		"is undone if it returns an error":    {errChange, "was undone, and left rows open", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rows.db")
			db, store := openBusy(t, path)
			defer closeBusy(t, db)
			if err := db.Update(t.Context(), func(conn *sql.Conn) error {
				_, err := conn.ExecContext(t.Context(), "CREATE TABLE notes (id TEXT)")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			since := time.Now()
			err := db.Update(ctx, func(conn *sql.Conn) error {
				if _, err := conn.ExecContext(ctx, "INSERT INTO notes VALUES ('x')"); err != nil {
					return err
				}
				if _, err := openRows(ctx, conn); err != nil {
					return err
				}
				return row.returns
			})
			if err == nil || !strings.Contains(err.Error(), row.says) || !errors.Is(err, row.returns) && row.returns != nil {
				t.Errorf("got %v, want an error that says %q", err, row.says)
			}
			if took := time.Since(since); took > 10*time.Second {
				t.Errorf("got the answer after %v, want 250ms", took)
			}
			var n int
			if err := db.Reader().QueryRow("SELECT COUNT(*) FROM notes").Scan(&n); err != nil || n != row.notes {
				t.Errorf("got %d notes, %v, want %d", n, err, row.notes)
			}
			if err := errors.Join(db.Update(t.Context(), nothing), touch(t.Context(), store)); err != nil {
				t.Errorf("the next change: %v", err)
			}
			cancel()
			if err := db.Update(t.Context(), nothing); err != nil {
				t.Errorf("after the rows: %v", err)
			}
		})
	}
	t.Run("many of them say why there is no connection", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rows.db")
		db, _ := openBusy(t, path)
		defer closeBusy(t, db)
		ctx, cancel := context.WithCancel(t.Context())
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
		cancel()
		if err := db.Update(t.Context(), nothing); err != nil {
			t.Errorf("after the rows: %v", err)
		}
	})
}

func TestUnitAChangeThatClosesItsConnection(t *testing.T) {
	ctx := t.Context()
	file, err := sqlstore.OpenSQLite(ctx, "sqlite", filepath.Join(t.TempDir(), "closed.db"), sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "pool.db")+"?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)")
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
