package testserver

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Database is the address of a database that one test has for itself.
type Database struct {
	// URL is postgres://user:password@host:port/name?sslmode=disable or mysql://user:password@host:port/name.
	URL string

	// DSN is what the driver takes: the URL for pgx and lib/pq, user:password@tcp(host:port)/name for
	// go-sql-driver/mysql.
	DSN string
}

// Database creates an empty database, and drops it after the test. It uses a driver that the test has imported: pgx
// ("pgx") or lib/pq ("postgres") for PostgreSQL, go-sql-driver/mysql ("mysql") for MariaDB.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:16])
	s.exec(t, fmt.Sprintf(s.engine.createDatabase, name))
	t.Cleanup(func() {
		if s.reachable() {
			s.exec(t, fmt.Sprintf(s.engine.dropDatabase, name))
		}
	})
	return s.address(name)
}

// Admin returns the address of a database that always exists, for a user with every right.
func (s *Server) Admin() Database {
	return s.address(strings.TrimPrefix(s.admin.Path, "/"))
}

// Version returns what the server says of its version, such as "15.18 (Debian 15.18-0+deb12u1)" or "10.11.19-MariaDB".
func (s *Server) Version(t testing.TB) string {
	t.Helper()
	pool, err := s.pool()
	if err != nil {
		t.Fatal(err)
	}
	var version string
	if err := pool.QueryRowContext(t.Context(), s.engine.version).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// address returns the address of a database of this server.
func (s *Server) address(name string) Database {
	u := *s.admin
	u.Path = "/" + name
	return Database{URL: u.String(), DSN: s.engine.dsn(&u)}
}

// exec runs a statement as the administrator. The context of the test is over in its clean-up, so it is not used.
func (s *Server) exec(t testing.TB, statement string) {
	t.Helper()
	pool, err := s.pool()
	if err == nil {
		_, err = pool.Exec(statement)
	}
	if err != nil {
		t.Errorf("%s: %s: %v", s.engine.name, statement, err)
	}
}

// openPool opens the pool of the administrator.
func (s *Server) openPool() (*sql.DB, error) {
	registered := sql.Drivers()
	for _, name := range s.engine.drivers {
		if slices.Contains(registered, name) {
			pool, err := sql.Open(name, s.Admin().DSN)
			if err == nil {
				pool.SetMaxOpenConns(4)
				pool.SetMaxIdleConns(-1) // or those of a server that was killed fail after its next start
			}
			return pool, err
		}
	}
	return nil, fmt.Errorf("the test imports no driver for %s: one of %v", s.engine.name, s.engine.drivers)
}

// urlDSN is the form of drivers that take a URL.
func urlDSN(u *url.URL) string { return u.String() }

// mysqlDSN is the form of go-sql-driver/mysql, which decodes nothing but the parameters.
func mysqlDSN(u *url.URL) string {
	password, _ := u.User.Password()
	dsn := u.User.Username() + ":" + password + "@tcp(" + u.Host + ")" + u.Path
	if u.RawQuery != "" {
		dsn += "?" + u.RawQuery
	}
	return dsn
}
