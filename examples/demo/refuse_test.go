package main

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

// TestUnitDatabasesThatAreRefused starts demos that must say in one line why they do not start. The log may have warned
// of settings of the server before.
func TestUnitDatabasesThatAreRefused(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	want := func(t *testing.T, address, password, says string, more ...string) {
		t.Helper()
		text := refuses(t, append([]string{"-db", address, "-key", key}, more...)...)
		lines := linesIn(text)
		said := slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "level=WARN") })
		if len(said) != 1 || !strings.HasPrefix(said[0], "demo: ") || !strings.Contains(said[0], says) {
			t.Errorf("got %q, want one line with %q", text, says)
		}
		if password != "" && strings.Contains(text, password) {
			t.Errorf("the password is in %q", text)
		}
	}
	for name, address := range map[string]string{
		"another engine":               "oracle://app:Secret@db/app",
		"the form of a driver":         "app:Secret@tcp(127.0.0.1:3306)/app",
		"a port that is none":          "postgres://app:Secret@db:port/app",
		"a password with a slash":      "mysql://app:Se/cret@db/app",
		"an address without -db":       "memory:",
		"a number that is none":        "redis://app:Secret@db/app",
		"a parameter that is unknown":  "redis://app:Secret@db?perfix=app:",
		"a Redis that is no host":      "redis://app:Secret@nowhere.invalid",
		"a PostgreSQL that is no host": "postgres://app:Secret@nowhere.invalid/app",
		"a MySQL that is no host":      "mysql://app:Secret@nowhere.invalid/app",
	} {
		t.Run("wrong URL: "+name, func(t *testing.T) {
			if name == "an address without -db" {
				want(t, address, "Secret", "is -db before it?", "postgres://app:Secret@db/app")
				return
			}
			want(t, address, "ecret", "")
		})
	}
	t.Run("Redis: no -key", func(t *testing.T) {
		if text := refuses(t, "-db", "redis://:a-Secret-word@127.0.0.1:1"); !strings.Contains(
			text, "-key is required") ||
			strings.Contains(text, "Secret") {
			t.Errorf("got %q, want a line about -key", text)
		}
	})
	t.Run("Redis: the server is down", func(t *testing.T) {
		want(t, "redis://app:a-Secret-word@127.0.0.1:1", "Secret", "connection refused")
	})
	t.Run("Redis: a wrong password", func(t *testing.T) {
		want(t, "redis://:a-Secret-word@"+testserver.Redis(t).Address(), "Secret", "the password is wrong")
	})
	t.Run("Redis: keys may be evicted", func(t *testing.T) {
		node := testserver.NewRedis(t, testserver.RedisSetting("maxmemory-policy", "allkeys-lru"))
		want(t, node.URL(), node.Password(), "maxmemory-policy")
	})
	for _, engine := range servers {
		t.Run(engine.name+": no -key", func(t *testing.T) {
			address := engine.address(t)
			if text := refuses(t, "-db", address); !strings.Contains(text, "-key is required") ||
				strings.Contains(text, passwordOf(address)) {
				t.Errorf("got %q, want a line about -key", text)
			}
		})
		t.Run(engine.name+": the server is down", func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = listener.Close()
			scheme, _, _ := strings.Cut(engine.address(t), "://")
			want(t, scheme+"://app:a-Secret-word@"+listener.Addr().String()+"/app", "a-Secret-word",
				"connection refused")
		})
		t.Run(engine.name+": a wrong password", func(t *testing.T) {
			address := engine.address(t)
			limited := limitedUser(t, address, "SELECT")
			name, _, _ := strings.Cut(strings.SplitN(limited, "://", 2)[1], ":")
			want(t, with(t, address, name, "a-Secret-word"), "a-Secret-word", "refuses the user or the password")
		})
		t.Run(engine.name+": a database that is missing", func(t *testing.T) {
			address := engine.address(t)
			i := strings.LastIndex(address, "test_")
			want(t, address[:i]+"nowhere"+address[i+21:], passwordOf(address), "does not exist")
		})
		t.Run(engine.name+": a user who may not make tables", func(t *testing.T) {
			address := limitedUser(t, engine.address(t), "SELECT, INSERT, UPDATE, DELETE")
			want(t, address, passwordOf(address), "lacks a right")
		})
		t.Run(engine.name+": this user is enough once another one made them", func(t *testing.T) {
			address := engine.address(t)
			args := together(t, address)
			launch(t, args...)
			args[1] = limitedUser(t, address, "SELECT, INSERT, UPDATE, DELETE")
			p := launch(t, args...)
			p.want(200, "GET", "/api/me", "Token "+p.login(alice))
		})
	}
}

// TestUnitAServerThatGoesAway stops the database below a demo that runs.
func TestUnitAServerThatGoesAway(t *testing.T) {
	for _, engine := range servers {
		t.Run(engine.name, func(t *testing.T) {
			server := engine.own(t)
			address := server.Database(t).URL
			durable(t, address)
			goesAway(t, address, server)
		})
	}
	t.Run("Redis", func(t *testing.T) {
		node := testserver.NewRedis(t, testserver.RedisAOF())
		goesAway(t, node.URL(), node)
	})
}

// stoppable is a server of a test.
type stoppable interface {
	Stop(t testing.TB)
	Kill(t testing.TB)
	Start(t testing.TB)
}

func goesAway(t *testing.T, address string, server stoppable) {
	p := launch(t, together(t, address)...)
	token, session := "Token "+p.login(alice), p.signIn(alice)
	pair := p.pair(alice)
	for _, end := range []struct {
		name string
		do   func(testing.TB)
	}{{"stopped", server.Stop}, {"killed", server.Kill}} {
		end.do(t)
		t.Run("while it is "+end.name+" nothing is refused or acknowledged", func(t *testing.T) {
			p, session := p.in(t), &visitor{t, p.in(t), session.cookies, session.headers}
			p.unhealthy()
			p.want(503, "GET", "/api/me", token)
			p.want(503, "GET", "/api/public", token)
			p.want(503, "GET", "/api/me", "Bearer "+pair.access)
			p.want(503, "GET", "/api/me", alice)
			session.want(503, "")
			p.want(503, "POST", "/auth/login/", alice)
			p.want(503, "POST", "/auth/logout/", token)
			p.want(503, "POST", "/api/users/bob/disable", admin)
			p.refresh(503, pair.refresh)
			if !p.log.has("connection refused") {
				t.Error("the log does not say why")
			}
		})
		server.Start(t)
		t.Run("when it is back all goes on", func(t *testing.T) {
			p, session := p.in(t), &visitor{t, p.in(t), session.cookies, session.headers}
			p.want(200, "GET", "/healthz", "")
			p.want(200, "GET", "/api/me", token)
			session.want(200, "alice")
			p.want(204, "POST", "/auth/logout/", "Token "+p.login(alice))
		})
	}
	if strings.Contains(p.log.text(), passwordOf(address)) {
		t.Error("the log has the password of the database")
	}
}

// durable has a server of the tests write each commit before it is acknowledged. It does so later otherwise, and
// forgets the last commits when it is killed.
func durable(t *testing.T, address string) {
	t.Helper()
	statement := "SET GLOBAL innodb_flush_log_at_trx_commit = 1"
	if strings.HasPrefix(address, "postgres:") {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		statement = "ALTER DATABASE " + strings.TrimPrefix(u.Path, "/") + " SET synchronous_commit = on"
	}
	if err := execute(t.Context(), address, statement); err != nil {
		t.Fatal(err)
	}
}

// unhealthy waits until the program says that its store is down. Connections of a PostgreSQL that was killed answer
// for a moment longer.
func (p *program) unhealthy() {
	p.t.Helper()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	for {
		if status, _ := p.do("GET", "/healthz", "", ""); status == 503 {
			return
		}
		select {
		case <-late.C:
			p.t.Fatal("the store is gone, and the program says that it is there")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
