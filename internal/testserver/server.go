// Package testserver gives tests a real PostgreSQL, MariaDB, Redis and Redis Cluster.
//
// The first test of a process that asks for a server starts it, and all tests of the process share it. Each of them
// takes a database of its own, or a prefix for its keys in Redis:
//
//	import _ "github.com/jackc/pgx/v5/stdlib" // the driver, which [Server.Database] uses too
//
//	func TestStore(t *testing.T) {
//		pool, err := sql.Open("pgx", testserver.PostgreSQL(t).Database(t).DSN)
//		...
//	}
//
// A server listens on a free port of 127.0.0.1 and keeps its files in a temporary folder. It ends with the process of
// the tests, however that ends, and its folder goes with it. If the process is root's, the server runs as nobody.
//
// These variables of the environment name servers that run already. The package then starts no other of the kind, but
// NewRedis and NewRedisCluster always start their own.
//
//   - GATEWARDEN_POSTGRES_URL is postgres://user:password@host:port/database
//   - GATEWARDEN_MYSQL_URL is mysql://user:password@host:port/database
//   - GATEWARDEN_REDIS_URL is redis://user:password@host:port/0, or rediss://… for TLS
//   - GATEWARDEN_REDIS_CLUSTER_URL is the same for one node of a Cluster
//
// The user must have the right to create databases, and every right in Redis. If there is no server at all, the test is
// skipped, or fails if GATEWARDEN_REQUIRE_SERVICES is set.
//
// The package does not clean tables, and it knows nothing of stores.
package testserver

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
)

// Server is a PostgreSQL or MariaDB. Its methods may be called by several tests at once, but Stop, Kill and Start
// disturb the others: use them on a server of NewPostgreSQL or NewMariaDB.
type Server struct {
	control
	admin *url.URL // the user may create databases
	pool  func() (*sql.DB, error)
}

var (
	sharedPostgreSQL = sync.OnceValues(func() (*Server, error) { return open(postgreSQL) })
	sharedMariaDB    = sync.OnceValues(func() (*Server, error) { return open(mariaDB) })
)

// PostgreSQL returns the PostgreSQL that all tests of this process share.
func PostgreSQL(t testing.TB) *Server {
	t.Helper()
	return require(t, sharedPostgreSQL)
}

// MariaDB returns the MariaDB that all tests of this process share. If it is the server of GATEWARDEN_MYSQL_URL, it may
// be a MySQL.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return require(t, sharedMariaDB)
}

// NewPostgreSQL starts a PostgreSQL for this test only, which ends with it.
func NewPostgreSQL(t testing.TB) *Server {
	t.Helper()
	return own(t, postgreSQL)
}

// NewMariaDB starts a MariaDB for this test only, which ends with it.
func NewMariaDB(t testing.TB) *Server {
	t.Helper()
	return own(t, mariaDB)
}

// own starts a server that ends with the test.
func own(t testing.TB, e engine) *Server {
	t.Helper()
	s := require(t, func() (*Server, error) { return open(e) })
	t.Cleanup(func() {
		if pool, err := s.pool(); err == nil {
			_ = pool.Close()
		}
		if s.daemon != nil {
			s.daemon.close()
		}
	})
	return s
}

// errMissing is that this machine has no program of the server. Its text says what to install.
var errMissing = errors.New("no server")

// require returns the server that open gives, and skips or fails the test without one.
func require[S any](t testing.TB, open func() (S, error)) S {
	t.Helper()
	s, err := open()
	switch {
	case err == nil:
		return s
	case errors.Is(err, errMissing) && os.Getenv("GATEWARDEN_REQUIRE_SERVICES") == "":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return s
}

// open finds the server of the environment, or starts one.
func open(e engine) (*Server, error) {
	s := &Server{control: control{engine: e}}
	s.pool = sync.OnceValues(s.openPool)
	if text := os.Getenv(e.variable); text != "" {
		admin, err := url.Parse(text)
		if err != nil || admin.Host == "" {
			return nil, fmt.Errorf("%s is no address such as %s://user:password@host:port/database", e.variable,
				e.scheme)
		}
		s.admin = admin
		return s, nil
	}
	daemon, admin, err := startDaemon(e)
	if err != nil {
		return nil, err
	}
	s.daemon, s.admin = daemon, admin
	return s, nil
}
