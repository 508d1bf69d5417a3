package enginetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/sqlstore"
)

// moment is an instant of these tests.
var moment = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// onServer is a test on an engine that is a server.
type onServer struct {
	*place
	prefix string
}

// onTables runs a test on PostgreSQL and on MariaDB with tables of its own.
func onTables(t *testing.T, test func(t *testing.T, s onServer)) {
	t.Helper()
	onServers(t, func(t *testing.T, p *place) { test(t, onServer{p, p.take(t)}) })
}

// db opens the tables of the test once more, as another program does.
func (s onServer) db(t *testing.T, busyTimeout time.Duration) *sqlstore.DB {
	t.Helper()
	return s.instance(t, sqlstore.Config{TablePrefix: s.prefix, BusyTimeout: busyTimeout})
}

func (s onServer) table(name string) string { return s.prefix + name }

func knoxToken(id string) *knox.Record {
	return &knox.Record{Digest: "digest of " + id, ID: id, UserID: "alice", Created: moment,
		ExpiresAt: moment.Add(time.Hour)}
}

// during runs change in a transaction of db, and runs meanwhile while the transaction waits to commit. meanwhile gets a
// function that lets it commit.
func during(t *testing.T, db *sqlstore.DB, change func(conn *sql.Conn) error, meanwhile func(commit func())) {
	t.Helper()
	changed, end := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		if err := db.Update(t.Context(), func(conn *sql.Conn) error {
			defer close(changed)
			if err := change(conn); err != nil {
				return err
			}
			changed <- struct{}{}
			<-end
			return nil
		}); err != nil {
			t.Errorf("Update: %v", err)
		}
	})
	<-changed
	commit := sync.OnceFunc(func() { close(end) })
	defer group.Wait()
	defer commit() // also after t.Fatal
	meanwhile(commit)
}

// untilOneWaits waits until a transaction waits for a row.
func (s onServer) untilOneWaits(t *testing.T) {
	t.Helper()
	pool := s.pool()
	defer pool.Close()
	for began := time.Now(); s.waiting(t, pool) == 0; {
		if time.Since(began) > 10*time.Second {
			t.Fatal("no transaction waits for a row")
		}
	}
}

func TestUnitAChangeWaitsNoLongerThanBusyTimeout(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		opened(t, sqlstore.Knox, db)
		hasty := s.db(t, 50*time.Millisecond)
		store := opened(t, sqlstore.Knox, hasty)
		add := func() error {
			_, err := store.Add(t.Context(), knoxToken("a"), 1, true, knox.Ending{At: moment})
			return err
		}
		during(t, db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "INSERT INTO "+s.table("owners")+
				" (user_id, generation) VALUES ('alice', 0)")
			return err
		}, func(commit func()) {
			defer commit()
			if err := add(); !errors.Is(err, sqlstore.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
		})
		err := add()
		for began := time.Now(); errors.Is(err, sqlstore.ErrBusy) && time.Since(began) < 10*time.Second; {
			err = add() // a machine that runs other tests may need more than 50 ms for a new connection
		}
		if err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestUnitAChangeThatClosesItsConnectionIsUndone(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		db.Writer().SetMaxOpenConns(2)
		store := opened(t, sqlstore.Knox, db)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := db.Update(ctx, func(conn *sql.Conn) error {
			if _, err := conn.ExecContext(t.Context(), "UPDATE "+s.table("schema")+" SET version = 99"); err != nil {
				return err
			}
			_ = conn.Close()
			return nil
		})
		if err == nil {
			t.Error("got no error of Update")
		}
		for _, id := range []string{"a", "b", "c"} {
			if _, err := store.Add(t.Context(), knoxToken(id), 0, false, knox.Ending{At: moment}); err != nil {
				t.Errorf("the next change: %v", err)
			}
		}
		other := s.db(t, 0)
		var changed, tokens int
		if err := errors.Join(
			other.Reader().QueryRow("SELECT COUNT(*) FROM "+s.table("schema")+" WHERE version = 99").Scan(&changed),
			other.Reader().QueryRow("SELECT COUNT(*) FROM "+s.table("knox_tokens")).Scan(&tokens),
		); err != nil || changed != 0 || tokens != 3 {
			t.Errorf("another program sees %d rows of the change and %d tokens, %v, want 0 and 3", changed, tokens, err)
		}
	})
}

func TestUnitAClientWithManyLoginsCanBeDisabled(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		store := opened(t, sqlstore.OAuth, s.db(t, 0))
		client := &server.Client{ID: "busy", Owner: "alice", Updated: moment}
		if added, err := store.AddClient(t.Context(), client, 0); err != nil || !added.OK() {
			t.Fatal(added, err)
		}
		var group sync.WaitGroup
		began := make(chan struct{}, 28)
		for i := range 14 {
			group.Go(func() {
				for n := 0; ; n++ {
					id := string(rune('a'+i)) + time.Duration(n).String()
					grant := &server.Grant{ID: id, ClientID: "busy", Created: moment, LastUsed: moment,
						ExpiresAt: moment.Add(time.Hour), MaxExpiresAt: moment.Add(time.Hour)}
					access := &server.Access{Digest: id, ID: id, GrantID: id, Issued: moment,
						ExpiresAt: moment.Add(time.Hour)}
					added, err := store.Start(t.Context(), grant, server.Tokens{Access: access}, 0, false)
					if n == 3 || err != nil {
						began <- struct{}{}
					}
					if err != nil {
						t.Error(err)
					}
					if err != nil || added.Refused {
						return
					}
				}
			})
		}
		for range 14 {
			<-began
		}
		disabled := *client
		disabled.Disabled, disabled.Updated = true, moment.Add(time.Minute)
		if ok, _, err := store.ChangeClient(t.Context(), &disabled, moment); err != nil || !ok {
			t.Errorf("got %v, %v, want the client disabled", ok, err)
		}
		group.Wait()
		if live, err := store.Grants(t.Context(), "", "", 10, moment); err != nil || len(live) != 0 {
			t.Errorf("%d grants are left, %v", len(live), err)
		}
	})
}

func TestUnitALimitCountsNoTokenThatIsEndingJustNow(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		store := opened(t, sqlstore.Knox, db)
		for _, id := range []string{"a", "b"} {
			if _, err := store.Add(t.Context(), knoxToken(id), 0, false, knox.Ending{At: moment}); err != nil {
				t.Fatal(err)
			}
		}
		during(t, db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "DELETE FROM "+s.table("knox_tokens")+" WHERE id = 'a'")
			return err
		}, func(commit func()) {
			var group sync.WaitGroup
			group.Go(func() {
				added, err := store.Add(t.Context(), knoxToken("c"), 2, true, knox.Ending{At: moment})
				if err != nil || len(added.Evicted) != 0 {
					t.Errorf("got %v, %v, want no token evicted", added.Evicted, err)
				}
			})
			s.untilOneWaits(t)
			commit()
			group.Wait()
		})
	})
}

func TestUnitAnIdentityThatIsBeingLinkedIsNotReserved(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		store := opened(t, sqlstore.External, db)
		reservation := &external.Reservation{ID: "r1", Issuer: "issuer", Subject: "subject",
			ExpiresAt: moment.Add(time.Hour)}
		if id, _, err := store.Reserve(t.Context(), reservation, moment); err != nil || id != "r1" {
			t.Fatal(id, err)
		}
		identity := &external.Identity{ID: "i", UserID: "alice", Issuer: "issuer", Subject: "subject"}
		during(t, db, func(conn *sql.Conn) error {
			_, linked, err := store.ConfirmIn(t.Context(), conn, "r1", identity, moment)
			if !linked {
				t.Error("not linked")
			}
			return err
		}, func(commit func()) {
			var group sync.WaitGroup
			group.Go(func() {
				late := *reservation
				late.ID = "r2"
				if id, owner, err := store.Reserve(t.Context(), &late, moment); err != nil || id != "" ||
					owner != "alice" {
					t.Errorf("got %q, %q, %v, want the owner alice", id, owner, err)
				}
			})
			s.untilOneWaits(t)
			commit()
			group.Wait()
		})
	})
}

func TestUnitStoresOpenAtOnceWithTwoConnections(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		db.Writer().SetMaxOpenConns(2)
		var group sync.WaitGroup
		for _, open := range []func() error{
			func() error { _, err := sqlstore.Knox(t.Context(), db); return err },
			func() error { _, err := sqlstore.Sessions(t.Context(), db); return err },
			func() error { _, err := sqlstore.OAuth(t.Context(), db); return err },
		} {
			group.Go(func() {
				if err := open(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}

func TestUnitSettingsOfMySQLThatBreakThePromises(t *testing.T) {
	database := testserver.MariaDB(t).Database(t)
	for setting, says := range map[string]string{
		"autocommit=0": "autocommit", "charset=latin1": "latin1", "sql_mode=%27%27": "sql_mode",
		"sql_mode=%27STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL%27": "EMPTY_STRING_IS_NULL",
	} {
		t.Run(setting+" is refused", func(t *testing.T) {
			separator := "?"
			if strings.Contains(database.DSN, "?") {
				separator = "&"
			}
			pool, err := sql.Open("mysql", database.DSN+separator+setting)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			if _, err := sqlstore.NewMySQL(t.Context(), pool, sqlstore.Config{}); err == nil ||
				!strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want an error that says %s", err, says)
			}
		})
	}
}

// leaky is a driver that shows the DSN in its errors, as lib/pq does if it cannot parse one.
type leaky struct{}

func (leaky) Connect(context.Context) (driver.Conn, error) {
	_, err := url.Parse(strings.Replace("postgres://app:se?cret@db.example/app", "?", "%", 1))
	return nil, err
}

func (leaky) Driver() driver.Driver { return nil }

func TestUnitAPasswordReachesNoError(t *testing.T) {
	pool := sql.OpenDB(leaky{})
	defer pool.Close()
	_, err := sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{})
	if err == nil || strings.Contains(err.Error(), "cret") || !strings.Contains(err.Error(), "DSN") {
		t.Errorf("got %q, want an error about the DSN without its password", err)
	}
}

// shown is a driver whose connections fail with a text.
type shown string

func (s shown) Connect(context.Context) (driver.Conn, error) { return nil, errors.New(string(s)) }
func (shown) Driver() driver.Driver                          { return nil }

func TestUnitNoErrorShowsADSN(t *testing.T) {
	for _, text := range []string{
		"cannot parse `password=my hunter2 user=app`: missing \"=\" after \"hunter2\"",
		"missing \"=\" after \"hunter2\" in connection info string",
		"failed to connect to `user=root database=hunter2@127.0.0.1/x`: hostname resolving error",
		`pq: database "hunter2@127.0.0.1/x" does not exist`,
	} {
		t.Run(text, func(t *testing.T) {
			pool := sql.OpenDB(shown(text))
			defer pool.Close()
			_, err := sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{})
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "DSN") {
				t.Errorf("got %q, want an error about the DSN without its password", err)
			}
		})
	}
	t.Run("a user with an at sign is no part of a password", func(t *testing.T) {
		pool := sql.OpenDB(shown("failed to connect to `user=app@server database=app`: connection refused"))
		defer pool.Close()
		_, err := sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{})
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %q, want the cause", err)
		}
	})
}

func TestUnitAChangeThatTakesLongKeepsItsOwnError(t *testing.T) {
	own := errors.New("refused by the application")
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 50*time.Millisecond)
		opened(t, sqlstore.Knox, s.db(t, 0))
		err := db.Update(t.Context(), func(conn *sql.Conn) error {
			for began := time.Now(); time.Since(began) < 60*time.Millisecond; {
				if _, err := conn.ExecContext(t.Context(), "SELECT 1"); err != nil {
					return err
				}
			}
			return own
		})
		if !errors.Is(err, own) || errors.Is(err, sqlstore.ErrBusy) {
			t.Errorf("got %v, want the error of the change alone", err)
		}
	})
}

func TestUnitAChangeReplacesAConnectionThatTheServerClosed(t *testing.T) {
	onTables(t, func(t *testing.T, s onServer) {
		db := s.db(t, 0)
		db.Writer().SetMaxOpenConns(1)
		id, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
		if s.name == "MariaDB" {
			id, end = "SELECT CONNECTION_ID()", "KILL %d"
		}
		var n int
		if err := db.Reader().QueryRow(id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		must(t, s.db(t, 0).Writer(), fmt.Sprintf(end, n))
		ran := 0
		if err := db.Update(t.Context(), func(conn *sql.Conn) error {
			ran++
			_, err := conn.ExecContext(t.Context(), "SELECT 1")
			return err
		}); err != nil || ran != 1 {
			t.Errorf("got %v after %d runs, want one run without an error", err, ran)
		}
	})
}

// TestUnitAMigrationWaitsLongerThanALockMay holds the row of the lock until the server has ended the wait for it once.
func TestUnitAMigrationWaitsLongerThanALockMay(t *testing.T) {
	mariadb := *engines[2]
	mariadb.options = "?innodb_lock_wait_timeout=1"
	p := mariadb.place(t)
	s := onServer{p, p.take(t)}
	db := s.db(t, 0)
	opened(t, sqlstore.Throttle, db)
	must(t, db.Writer(), "DELETE FROM "+s.table("schema")+" WHERE component = 'onetime'")
	must(t, db.Writer(), "DROP TABLE IF EXISTS "+s.table("onetime"))
	asked := make(chan struct{}, 16)
	p.tap.listen(func(query string, _ []driver.NamedValue) {
		if strings.Contains(query, "component = 'lock' FOR UPDATE") {
			asked <- struct{}{}
		}
	})
	defer p.tap.listen(nil)
	during(t, db, func(conn *sql.Conn) error {
		err := conn.QueryRowContext(t.Context(), "SELECT component FROM "+s.table("schema")+
			" WHERE component = 'lock' LOCK IN SHARE MODE").Scan(new(string))
		return err
	}, func(commit func()) {
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := sqlstore.OneTime(t.Context(), s.db(t, 0)); err != nil {
				t.Errorf("the migration that waits: %v", err)
			}
			close(asked)
		})
		<-asked
		<-asked // again, after the server ended the first wait
		commit()
		group.Wait()
	})
}
