package redisstore

import (
	"log/slog"
	"testing"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/internal/testserver"
)

// place of a test: one server or a Cluster.
type testRedis struct {
	option rueidis.ClientOption
	prefix string
}

// onNode is a place on the server that tests share.
func onNode(t testing.TB) testRedis {
	t.Helper()
	node := testserver.Redis(t)
	return testRedis{optionOf(t, node), node.Prefix(t)}
}

// onCluster is a place on the Cluster that tests share.
func onCluster(t testing.TB) testRedis {
	t.Helper()
	cluster := testserver.RedisCluster(t)
	option, err := rueidis.ParseURL(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	option.InitAddress = cluster.Addresses()
	return testRedis{option, cluster.Prefix(t)}
}

// optionOf returns how to connect to a server.
func optionOf(t testing.TB, node *testserver.Node) rueidis.ClientOption {
	t.Helper()
	option, err := rueidis.ParseURL(node.URL())
	if err != nil {
		t.Fatal(err)
	}
	if node.TLS() != nil {
		option.TLSConfig = node.TLS()
	}
	return option
}

// open opens an instance. Without a prefix in config, it is that of the place.
func (p testRedis) open(t testing.TB, config Config) *DB {
	t.Helper()
	if config.Prefix == "" {
		config.Prefix = p.prefix
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := Open(t.Context(), p.option, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// pair opens two instances on the same keys.
func (p testRedis) pair(t testing.TB, config Config) (first, second *DB) {
	t.Helper()
	return p.open(t, config), p.open(t, config)
}

// openTest opens an instance on the server that tests share, with a prefix of its own.
func openTest(t testing.TB, config Config) *DB {
	t.Helper()
	return onNode(t).open(t, config)
}

// pairOf opens two instances on the same keys of that server.
func pairOf(t testing.TB, config Config) (first, second *DB) {
	t.Helper()
	return onNode(t).pair(t, config)
}
