package faults

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/sqlstore"
)

// readOnly is an engine that can be told to take no changes.
type readOnly struct {
	name  string
	start func(t testing.TB) (address string, begin, end func())
	says  string // the reason in the log, as a regular expression
}

var readOnlys = []readOnly{
	{name: "PostgreSQL (default_transaction_read_only)", says: `PostgreSQL takes no changes`,
		start: func(t testing.TB) (string, func(), func()) {
			s := testserver.NewPostgreSQL(t)
			set := func(value string) func() {
				return func() {
					execute(t, "pgx", s.Admin().DSN, "ALTER SYSTEM SET default_transaction_read_only = "+value)
					execute(t, "pgx", s.Admin().DSN, "SELECT pg_reload_conf()")
				}
			}
			return s.Database(t).URL, set("on"), set("off")
		}},
	{name: "MariaDB (read_only)", says: `MySQL takes no changes`, start: func(t testing.TB) (string, func(), func()) {
		s := testserver.NewMariaDB(t)
		database := s.Database(t)
		u, err := url.Parse(database.URL)
		if err != nil {
			t.Fatal("the address of the database cannot be read")
		}
		admin := func(statement string) { execute(t, "mysql", s.Admin().DSN, statement) }
		// An administrator may write all the same.
		admin("CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 'app'")
		admin("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP ON " +
			strings.TrimPrefix(u.Path, "/") + ".* TO 'app'@'127.0.0.1'")
		u.User = url.UserPassword("app", "app")
		return u.String(), func() { admin("SET GLOBAL read_only = ON") }, func() { admin("SET GLOBAL read_only = OFF") }
	}},
	{name: "Redis (a replica)", says: `READONLY`, start: func(t testing.TB) (string, func(), func()) {
		n := testserver.NewRedis(t)
		return newRedis(n, t).address,
			func() { n.Do(t, "REPLICAOF", "127.0.0.1", "1") }, // where no server is
			func() { n.Do(t, "REPLICAOF", "NO", "ONE") }
	}},
}

// TestUnitReadOnly has servers that take no changes for a while.
func TestUnitReadOnly(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, e := range readOnlys {
		all.Go(func() {
			t.Run(e.name+": checks go on while the database takes no changes", func(t *testing.T) { e.test(t) })
		})
	}
	all.Wait()
}

func (e readOnly) test(t *testing.T) {
	address, begin, end := e.start(t)
	a := newApp(t, address, 5*time.Second)
	k := &kept{app: a}
	for i := range 8 {
		await(t, "a login", func() bool { return k.login(fmt.Sprint("user", i)) == http.StatusOK })
	}
	k.logout(0)
	k.refused = 0
	begin()
	await(t, "the server takes no changes", func() bool { k.logout(0); return k.refused > 0 || len(k.live) < 3 })
	for i := range 4 {
		if status := k.login(fmt.Sprint("more", i)); status != http.StatusServiceUnavailable {
			t.Errorf("a login is answered with %d, want 503", status)
		}
	}
	k.holds("while the database takes no changes", false)
	_, purged := a.tokens.Purge(t.Context(), 100)
	if !regexp.MustCompile(e.says).MatchString(a.log.text()) {
		t.Errorf("the log has no reason like %q\n%s", e.says, a.log.tail())
	}
	end()
	began := time.Now()
	await(t, "a login: "+a.log.tail(), func() bool { return k.login("later") == http.StatusOK })
	well := time.Since(began)
	if well > healLimit {
		t.Errorf("a login works %v after the database takes changes, want at most %v", well, healLimit)
	}
	k.logout(0)
	k.holds("when the database takes changes again", false)
	await(t, "a purge", func() bool { _, err := a.tokens.Purge(t.Context(), 100); return err == nil })
	a.usesWritten()
	report.add("read-only", e.name, len(k.live)+len(k.ended)+k.refused, k.refused, 0, round(well), "", 0, 0,
		fmt.Sprintf("a purge meanwhile: %v", purged))
}

// TestUnitReadOnlyFile opens a file of SQLite on a disk that takes no changes, which no file can have for the program.
func TestUnitReadOnlyFile(t *testing.T) {
	t.Run("a SQLite file on a disk without changes is refused with the reason, and works when that is over",
		func(t *testing.T) {
			d := newDisk(t, t.TempDir(), 4)
			path := filepath.Join(d.folder, "faults.db")
			open := func() (*sqlstore.DB, error) {
				return sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{BusyTimeout: 2 * time.Second})
			}
			db, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlstore.Knox(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			run(t, "mount", "-o", "remount,ro", d.folder)
			if _, err := os.Stat(path); err != nil {
				t.Fatal(err)
			}
			if db, err = open(); err == nil {
				_ = db.Close()
				t.Error("the file is opened, want an error")
			} else if !regexp.MustCompile("read-?only").MatchString(err.Error()) {
				t.Errorf("got the error %q, want one that says read-only", err)
			}
			run(t, "mount", "-o", "remount,rw", d.folder)
			if db, err = open(); err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
		})
}
