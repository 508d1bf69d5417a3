package pgnotify_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
	"github.com/jackc/pgx/v5"
)

const secret = "hunter2-is-secret"

// changed returns a DSN with something else in it.
func changed(t *testing.T, dsn string, change func(u *url.URL)) string {
	t.Helper()
	u := must[*url.URL](t)(url.Parse(dsn))
	change(u)
	return u.String()
}

// closedPort returns an address at which no server is.
func closedPort(t *testing.T) string {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	return listener.Addr().String()
}

func TestUnitAFaultIsNamedWithoutThePassword(t *testing.T) {
	dsn := database(t)
	for name, row := range map[string]struct{ dsn, want string }{
		"a wrong password": {changed(t, dsn, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), secret) }),
			"password authentication failed"},
		"no such database": {changed(t, dsn, func(u *url.URL) { u.Path = "/none" }), `"none" does not exist`},
		"an unreachable host": {changed(t, dsn, func(u *url.URL) {
			u.Host, u.User = closedPort(t), url.UserPassword("app", secret)
		}), "refused"},
		"a password with a slash that is not escaped": {"postgres://app:12/" + secret + "@127.0.0.1/x",
			"Config.DSN cannot be read"},
		"a DSN that is none":        {"postgres://app:" + secret + "@[::1/x", "Config.DSN cannot be read"},
		"a DSN with a broken value": {"postgres://app:" + secret + "%zz@127.0.0.1/x", "Config.DSN cannot be read"},
		"a DSN of words":            {"host=127.0.0.1 password=" + secret + " port=none", "Config.DSN cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			log, h := &lines{}, newHeard()
			_, err := pgnotify.Listen(t.Context(), pgnotify.Config{DSN: row.dsn, Channel: channel,
				Caches: []cached.Cache{h}, Logger: slog.New(slog.NewTextHandler(log, nil))})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if err != nil && strings.Contains(err.Error()+log.String(), secret) {
				t.Errorf("the password is in %v or in the log:\n%s", err, log)
			}
			if n := len(h.events); n%2 != 0 {
				t.Errorf("got %d events, want that each suspension is over", n)
			}
		})
	}
	t.Run("a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := pgnotify.Listen(ctx, pgnotify.Config{DSN: dsn, Channel: channel, Caches: []cached.Cache{newHeard()}})
		if err == nil {
			t.Error("got no error")
		}
	})
}

func TestUnitABadConfigIsAnError(t *testing.T) {
	caches := []cached.Cache{newHeard()}
	const dsn = "postgres://127.0.0.1/x"
	for want, config := range map[string]pgnotify.Config{
		"either Config.DSN or Config.Conn": {Channel: channel, Caches: caches},
		"set either Config.DSN or":         {Channel: channel, Caches: caches, DSN: dsn, Conn: &pgx.ConnConfig{}},
		`Config.Channel is ""`:             {Caches: caches, DSN: dsn},
		"Config.Channel is \"A\"":          {Channel: "A", Caches: caches, DSN: dsn},
		"Config.Caches is empty":           {Channel: channel, DSN: dsn},
		"Config.Caches[0] is nil":          {Channel: channel, DSN: dsn, Caches: []cached.Cache{nil}},
		"Config.Ping is -1ns":              {Channel: channel, DSN: dsn, Caches: caches, Ping: -1},
	} {
		if _, err := pgnotify.Listen(t.Context(), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestUnitAChannelThatCannotBeUsedIsRefused(t *testing.T) {
	pool := must[*sql.DB](t)(sql.Open("pgx", "postgres://127.0.0.1/x"))
	defer pool.Close()
	for _, bad := range []string{"A", "a-b", `a"b`, strings.Repeat("a", 64)} {
		_, err := sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{NotifyChannel: bad})
		if err == nil || !strings.Contains(err.Error(), "Config.NotifyChannel") {
			t.Errorf("%q: got %v, want that it is refused", bad, err)
		}
	}
	_, inMySQL := sqlstore.NewMySQL(t.Context(), pool, sqlstore.Config{NotifyChannel: channel})
	_, inSQLite := sqlstore.NewSQLite(pool, sqlstore.Config{NotifyChannel: channel})
	for engine, err := range map[string]error{"MySQL": inMySQL, "SQLite": inSQLite} {
		if err == nil || !strings.Contains(err.Error(), "only PostgreSQL has notifications") {
			t.Errorf("%s: got %v, want that it is refused", engine, err)
		}
	}
}
