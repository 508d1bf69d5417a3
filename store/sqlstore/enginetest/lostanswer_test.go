package enginetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
)

// answerLimit is longer than any wait of these tests may take.
const answerLimit = 8 * time.Second

// ends returns the error of a call, which must end in time.
func ends(t *testing.T, call func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(answerLimit):
		t.Fatalf("the call has not ended after %v", answerLimit)
		return nil
	}
}

// wantUnknown checks an error of a change that may have been made.
func wantUnknown(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, sqlstore.ErrBusy) || !strings.Contains(err.Error(), "either made or not") {
		t.Errorf("got %v, want an error that is no ErrBusy and says that the change was either made or not", err)
	}
}

// awaitCount waits until a query has this number as its result.
func awaitCount(t *testing.T, pool *sql.DB, query string, want int) {
	t.Helper()
	got := -1
	for began := time.Now(); got != want; {
		if err := pool.QueryRow(query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) > answerLimit {
			t.Fatalf("%s: got %d, want %d", query, got, want)
		}
	}
}

func TestUnitAnAnswerWithoutItsEnd(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		db, l := p.lined(t, sqlstore.Config{TablePrefix: p.take(t), ReadTimeout: busyTimeout})
		store := opened(t, sqlstore.Knox, db)
		if _, err := store.Add(t.Context(), knoxToken("a"), 0, false, knox.Ending{At: moment}); err != nil {
			t.Fatal(err)
		}
		find := func() error { _, err := store.Find(t.Context(), "digest of a"); return err }
		if err := find(); err != nil { // prepares
			t.Fatal(err)
		}
		l.set(nil, func(answer []byte) int { return len(answer) - 1 }) // the row arrives
		if err := ends(t, find); !errors.Is(err, sqlstore.ErrNoAnswer) {
			t.Errorf("got %v, want ErrNoAnswer", err)
		}
		l.heal()
		if err := find(); err != nil {
			t.Errorf("the next read: %v", err)
		}
	})
}

func TestUnitAReadOfAChangeWithoutItsEnd(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		db, l := p.lined(t, sqlstore.Config{TablePrefix: p.take(t), BusyTimeout: busyTimeout})
		store := opened(t, sqlstore.OneTime, db)
		r := &password.OneTimeRecord{Digest: strings.Repeat("d", 64), UserID: strings.Repeat("u", 64), Purpose: "reset",
			Stamp: "1", Created: moment, ExpiresAt: moment.Add(time.Hour)}
		if err := store.Add(t.Context(), r, 1, moment); err != nil {
			t.Fatal(err)
		}
		redeem := func() error {
			_, err := store.Redeem(t.Context(), r.Digest, moment)
			return err
		}
		l.set(nil, func(answer []byte) int {
			if len(answer) < len(r.UserID) {
				return len(answer) // it has no row
			}
			return len(answer) - 1
		})
		if err := ends(t, redeem); err == nil {
			t.Error("got no error without the end of an answer")
		}
		l.heal()
		if verdict, err := store.Redeem(t.Context(), r.Digest, moment); verdict != password.OneTimeFirst || err != nil {
			t.Errorf("afterwards: got %v, %v, want that it is redeemed now", verdict, err)
		}
	})
}

func TestUnitAChangeOfOneStatement(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db, l := p.lined(t, sqlstore.Config{TablePrefix: prefix, BusyTimeout: busyTimeout})
		store := opened(t, sqlstore.JWTKeys, db)
		add := "INSERT INTO " + prefix + "jwt_keys (id, algorithm, sealed, created, signs) VALUES ('k', 'a', 's', 1, 1)"
		remove := func() error { _, err := store.Remove(t.Context(), "k"); return err }
		count := "SELECT COUNT(*) FROM " + prefix + "jwt_keys"
		t.Run("without an answer may have been made", func(t *testing.T) {
			must(t, db.Writer(), add)
			l.set(func(chunk []byte) fate {
				executes := bytes.Contains(chunk, []byte("DELETE"))
				if p.driver == "pgx" { // which prepares the statement first, and then sends Bind
					executes = chunk[0] == 'B'
				}
				if executes {
					return silent
				}
				return arrives
			}, nil)
			wantUnknown(t, ends(t, remove))
			l.heal()
			awaitCount(t, db.Reader(), count, 0)
		})
		t.Run("that waits for a lock may be made later", func(t *testing.T) {
			must(t, db.Writer(), add)
			holder := p.begin(t)
			must(t, holder, "SELECT id FROM "+prefix+"jwt_keys WHERE id = 'k' FOR UPDATE")
			wantUnknown(t, ends(t, remove))
			if err := holder.Rollback(); err != nil {
				t.Fatal(err)
			}
			if p.driver == "mysql" { // its server does not notice that the connection has ended
				awaitCount(t, db.Reader(), count, 0)
			}
		})
		t.Run("that has no connection is ErrBusy", func(t *testing.T) {
			defer takeAll(t, db.Writer())()
			if err := ends(t, remove); !errors.Is(err, sqlstore.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
		})
	})
}

func TestUnitAChangeWithoutTheAnswerToItsEnd(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db, l := p.lined(t, sqlstore.Config{TablePrefix: prefix, BusyTimeout: busyTimeout})
		opened(t, sqlstore.Knox, db)
		must(t, db.Writer(), "INSERT INTO "+prefix+"owners (user_id, generation) VALUES ('alice', 0)")
		count := func(conn interface {
			ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		}) error {
			_, err := conn.ExecContext(t.Context(), "UPDATE "+prefix+"owners SET generation = generation + 1")
			return err
		}
		generation := "SELECT generation FROM " + prefix + "owners"
		after := func(statement string, becomes fate) {
			l.set(func(chunk []byte) fate {
				if bytes.Contains(bytes.ToUpper(chunk), []byte(statement)) {
					return becomes
				}
				return arrives
			}, nil)
		}
		for name, becomes := range map[string]fate{"by a cut": cut, "behind a pooler": poolers} {
			t.Run("after BusyTimeout, "+name+", may have been made", func(t *testing.T) {
				must(t, db.Writer(), "UPDATE "+prefix+"owners SET generation = 0")
				wantUnknown(t, ends(t, func() error {
					return db.Update(t.Context(), func(conn *sql.Conn) error {
						over, cancel := context.WithTimeout(t.Context(), busyTimeout)
						defer cancel()
						<-over.Done()
						after("COMMIT", becomes)
						return count(conn)
					})
				}))
				l.heal()
				awaitCount(t, db.Reader(), generation, 1)
			})
		}
		t.Run("after the COMMIT was answered has been made", func(t *testing.T) {
			after("ROLLBACK", silent) // that of the driver of MySQL
			change := func(conn *sql.Conn) error { return count(conn) }
			if err := ends(t, func() error { return db.Update(t.Context(), change) }); err != nil {
				t.Errorf("got %v, want no error", err)
			}
			l.heal()
			awaitCount(t, db.Reader(), generation, 2)
		})
		t.Run("by the transaction that PostgreSQL has undone was not made", func(t *testing.T) {
			if p.driver != "pgx" {
				t.Skip("an error of a statement ends no transaction of MySQL")
			}
			err := db.Update(t.Context(), func(conn *sql.Conn) error {
				_, _ = conn.ExecContext(t.Context(), "SELECT 1/0")
				return nil
			})
			if err == nil || strings.Contains(err.Error(), "either made or not") {
				t.Errorf("got %v, want an error that leaves no doubt", err)
			}
		})
	})
}
