package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// onServers runs a test on PostgreSQL and on MariaDB.
func onServers(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	for _, engine := range engines[1:] {
		t.Run(engine.name, func(t *testing.T) { test(t, engine.place(t)) })
	}
}

// begin starts a transaction of another program.
func (p *place) begin(t *testing.T) *sql.Tx {
	t.Helper()
	pool := p.pool()
	tx, err := pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tx.Rollback()
		_ = pool.Close()
	})
	return tx
}

// waiting returns how many transactions wait for a row.
func (p *place) waiting(t *testing.T, pool *sql.DB) (n int) {
	t.Helper()
	fields, query := []any{&n}, `SELECT COUNT(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`
	if p.driver == "mysql" {
		query, fields = `SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'`, []any{new(string), &n}
	}
	if err := pool.QueryRow(query).Scan(fields...); err != nil {
		t.Fatal(err)
	}
	return n
}

// must runs a statement.
func must(t *testing.T, in interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, statement string) {
	t.Helper()
	if _, err := in.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// addTokens adds tokens of a user that expire at an instant.
func addTokens(t *testing.T, store *sqlstore.KnoxStore, user string, n int, expires time.Time) {
	t.Helper()
	for i := range n {
		r := &knox.Record{Digest: fmt.Sprint(user, i), ID: fmt.Sprint(i), UserID: user,
			Created: expires.Add(-time.Hour), ExpiresAt: expires}
		if _, err := store.Add(t.Context(), r, 0, false, knox.Ending{At: r.Created}); err != nil {
			t.Fatal(err)
		}
	}
}

// passingError is an error of both servers that ends a transaction in favor of another one.
type passingError struct{}

func (passingError) Error() string    { return "Error 1213 (40001): Deadlock found" }
func (passingError) SQLState() string { return "40P01" }

func TestUnitTriesOfAChange(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		t.Run("of two changes that wait for each other both are done", func(t *testing.T) {
			db := p.open(t)
			must(t, db.Writer(), "CREATE TABLE notes (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
			defer must(t, db.Writer(), "DROP TABLE notes")
			must(t, db.Writer(), "INSERT INTO notes VALUES (0, 0), (1, 0)")
			var locked [2]sync.WaitGroup
			var once [2]sync.Once
			var group sync.WaitGroup
			tries := make(chan int, 100)
			for i := range 2 {
				locked[i].Add(1)
			}
			for i := range 2 {
				group.Go(func() {
					err := db.Update(t.Context(), func(conn *sql.Conn) error {
						tries <- i
						for _, id := range []int{i, 1 - i} {
							update := fmt.Sprint("UPDATE notes SET n = n + 1 WHERE id = ", id)
							if _, err := conn.ExecContext(t.Context(), update); err != nil {
								return err
							}
							once[i].Do(locked[i].Done)
							locked[1-i].Wait()
						}
						return nil
					})
					if err != nil {
						t.Errorf("change %d: %v", i, err)
					}
				})
			}
			group.Wait()
			var least, most int
			err := db.Reader().QueryRow("SELECT MIN(n), MAX(n) FROM notes").Scan(&least, &most)
			if err != nil || least != 2 || most != 2 {
				t.Errorf("got %d and %d, %v, want each change once in both rows", least, most, err)
			}
			if len(tries) < 3 {
				t.Errorf("got %d tries, want a third one after the deadlock", len(tries))
			}
		})
		t.Run("one that always ends in a deadlock fails after at most 20 tries", func(t *testing.T) {
			tries := 0
			err := p.open(t).Update(t.Context(), func(*sql.Conn) error {
				tries++
				return fmt.Errorf("again: %w", passingError{})
			})
			if !errors.Is(err, sqlstore.ErrBusy) || !errors.As(err, new(passingError)) || tries < 2 || tries > 20 {
				t.Errorf("got %v after %d tries, want ErrBusy after at most 20", err, tries)
			}
		})
	})
}

func TestUnitARowThatAnotherProgramHolds(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		store := opened(t, sqlstore.Knox, p.instance(t, sqlstore.Config{TablePrefix: prefix, BusyTimeout: busyTimeout}))
		now := time.Unix(2e9, 0).UTC()
		addTokens(t, store, "alice", 3, now)
		addTokens(t, store, "bob", 3, now.Add(time.Hour))
		db := p.instance(t, sqlstore.Config{TablePrefix: prefix}) // is patient
		patient := opened(t, sqlstore.Knox, db)
		end := func(ctx context.Context) error {
			_, err := patient.RevokeAll(ctx, "bob", "bob0", "", knox.Ending{At: now})
			return err
		}
		if err := end(t.Context()); err != nil { // bob has a row of owners from now on
			t.Fatal(err)
		}
		t.Run("is waited for as long as BusyTimeout says", func(t *testing.T) {
			holder := p.begin(t)
			must(t, holder, "SELECT user_id FROM "+prefix+"owners WHERE user_id = 'bob' FOR UPDATE")
			_, err := store.RevokeAll(t.Context(), "bob", "bob0", "", knox.Ending{At: now})
			if !errors.Is(err, sqlstore.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
		})
		t.Run("leaves nothing behind a request that ends", func(t *testing.T) {
			holder := p.begin(t)
			must(t, holder, "SELECT user_id FROM "+prefix+"owners WHERE user_id = 'bob' FOR UPDATE")
			for range 5 {
				ctx, cancel := context.WithCancel(t.Context())
				before := 0
				if p.driver == "mysql" { // which lets the transaction of a connection that is gone wait on
					before = p.waiting(t, db.Reader())
				}
				ended := make(chan error, 1)
				go func() { ended <- end(ctx) }()
				for p.waiting(t, db.Reader()) <= before && len(ended) == 0 {
				}
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want the end of the request", err)
				}
			}
			if err := holder.Rollback(); err != nil {
				t.Fatal(err)
			}
			unlessBusy(t, func() error { return end(t.Context()) }) // MariaDB ends those that waited one by one
			if n := db.Writer().Stats().InUse; n != 0 {
				t.Errorf("got %d connections in use, want 0", n)
			}
			for range 20 {
				if _, err := store.Find(t.Context(), "alice0"); err != nil {
					t.Errorf("a connection is broken: %v", err)
				}
			}
		})
		t.Run("is left out by a purge", func(t *testing.T) {
			holder := p.begin(t)
			must(t, holder, "SELECT digest FROM "+prefix+"knox_tokens WHERE digest = 'alice1' FOR UPDATE")
			purged, err := store.Purge(t.Context(), 10, knox.Ending{At: now.Add(time.Minute)})
			if err != nil || len(purged) != 2 {
				t.Errorf("got %d, %v, want the two that no transaction holds", len(purged), err)
			}
			if err := holder.Rollback(); err != nil {
				t.Fatal(err)
			}
			if purged, err = store.Purge(t.Context(), 10, knox.Ending{At: now.Add(time.Minute)}); err != nil ||
				len(purged) != 1 {
				t.Errorf("then got %d, %v, want the third", len(purged), err)
			}
		})
	})
}

func TestUnitAChangeOnAServer(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		open := func(t *testing.T) *sqlstore.DB {
			db := p.instance(t, sqlstore.Config{TablePrefix: p.take(t), BusyTimeout: busyTimeout})
			must(t, db.Writer(), "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
			t.Cleanup(func() {
				pool := p.pool()
				defer pool.Close()
				if _, err := pool.Exec("DROP TABLE notes"); err != nil {
					t.Error(err)
				}
			})
			return db
		}
		notes := func(t *testing.T, db *sqlstore.DB) (n int) {
			t.Helper()
			if err := db.Reader().QueryRow("SELECT COUNT(*) FROM notes").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		insert := func(ctx context.Context, conn *sql.Conn) error {
			_, err := conn.ExecContext(ctx, "INSERT INTO notes VALUES (1)")
			return err
		}
		t.Run("that closes its connection is undone, and no other change runs in its transaction", func(t *testing.T) {
			db := open(t)
			err := db.Update(t.Context(), func(conn *sql.Conn) error {
				if err := insert(t.Context(), conn); err != nil {
					return err
				}
				closing := make(chan error)
				go func() { closing <- conn.Close() }()
				for range 20 { // of others, meanwhile
					if _, err := db.Writer().Exec("UPDATE notes SET id = 2 WHERE id = 3"); err != nil {
						t.Error(err)
					}
				}
				return <-closing
			})
			if err == nil || notes(t, db) != 0 {
				t.Errorf("got %v and %d notes, want an error and none", err, notes(t, db))
			}
			err = db.Update(t.Context(), func(conn *sql.Conn) error { return insert(t.Context(), conn) })
			if err != nil || notes(t, db) != 1 {
				t.Errorf("the next change: %v, %d notes, want 1", err, notes(t, db))
			}
		})
		t.Run("that leaves rows open does not disturb the next one", func(t *testing.T) {
			db := open(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := db.Update(t.Context(), func(conn *sql.Conn) error {
				if err := insert(t.Context(), conn); err != nil {
					return err
				}
				rows, err := conn.QueryContext(ctx, "SELECT table_name FROM information_schema.tables")
				if err == nil && !rows.Next() {
					err = errors.New("no rows")
				}
				return err
			})
			if got := notes(t, db); (err == nil) != (got == 1) {
				t.Errorf("got %v and %d notes, want a note if there is no error", err, got)
			}
			for range 3 {
				unlessBusy(t, func() error { return db.Update(t.Context(), nothing) })
			}
		})
		t.Run("is done as a whole or not at all, whenever its request ends", func(t *testing.T) {
			db := open(t)
			must(t, db.Writer(), "DELETE FROM notes")
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				err := db.Update(ctx, func(conn *sql.Conn) error {
					for i := range 2 {
						add := fmt.Sprint("INSERT INTO notes VALUES (", i, ")")
						if _, err := conn.ExecContext(t.Context(), add); err != nil {
							return err
						}
						cancel()
					}
					return nil
				})
				if got := notes(t, db); got == 1 || (err == nil) != (got == 2) {
					t.Fatalf("got %v and %d notes, want 2 or an error and 0", err, got)
				}
				must(t, db.Writer(), "DELETE FROM notes")
			}
		})
	})
}

func TestUnitTouchesOfTwoInstances(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		const tokens = 500
		log := new(logged)
		prefix := p.take(t)
		var dbs [2]*sqlstore.DB
		var stores [2]*sqlstore.KnoxStore
		for i := range dbs {
			config := sqlstore.Config{TablePrefix: prefix, Logger: slog.New(slog.NewTextHandler(log, nil))}
			db, err := p.engine.open(t.Context(), p.pool(), config)
			if err != nil {
				t.Fatal(err)
			}
			dbs[i], stores[i] = db, opened(t, sqlstore.Knox, db)
		}
		noon := time.Unix(2e9, 0).UTC()
		addTokens(t, stores[0], "alice", tokens, noon.Add(time.Hour))
		var group sync.WaitGroup
		for i, store := range stores {
			group.Go(func() {
				for n := range tokens {
					token := n
					if i == 1 {
						token = tokens - 1 - n
					}
					touch := knox.Touch{Digest: fmt.Sprint("alice", token),
						Used: noon.Add(time.Duration(i+1) * time.Minute)}
					if i == 0 && token%2 == 0 {
						touch.ExpiresAt, touch.LiveUntil = noon.Add(2*time.Hour), noon.Add(time.Hour)
					}
					if err := store.Touch(t.Context(), touch); err != nil {
						t.Error(err)
					}
				}
				if err := dbs[i].Close(); err != nil { // writes them
					t.Error(err)
				}
			})
		}
		group.Wait()
		third := opened(t, sqlstore.Knox, p.instance(t, sqlstore.Config{TablePrefix: prefix}))
		for token := range tokens {
			expires := noon.Add(time.Hour)
			if token%2 == 0 {
				expires = noon.Add(2 * time.Hour)
			}
			got, err := third.Find(t.Context(), fmt.Sprint("alice", token))
			if err != nil || !got.LastUsed.Equal(noon.Add(2*time.Minute)) || !got.ExpiresAt.Equal(expires) {
				t.Fatalf("got %+v, %v, want a use after 2 minutes and an expiry at %v", got, err, expires)
			}
		}
		if text := log.text.String(); strings.Contains(text, "last use") {
			t.Errorf("got %s, want no warning of uses", text)
		}
	})
}
