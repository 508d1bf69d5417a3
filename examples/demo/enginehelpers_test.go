package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/sqlstore"
)

// engine is a kind of database that several demos may share.
type engine struct {
	name    string
	address func(t *testing.T) string // of an empty database
	shared  func(testing.TB) *testserver.Server
	own     func(testing.TB) *testserver.Server
}

// servers are those with tables, and users with some rights on them.
var servers = []engine{
	{"PostgreSQL", func(t *testing.T) string { return testserver.PostgreSQL(t).Database(t).URL }, testserver.PostgreSQL,
		testserver.NewPostgreSQL},
	{"MariaDB", func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL }, testserver.MariaDB,
		testserver.NewMariaDB},
}

var engines = append([]engine{{name: "SQLite", address: func(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "demo.db")
}}, {name: "Redis", address: func(t *testing.T) string {
	node := testserver.Redis(t)
	return node.URL() + "?prefix=" + node.Prefix(t)
}}, {name: "Redis Cluster", address: func(t *testing.T) string {
	cluster := testserver.RedisCluster(t)
	return cluster.URL() + "?cluster=true&prefix=" + cluster.Prefix(t)
}}}, servers...)

// with returns the address for another user.
func with(t *testing.T, address, user, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// passwordOf returns the password of an address.
func passwordOf(address string) string {
	u, _ := url.Parse(address)
	password, _ := u.User.Password()
	return password
}

// execute runs statements as the administrator of a server.
func execute(ctx context.Context, address string, statements ...string) error {
	db, err := database.Open(ctx, address, sqlstore.Config{})
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Writer().ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// limitedUser makes a user with these rights on the tables of a database, and returns the address for this user.
func limitedUser(t *testing.T, address, rights string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	user, password := "limited_"+strings.TrimPrefix(database, "test_"), rand.Text()
	make := []string{"CREATE USER " + user + " PASSWORD '" + password + "'",
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"GRANT " + rights + " ON ALL TABLES IN SCHEMA public TO " + user}
	drop := []string{"DROP OWNED BY " + user, "DROP USER " + user}
	if u.Scheme == "mysql" {
		user += "@'127.0.0.1'"
		make = []string{"CREATE USER " + user + " IDENTIFIED BY '" + password + "'",
			"GRANT " + rights + " ON " + database + ".* TO " + user}
		drop = []string{"DROP USER " + user}
	}
	if err := execute(t.Context(), address, make...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execute(context.Background(), address, drop...); err != nil {
			t.Error(err)
		}
	})
	name, _, _ := strings.Cut(user, "@")
	return with(t, address, name, password)
}

// together returns the flags that two demos on one store have in common.
func together(t *testing.T, address string) []string {
	t.Helper()
	return []string{"-db", address, "-key", filepath.Join(t.TempDir(), "key"), "-issuer", "http://127.0.0.1:8000"}
}

// at is the same visitor at another demo.
func (v *visitor) at(p *program) *visitor { return &visitor{v.t, p, v.cookies, v.headers} }

// linesIn are the lines of a text that are not empty.
func linesIn(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}
