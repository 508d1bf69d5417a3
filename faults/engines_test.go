package faults

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewarden/auth/faults/internal/proxy"
	"github.com/gatewarden/auth/internal/testserver"
)

// engine is a kind of database that instances stand on.
type engine struct {
	name string

	// shared gives an empty database on a server that other tests use too. It must not be killed.
	shared func(t testing.TB) *server

	// own starts a server for this test, which keeps what it has acknowledged when it is killed. It is nil for SQLite,
	// which has no server.
	own func(t testing.TB) *server
}

// server is a database, and what a test can do to it.
type server struct {
	engine  string
	address string // what the flag -db of the demo names

	// kill ends the server by SIGKILL, and start starts it again. Of a Redis Cluster it is one node.
	kill, start func(t testing.TB)

	nodes []string // host:port, of which a Redis Cluster has several
}

// engines are all that the demo knows.
var engines = []engine{
	{name: "SQLite", shared: newSQLite},
	{name: "PostgreSQL", own: newPostgreSQL, shared: func(t testing.TB) *server {
		return newSQL("PostgreSQL", testserver.PostgreSQL(t), t)
	}},
	{name: "MariaDB", own: newMariaDB, shared: func(t testing.TB) *server {
		return newSQL("MariaDB", testserver.MariaDB(t), t)
	}},
	{name: "Redis", shared: func(t testing.TB) *server { return newRedis(testserver.Redis(t), t) },
		own: func(t testing.TB) *server { return newRedis(testserver.NewRedis(t, testserver.RedisAOF()), t) }},
	{name: "Redis Cluster", shared: func(t testing.TB) *server { return newCluster(testserver.RedisCluster(t), t) },
		own: func(t testing.TB) *server {
			return newCluster(testserver.NewRedisCluster(t, testserver.RedisAOF()), t)
		}},
}

// onEach runs a test on each engine, all of them beside each other.
func onEach(t *testing.T, sentence string, test func(t *testing.T, e engine)) {
	t.Parallel()
	for _, e := range engines {
		t.Run(sentence+": "+e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

// onEachServer is onEach without SQLite, which has no server and no network.
func onEachServer(t *testing.T, sentence string, test func(t *testing.T, e engine)) {
	t.Parallel()
	for _, e := range engines {
		if e.own == nil {
			continue
		}
		t.Run(sentence+": "+e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

// isRedis reports whether instances keep in memory what they read, and are told of changes a moment after them.
func (s *server) isRedis() bool { return strings.HasPrefix(s.engine, "Redis") }

func newSQLite(t testing.TB) *server {
	return &server{engine: "SQLite", address: "sqlite:" + filepath.Join(t.TempDir(), "demo.db")}
}

func newSQL(name string, s *testserver.Server, t testing.TB) *server {
	address := s.Database(t).URL
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the address of the database cannot be read")
	}
	return &server{engine: name, address: address, kill: s.Kill, start: s.Start, nodes: []string{u.Host}}
}

// newPostgreSQL starts a server that puts commits into the hands of the system when they are acknowledged. A database
// of testserver is faster, and loses its last commits when it is killed.
func newPostgreSQL(t testing.TB) *server {
	s := testserver.NewPostgreSQL(t)
	execute(t, "pgx", s.Admin().DSN, "ALTER ROLE CURRENT_USER SET synchronous_commit = on")
	return newSQL("PostgreSQL", s, t)
}

// newMariaDB is newPostgreSQL for MariaDB, which takes the setting anew at each start.
func newMariaDB(t testing.TB) *server {
	s := testserver.NewMariaDB(t)
	durable := func(t testing.TB) {
		execute(t, "mysql", s.Admin().DSN, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
	}
	durable(t)
	started := newSQL("MariaDB", s, t)
	started.start = func(t testing.TB) {
		s.Start(t)
		durable(t)
	}
	return started
}

// execute runs a statement on a connection of its own.
func execute(t testing.TB, driver, dsn, statement string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func newRedis(n *testserver.Node, t testing.TB) *server {
	return &server{engine: "Redis", address: n.URL() + "?prefix=" + n.Prefix(t), kill: n.Kill, start: n.Start,
		nodes: []string{n.Address()}}
}

// newCluster is a Cluster of which the second node is killed. The first one is named by the address, and the others are
// found.
func newCluster(c *testserver.Cluster, t testing.TB) *server {
	node := c.Nodes()[1]
	return &server{engine: "Redis Cluster", address: c.URL() + "?cluster=true&prefix=" + c.Prefix(t),
		kill: node.Kill, start: func(t testing.TB) { node.Start(t); c.WaitOK(t) }, nodes: c.Addresses()}
}

// network is all that one instance reaches its server through.
type network []*proxy.Proxy

// through returns an address that leads to the server through proxies of its own.
func (s *server) through(t testing.TB) (address string, n network) {
	t.Helper()
	u, err := url.Parse(s.address)
	if err != nil || len(s.nodes) == 0 {
		t.Fatalf("%s has no address for a proxy", s.engine)
	}
	for _, node := range s.nodes {
		n = append(n, proxy.New(t, node))
	}
	for i, node := range s.nodes {
		if u.Host == node {
			u.Host = n[i].Address()
			break
		}
	}
	n.replacePorts(s.nodes)
	return u.String(), n
}

// replacePorts has the nodes of a Cluster name the proxies in front of each other.
func (n network) replacePorts(nodes []string) {
	if len(nodes) < 2 {
		return
	}
	for _, p := range n {
		for i, node := range nodes {
			p.Replace(":"+portOf(node)+"\r\n", ":"+portOf(n[i].Address())+"\r\n")
		}
	}
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

func (n network) each(do func(p *proxy.Proxy)) {
	for _, p := range n {
		do(p)
	}
}

// hold stops the network, and resume ends that. See [proxy.Proxy].
func (n network) hold()   { n.each((*proxy.Proxy).Hold) }
func (n network) resume() { n.each((*proxy.Proxy).Resume) }
func (n network) cut()    { n.each((*proxy.Proxy).Cut) }
