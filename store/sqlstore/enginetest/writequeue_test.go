package enginetest

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

const busyTimeout = 300 * time.Millisecond

// openBusy opens a file with a short busy timeout.
func openBusy(t *testing.T, path string) (*sqlstore.DB, *sqlstore.KnoxStore) {
	t.Helper()
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{BusyTimeout: busyTimeout})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Knox(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return db, store
}

// closeBusy closes a database and fails if a reader was left in use.
func closeBusy(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	if n := db.Reader().Stats().InUse; n != 0 {
		t.Errorf("got %d readers in use, want 0", n)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// lockFile takes the lock of the writer by a connection of its own, as another program
// does, until the function that it returns is called.
func lockFile(t *testing.T, path string) (unlock func()) {
	t.Helper()
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := other.Exec("ROLLBACK"); err != nil {
			t.Error(err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
}

func nothing(*sql.Conn) error { return nil }

// touch is one that must be written at once, and comes too late to be kept for another try.
func touch(ctx context.Context, store *sqlstore.KnoxStore) error {
	return store.Touch(ctx, knox.Touch{Digest: "digest", Used: time.UnixMicro(3),
		LiveUntil: time.UnixMicro(3), ExpiresAt: time.UnixMicro(4)})
}

// atOnce runs n calls at once and returns the error and the time of each.
func atOnce(n int, call func() error) (errs []error, took []time.Duration) {
	errs, took = make([]error, n), make([]time.Duration, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			since := time.Now()
			errs[i] = call()
			took[i] = time.Since(since)
		})
	}
	group.Wait()
	return errs, took
}

// wantBusy fails if an error is not an outage that says why the change had no turn.
func wantBusy(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, sqlstore.ErrBusy) || auth.KindOf(err) != nil || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v of kind %v, want ErrBusy that says %q", err, auth.KindOf(err), says)
	}
}

const (
	byOthers = "the database is locked by another program or connection"
	byUs     = "other changes of this program take too long"
)

// TestUnitTurns has the clock of a bubble, so that a wait is as long as it says.
func TestUnitTurns(t *testing.T) {
	run := func(sentence string, test func(t *testing.T, path string, db *sqlstore.DB, store *sqlstore.KnoxStore)) {
		t.Run(sentence, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "turns.db")
			synctest.Test(t, func(t *testing.T) {
				db, store := openBusy(t, path)
				defer closeBusy(t, db)
				test(t, path, db, store)
			})
		})
	}
	run("six changes behind a lock end at the busy timeout and name the lock",
		func(t *testing.T, path string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			unlock := lockFile(t, path)
			errs, took := atOnce(6, func() error { return db.Update(t.Context(), nothing) })
			unlock()
			for i, err := range errs {
				wantBusy(t, err, byOthers)
				if took[i] > busyTimeout {
					t.Errorf("got an answer after %v, want at most %v", took[i], busyTimeout)
				}
			}
			errs, _ = atOnce(6, func() error { return db.Update(t.Context(), nothing) })
			if err := errors.Join(append(errs, touch(t.Context(), store))...); err != nil {
				t.Errorf("got %v after the lock, want changes and touches to work", err)
			}
		})
	run("a change that gets the lock in time succeeds",
		func(t *testing.T, path string, db *sqlstore.DB, _ *sqlstore.KnoxStore) {
			unlock := lockFile(t, path)
			time.AfterFunc(busyTimeout/2, unlock)
			errs, _ := atOnce(6, func() error { return db.Update(t.Context(), nothing) })
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
		})
	run("touches behind a lock give up soon, however many there are",
		func(t *testing.T, path string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			defer lockFile(t, path)()
			for range 2 {
				errs, took := atOnce(50, func() error { return touch(t.Context(), store) })
				for i, err := range errs {
					wantBusy(t, err, byOthers)
					if took[i] > 75*time.Millisecond {
						t.Errorf("got an answer after %v, want at most 75ms", took[i])
					}
				}
			}
		})
	run("a touch gives up while a change waits for a lock",
		func(t *testing.T, path string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			defer lockFile(t, path)()
			var group sync.WaitGroup
			group.Go(func() { wantBusy(t, db.Update(t.Context(), nothing), byOthers) })
			synctest.Wait()
			errs, took := atOnce(1, func() error { return touch(t.Context(), store) })
			wantBusy(t, errs[0], byOthers)
			if took[0] > 100*time.Millisecond {
				t.Errorf("got an answer after %v, want at most 100ms", took[0])
			}
			group.Wait()
		})
	run("a context that ends ends the wait for the lock",
		func(t *testing.T, path string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			defer lockFile(t, path)()
			for sentence, call := range map[string]func(ctx context.Context) error{
				"a change": func(ctx context.Context) error { return db.Update(ctx, nothing) },
				"a touch":  func(ctx context.Context) error { return touch(ctx, store) },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				errs, took := atOnce(1, func() error { return call(ctx) })
				cancel()
				wantBusy(t, errs[0], byOthers)
				if !errors.Is(errs[0], context.DeadlineExceeded) || took[0] > 20*time.Millisecond {
					t.Errorf("%s: got %v after %v, want the error of the context after 20ms", sentence,
						errs[0], took[0])
				}
			}
		})
	run("a context that ends ends the wait for a turn",
		func(t *testing.T, _ string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			hold(t, db, func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				errs, took := atOnce(3, func() error { return db.Update(ctx, nothing) })
				errs, took = append(errs, touch(ctx, store)), append(took, 0)
				for i, err := range errs {
					wantBusy(t, err, byUs)
					if !errors.Is(err, context.DeadlineExceeded) || took[i] > 20*time.Millisecond {
						t.Errorf("got %v after %v, want the error of the context after 20ms", err, took[i])
					}
				}
				wantBusy(t, db.Update(t.Context(), nothing), byUs)
			})
		})
	run("changes have their turn in the order in which they came, and a touch is next",
		func(t *testing.T, _ string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			record := &knox.Record{Digest: "digest", ID: "id", UserID: "alice", Created: time.UnixMicro(1),
				ExpiresAt: time.UnixMicro(5)}
			if _, err := store.Add(t.Context(), record, 0, false, knox.Ending{At: time.UnixMicro(1)}); err != nil {
				t.Fatal(err)
			}
			// Each change notes its number and whether it sees the touch.
			var order []int
			var touched []bool
			change := func(i int, conn *sql.Conn) error {
				var seen bool
				const query = "SELECT last_used IS NOT NULL FROM gatewarden_knox_tokens"
				err := conn.QueryRowContext(t.Context(), query).Scan(&seen)
				order, touched = append(order, i), append(touched, seen)
				return err
			}
			var group sync.WaitGroup
			var errs [20]error
			hold(t, db, func() {
				for i := range errs {
					group.Go(func() {
						errs[i] = db.Update(t.Context(), func(conn *sql.Conn) error { return change(i, conn) })
					})
					synctest.Wait()
				}
				group.Go(func() {
					if err := touch(t.Context(), store); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			})
			group.Wait()
			if err := errors.Join(errs[:]...); err != nil {
				t.Error(err)
			}
			if at := slices.Index(touched, true); at < 0 || at > 2 || !slices.IsSorted(order) ||
				len(order) != len(errs) {
				t.Errorf("got %v, touched %v, want the touch first and then the numbers in order", order, touched)
			}
		})
	run("touches without end do not keep changes from their turn",
		func(t *testing.T, _ string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			var touched atomic.Int64
			var stop atomic.Bool
			var touches, changes sync.WaitGroup
			hold(t, db, func() {
				for range 20 {
					touches.Go(func() {
						for !stop.Load() && touched.Load() < 1000 {
							_ = touch(t.Context(), store)
							touched.Add(1)
						}
					})
				}
				synctest.Wait()
				for range 5 {
					changes.Go(func() {
						if err := db.Update(t.Context(), nothing); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
			})
			changes.Wait()
			got := touched.Load()
			stop.Store(true)
			touches.Wait()
			// The 20 that came first, one after each change, and those that ended meanwhile.
			if got > 20+5+20 {
				t.Errorf("got %d touches before 5 changes, want 45 at most", got)
			}
		})
	run("a panic in a change ends its turn and its transaction",
		func(t *testing.T, _ string, db *sqlstore.DB, _ *sqlstore.KnoxStore) {
			func() {
				defer func() { _ = recover() }()
				_ = db.Update(t.Context(), func(*sql.Conn) error { panic("a bug") })
			}()
			if err := db.Update(t.Context(), nothing); err != nil {
				t.Error(err)
			}
		})
	run("a change is committed although the context ended in it",
		func(t *testing.T, _ string, db *sqlstore.DB, store *sqlstore.KnoxStore) {
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Update(ctx, func(conn *sql.Conn) error {
				defer cancel()
				_, err := conn.ExecContext(ctx, "CREATE TABLE notes (id TEXT)")
				return err
			})
			var n int
			e := db.Reader().QueryRow("SELECT COUNT(*) FROM notes").Scan(&n)
			if err != nil || e != nil {
				t.Errorf("got %v, and %v from a reader, want the table", err, e)
			}
		})
}

// hold runs do while a change of the program has its turn.
func hold(t *testing.T, db *sqlstore.DB, do func()) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		if err := db.Update(t.Context(), func(*sql.Conn) error { close(held); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	do()
	close(release)
	group.Wait()
}

// lockEnv tells a process of this test to lock a file.
const lockEnv = "GATEWARDEN_TEST_LOCKS"

// TestUnitLockOfAnotherProcess has real time and two processes.
func TestUnitLockOfAnotherProcess(t *testing.T) {
	if path := os.Getenv(lockEnv); path != "" {
		unlock := lockFile(t, path)
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
		unlock()
		return
	}
	path := filepath.Join(t.TempDir(), "locked.db")
	db, store := openBusy(t, path)
	defer closeBusy(t, db)
	now := time.Now()
	add := func() error {
		id := fmt.Sprint(time.Now().UnixNano())
		_, err := store.Add(t.Context(), &knox.Record{Digest: id, ID: id, UserID: "alice", Created: now}, 0, false,
			knox.Ending{At: now})
		return err
	}
	unlock := lockByProcess(t, path)
	t.Run("twelve changes and a touch end soon", func(t *testing.T) {
		since := time.Now()
		errs, _ := atOnce(12, add)
		errs = append(errs, touch(t.Context(), store))
		for _, err := range errs {
			wantBusy(t, err, byOthers)
		}
		// One after another they would take 3.6 s.
		if took := time.Since(since); took > 2*time.Second {
			t.Errorf("got the answers after %v, want about %v", took, busyTimeout)
		}
	})
	t.Run("reads go on", func(t *testing.T) {
		if _, err := store.List(t.Context(), "alice", "", 10, now); err != nil {
			t.Error(err)
		}
	})
	unlock()
	t.Run("after the lock all work", func(t *testing.T) {
		for range 3 {
			if err := errors.Join(add(), touch(t.Context(), store)); err != nil {
				t.Error(err)
			}
		}
	})
}

// lockByProcess is lockFile by a process of its own.
func lockByProcess(t *testing.T, path string) (unlock func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestUnitLockOfAnotherProcess$", "-test.v=false")
	cmd.Env = append(os.Environ(), lockEnv+"="+path)
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
	done := sync.OnceFunc(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(done)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("got %q, %v, want the other process to lock the file", line, err)
	}
	return done
}
