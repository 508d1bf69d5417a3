package enginetest

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth/internal/testserver"
)

// openPool opens a database by its driver. The pool ends with the test.
func openPool(t testing.TB, driver string, database testserver.Database) *sql.DB {
	t.Helper()
	pool, err := sql.Open(driver, database.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// servers are the database servers of the tests.
var servers = []struct {
	name, driver string
	shared, own  func(testing.TB) *testserver.Server
}{
	{"PostgreSQL", "pgx", testserver.PostgreSQL, testserver.NewPostgreSQL},
	{"MariaDB", "mysql", testserver.MariaDB, testserver.NewMariaDB},
}

func TestUnitServers(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name+" gives each test a database of its own", func(t *testing.T) {
			s := server.shared(t)
			first := openPool(t, server.driver, s.Database(t))
			second := openPool(t, server.driver, s.Database(t))
			for _, pool := range []*sql.DB{first, second} {
				for _, statement := range []string{"CREATE TABLE things (name VARCHAR(40))",
					"INSERT INTO things VALUES ('naïve 🐘')"} {
					if _, err := pool.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				var name string
				if err := pool.QueryRowContext(t.Context(), "SELECT name FROM things").Scan(&name); err != nil ||
					name != "naïve 🐘" {
					t.Errorf("one row with naïve 🐘 was written, and %q was read: %v", name, err)
				}
			}
			if version := s.Version(t); !strings.Contains(version, ".") {
				t.Errorf("the version is %q", version)
			}
		})

		t.Run(server.name+" keeps its data and its port when it is stopped, killed and started", func(t *testing.T) {
			s := server.own(t)
			pool := openPool(t, server.driver, s.Database(t))
			if _, err := pool.ExecContext(t.Context(), "CREATE TABLE things (name VARCHAR(40))"); err != nil {
				t.Fatal(err)
			}
			for _, end := range []func(testing.TB){s.Stop, s.Kill, s.Kill} {
				end(t)
				if err := pool.PingContext(t.Context()); err == nil {
					t.Error("the server was ended, and still answers")
				}
				s.Start(t)
				if _, err := pool.ExecContext(t.Context(), "INSERT INTO things VALUES ('a')"); err != nil {
					t.Errorf("the server was started again: %v", err)
				}
			}
		})
	}
}
