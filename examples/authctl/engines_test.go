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
}

// onServer is an empty database of a server.
func onServer(t *testing.T, s *testserver.Server) file {
	return file{t: t, path: filepath.Join(t.TempDir(), "demo"), server: s.Database(t).URL}
}
