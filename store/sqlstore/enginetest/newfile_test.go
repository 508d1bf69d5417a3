package enginetest

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// newFileEnv tells a process of this test to open a file.
const newFileEnv = "GATEWARDEN_TEST_OPENS"

// addRow opens a database, adds a row, and closes it.
func addRow(t *testing.T, path, id string) error {
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		return err
	}
	store, err := sqlstore.Knox(t.Context(), db)
	if err == nil {
		now := time.Now()
		_, err = store.Add(t.Context(), &knox.Record{Digest: id, ID: id, UserID: id, Created: now}, 0, false,
			knox.Ending{At: now})
	}
	return errors.Join(err, db.Close())
}

// TestUnitManyOpenANewFileAtOnce opens a file that is not there yet.
func TestUnitManyOpenANewFileAtOnce(t *testing.T) {
	if path := os.Getenv(newFileEnv); path != "" {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
		var group sync.WaitGroup
		for i := range 3 {
			group.Go(func() {
				if err := addRow(t, path, fmt.Sprint(os.Getpid(), ".", i)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		return
	}
	count := func(t *testing.T, path string, want int) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		var state string
		if err := errors.Join(db.QueryRow("SELECT COUNT(*) FROM gatewarden_knox_tokens").Scan(&n),
			db.QueryRow("PRAGMA integrity_check").Scan(&state)); err != nil || n != want || state != "ok" {
			t.Errorf("%d rows, %s, %v, want %d and ok", n, state, err, want)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v, want a file of its owner", info, err)
		}
	}
	for sentence, link := range map[string]bool{"at its path": false, "behind a link": true} {
		t.Run("in one process, "+sentence, func(t *testing.T) {
			for range 5 {
				path := newFile(t, link)
				var group sync.WaitGroup
				for i := range 8 {
					group.Go(func() {
						if err := addRow(t, path, fmt.Sprint(i)); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				count(t, path, 8)
			}
		})
		t.Run("in two processes, "+sentence, func(t *testing.T) {
			path := newFile(t, link)
			var group sync.WaitGroup
			starts := []func(){openByProcess(t, path, &group), openByProcess(t, path, &group)}
			for _, start := range starts {
				start()
			}
			group.Wait()
			count(t, path, 6)
		})
	}
}

// codedError is an error with a result of SQLite.
type codedError int

func (e codedError) Error() string { return fmt.Sprintf("disk I/O error (%d)", int(e)) }
func (e codedError) Code() int     { return int(e) }

// failingSwitch is the driver of SQLite whose first switches to WAL fail.
type failingSwitch struct {
	driver.Driver
	err   error
	fails *atomic.Int64 // how many more
	tries *atomic.Int64
}

func (d failingSwitch) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return failingConn{faultyConn{conn, &faults{}}, d}, nil
}

type failingConn struct {
	faultyConn
	of failingSwitch
}

func (c failingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if query == "PRAGMA journal_mode=WAL" {
		c.of.tries.Add(1)
		if c.of.fails.Add(-1) >= 0 {
			return nil, c.of.err
		}
	}
	return c.faultyConn.ExecContext(ctx, query, args)
}

func TestUnitASwitchToWALThatFails(t *testing.T) {
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for sentence, row := range map[string]struct {
		err   error
		fails int64
		most  int64 // tries, and 0 if the file opens
	}{
		"is tried again after a lock":                         {codedError(5), 10, 0},
		"is tried again after SQLITE_IOERR_RDLOCK":            {codedError(2314), 5, 0},
		"is tried again after SQLITE_IOERR_DELETE_NOENT":      {codedError(5898), 5, 0},
		"is tried again after the text of an I/O error":       {errors.New("disk I/O error"), 5, 0},
		"is not tried for long on a disk with a fault":        {codedError(10), 1 << 40, 20},
		"is not tried again after another error":              {codedError(26), 1 << 40, 1},
		"is not tried again after another error without code": {errors.New("file is not a database"), 1 << 40, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := failingSwitch{plain.Driver(), row.err, new(atomic.Int64), new(atomic.Int64)}
			d.fails.Store(row.fails)
			sql.Register(t.Name(), d)
			db, err := sqlstore.OpenSQLite(t.Context(), t.Name(), filepath.Join(t.TempDir(), "wal.db"),
				sqlstore.Config{})
			if err == nil {
				defer db.Close()
			}
			if (err == nil) != (row.most == 0) || err != nil && !errors.Is(err, row.err) {
				t.Errorf("got %v after %d tries", err, d.tries.Load())
			}
			if n := d.tries.Load(); row.most > 0 && n > row.most {
				t.Errorf("got %d tries, want %d at most", n, row.most)
			}
		})
	}
}

// newFile returns a path without a file, or one of a link to nothing.
func newFile(t *testing.T, link bool) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "new.db")
	if link {
		if err := os.Symlink("target.db", path); err != nil {
			t.Skip(err)
		}
	}
	return path
}

// openByProcess starts a process that opens the file when start is called.
func openByProcess(t *testing.T, path string, group *sync.WaitGroup) (start func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestUnitManyOpenANewFileAtOnce$", "-test.v=false")
	cmd.Env = append(os.Environ(), newFileEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("got %q, %v, want the other process to be ready", line, err)
	}
	group.Go(func() {
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, rest)
		}
	})
	return func() { _ = stdin.Close() }
}
