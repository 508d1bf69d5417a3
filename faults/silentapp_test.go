package faults

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
)

// poolSize is how many connections the pool of an app has.
const poolSize = 8

// app is an instance in this process, so that a test can count its goroutines and connections.
type app struct {
	t      testing.TB
	label  string // of its goroutines
	at     *instance
	client *client
	log    *logBuffer
	limit  time.Duration // the longest that a read or a change may take
	dials  dials
	pool   *sql.DB      // nil in Redis and SQLite
	db     *sqlstore.DB // nil in Redis
	tokens *knox.Tokens
	pairs  *jwt.Tokens
	stores appStores
}

// appStores is what an app stands on.
type appStores struct {
	knox  knox.Store
	jwt   jwt.Store
	ping  func(ctx context.Context) error
	close func() error
}

// dials counts the connections of an app as the app sees them.
type dials struct{ open, made atomic.Int64 }

func (d *dials) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.made.Add(1)
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &countedConn{Conn: conn, dials: d}, nil
}

type countedConn struct {
	net.Conn
	dials  *dials
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.dials.open.Add(-1)
	}
	return c.Conn.Close()
}

// newApp starts an instance on an address of a server. Each read and each change of it may take so long.
func newApp(t testing.TB, address string, limit time.Duration) *app {
	t.Helper()
	a := &app{t: t, label: strconv.FormatInt(labels.Add(1), 10), limit: limit, log: &logBuffer{}, client: newClient()}
	a.client.http.Timeout = patience
	var err error
	for late := time.Now().Add(patience); ; { // a machine that is busy may need more than the limit
		pprof.Do(context.Background(), pprof.Labels("app", a.label), func(context.Context) { err = a.open(address) })
		if err == nil {
			return a
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

var labels atomic.Int64

func (a *app) open(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch u.Scheme {
	case "redis":
		err = a.openRedis(ctx, u)
	default:
		err = a.openSQL(ctx, u)
	}
	if err != nil {
		return err
	}
	a.t.Cleanup(func() { _ = a.stores.close() })
	return a.serve()
}

func (a *app) logger() *slog.Logger { return slog.New(slog.NewTextHandler(a.log, nil)) }

func (a *app) openSQL(ctx context.Context, u *url.URL) error {
	var db *sqlstore.DB
	var err error
	config := sqlstore.Config{ReadTimeout: a.limit, BusyTimeout: a.limit, Logger: a.logger()}
	switch u.Scheme {
	case "sqlite":
		db, err = sqlstore.OpenSQLite(ctx, "sqlite", cmp.Or(u.Path, u.Opaque), config)
	case "postgres":
		pgx, parseErr := pgx.ParseConfig(u.String())
		if parseErr != nil {
			return parseErr
		}
		pgx.DialFunc, pgx.ConnectTimeout = a.dials.dial, a.limit
		a.pool = stdlib.OpenDB(*pgx)
		a.setPool()
		db, err = sqlstore.NewPostgreSQL(ctx, a.pool, config)
	default:
		my := mysql.NewConfig()
		my.User, my.Net, my.Addr, my.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		my.Passwd, _ = u.User.Password()
		my.InterpolateParams, my.DialFunc, my.Logger = true, a.dials.dial, &mysql.NopLogger{}
		connector, connectErr := mysql.NewConnector(my)
		if connectErr != nil {
			return connectErr
		}
		a.pool = sql.OpenDB(sqlstore.ConnectWithin(a.limit, connector))
		a.setPool()
		db, err = sqlstore.NewMySQL(ctx, a.pool, config)
	}
	if err != nil {
		return err
	}
	a.db, a.stores.ping, a.stores.close = db, db.Ping, db.Close
	if a.stores.knox, err = sqlstore.Knox(ctx, db); err != nil {
		return err
	}
	a.stores.jwt, err = sqlstore.JWT(ctx, db)
	return err
}

func (a *app) setPool() {
	a.pool.SetMaxOpenConns(poolSize)
	a.pool.SetMaxIdleConns(poolSize)
}

func (a *app) openRedis(ctx context.Context, u *url.URL) error {
	password, _ := u.User.Password()
	option := rueidis.ClientOption{InitAddress: []string{u.Host}, Password: password,
		DialCtxFn: func(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return a.dials.dial(ctx, "tcp", address)
		}}
	db, err := redisstore.Open(ctx, option, redisstore.Config{Prefix: u.Query().Get("prefix"), Timeout: a.limit,
		Logger: a.logger()})
	if err != nil {
		return err
	}
	a.stores.ping, a.stores.close = db.Ping, func() error { db.Close(); return nil }
	a.stores.knox, a.stores.jwt = redisstore.Knox(db), redisstore.JWT(db)
	return nil
}

// serve starts the service: GET /me, POST /auth/login/ and the other paths of knox.
func (a *app) serve() error {
	load := func(_ context.Context, id string) (auth.User, error) { return appUser(id), nil }
	var err error
	if a.tokens, err = knox.New(knox.Config{Store: a.stores.knox, LoadUser: load, Limit: knox.NoLimit,
		TouchInterval: time.Millisecond}); err != nil {
		return err
	}
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		return err
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		return err
	}
	if a.pairs, err = jwt.New(jwt.Config{Issuer: "https://faults.example", Audience: []string{"faults"}, Keys: keys,
		Store: a.stores.jwt, LoadUser: load, Limit: jwt.NoLimit}); err != nil {
		return err
	}
	proxied, err := header.New(header.Config{Header: "X-Username", LoadUser: load,
		Trust: header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
	if err != nil {
		return err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{a.tokens, a.pairs}, Logger: a.logger(),
		Login: []auth.Authenticator{proxied}, Challenges: a.tokens.Challenges()})
	if err != nil {
		return err
	}
	handlers, err := a.tokens.Handlers(guard)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	mux.Handle("GET /me", guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	server := httptest.NewServer(mux)
	a.t.Cleanup(func() {
		a.client.http.CloseIdleConnections()
		server.CloseClientConnections() // of requests that hang
		server.Close()
	})
	a.at = &instance{url: server.URL}
	return nil
}

type appUser string

func (u appUser) UserID() string { return string(u) }

// login asks for a token. It is "" without one.
func (a *app) login(user string) (token string, got answer) {
	got = a.client.send(a.at, request{method: "POST", path: "/auth/login/", header: as(user)})
	return got.member("token"), got
}

// lastUsed returns when the one token of a user was used, as another instance reads it.
func (a *app) lastUsed(user string) time.Time {
	tokens, _, err := a.tokens.List(context.Background(), user, backend.Page{})
	if err != nil || len(tokens) != 1 {
		return time.Time{}
	}
	return tokens[0].LastUsed()
}

// check uses a token.
func (a *app) check(token string) answer { return a.bearing("GET", "/me", token) }

// logout ends a token.
func (a *app) logout(token string) answer { return a.bearing("POST", "/auth/logout/", token) }

func (a *app) bearing(method, path, token string) answer {
	scheme := "Token "
	if strings.Count(token, ".") == 2 { // a JWT
		scheme = "Bearer "
	}
	return a.client.send(
		a.at, request{method: method, path: path, header: map[string]string{"Authorization": scheme + token}})
}

// goroutines returns how many goroutines the app has. Other tests of the process do not count.
func (a *app) goroutines() int {
	total := 0
	for _, group := range a.stacks() {
		count, _, _ := strings.Cut(group, " ")
		n, _ := strconv.Atoi(count)
		total += n
	}
	return total
}

// stacks are the goroutines of the app. Those with one stack are together, and their number comes first.
func (a *app) stacks() []string {
	var text bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1)
	_, groups, _ := strings.Cut(text.String(), "\n")
	var own []string
	for group := range strings.SplitSeq(groups, "\n\n") {
		if strings.Contains(group, fmt.Sprintf("%q:%q", "app", a.label)) {
			own = append(own, strings.TrimSpace(group))
		}
	}
	return own
}
