package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/store/sqlstore"
)

// TestUnitFile removes and replaces the file of a database that is open.
func TestUnitFile(t *testing.T) {
	// wantMoved fails unless changes and Ping say what happened to the file, and a reader
	// that is opened now does not read another file.
	wantMoved := func(t *testing.T, db *sqlstore.DB, path, says string) {
		t.Helper()
		for call, err := range map[string]error{
			"Update": db.Update(t.Context(), nothing),
			"Ping":   db.Ping(t.Context()),
			"reader": readers(t, db),
		} {
			if err == nil || auth.KindOf(err) != nil || !strings.Contains(err.Error(), path) ||
				!strings.Contains(err.Error(), says) {
				t.Errorf("%s: got %v of kind %v, want an outage that names the file and says %q", call, err,
					auth.KindOf(err), says)
			}
		}
	}
	open := func(t *testing.T, path string) *sqlstore.DB {
		t.Helper()
		db := openSQLite(t, path)
		opened(t, sqlstore.Throttle, db)
		return db
	}
	t.Run("a file that was removed is not made anew and not written to", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "removed.db")
		db := open(t, path)
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		wantMoved(t, db, path, "cannot be found any more")
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want no file", err)
		}
	})
	t.Run("another file in its place is not read and not written to", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "replaced.db")
		db := open(t, path)
		moved, restored := path+".old", filepath.Join(t.TempDir(), "restored.db")
		if err := openSQLite(t, restored).Update(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		rename(t, path, moved)
		rename(t, restored, path)
		wantMoved(t, db, path, "is not the file that was opened any more")
		rename(t, path, restored)
		rename(t, moved, path)
		if err := errors.Join(db.Update(t.Context(), nothing), db.Ping(t.Context())); err != nil {
			t.Errorf("got %v, want the file to be used again when it is back", err)
		}
	})
	t.Run("a change in which the file is removed is not acknowledged", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "removed.db")
		db := open(t, path)
		err := db.Update(t.Context(), func(*sql.Conn) error { return os.Remove(path) })
		if err == nil || !strings.Contains(err.Error(), "cannot be found any more") {
			t.Errorf("got %v, want an error", err)
		}
	})
	t.Run("a relative path is the same file after the program changed its folder", func(t *testing.T) {
		folder, other := t.TempDir(), t.TempDir()
		t.Chdir(folder)
		db := open(t, "relative.db")
		t.Chdir(other)
		if err := errors.Join(db.Update(t.Context(), nothing), readers(t, db), db.Ping(t.Context())); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(other, "relative.db")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want no file in the other folder", err)
		}
	})
	t.Run("a new file is readable by its owner only", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "mode.db")
		db := open(t, path)
		if err := readers(t, db); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(name)
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: got %v, %v, want no rights for others", name, info.Mode(), err)
			}
		}
	})
}

// readers opens all connections that read, and returns what failed.
func readers(t *testing.T, db *sqlstore.DB) error {
	t.Helper()
	var errs []error
	for range db.Reader().Stats().MaxOpenConnections {
		conn, err := db.Reader().Conn(t.Context())
		if err == nil {
			defer conn.Close()
			_, err = conn.ExecContext(context.Background(), "SELECT COUNT(*) FROM sqlite_master")
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
