package main

import (
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
)

// engines are the kinds of databases, each with a database that the demo has not used or a file that it made.
var engines = []struct {
	name string
	file func(t *testing.T) file
}{
	{"SQLite", newFile},
	{"PostgreSQL", func(t *testing.T) file { return onServer(t, testserver.PostgreSQL(t)) }},
	{"MariaDB", func(t *testing.T) file { return onServer(t, testserver.MariaDB(t)) }},
	{"Redis", func(t *testing.T) file {
		node := testserver.Redis(t)
		return at(t, node.URL()+"?prefix="+node.Prefix(t))
	}},
	{"Redis Cluster", func(t *testing.T) file {
		cluster := testserver.RedisCluster(t)
		return at(t, cluster.URL()+"?cluster=true&prefix="+cluster.Prefix(t))
	}},
}

// onServer is an empty database of a server.
func onServer(t *testing.T, s *testserver.Server) file {
	return at(t, s.Database(t).URL)
}

// at is what an address names.
func at(t *testing.T, address string) file {
	return file{t: t, path: filepath.Join(t.TempDir(), "demo"), server: address}
}
