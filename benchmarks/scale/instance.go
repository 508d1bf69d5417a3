package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

// This file is a process with a service.

// instanceOrder says what an instance is.
type instanceOrder struct {
	Name    string `json:"name"`
	Address string `json:"address"` // of the engine
	Cached  bool   `json:"cached"`  // with caches that are told by PostgreSQL
}

// channel is that of notifications.
const channel = "scale"

// cacheTTL is long, so that only notifications can end what is cached.
const cacheTTL = time.Minute

// backends are the stores of a service.
type backends struct {
	knox     knox.Store
	sessions session.Store
	jwt      jwt.Store
	oauth    server.Store
	close    func()
}

// runInstance reads an order, serves, and says where. It ends with its input.
func runInstance(in io.Reader, out io.Writer) error {
	from := json.NewDecoder(in)
	var order instanceOrder
	if err := from.Decode(&order); err != nil {
		return err
	}
	ctx := context.Background()
	b, err := openBackends(ctx, order)
	if err != nil {
		return err
	}
	defer b.close()
	s, err := newService(ctx, b)
	if err != nil {
		return err
	}
	handler, err := s.routes(order.Name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = web.Serve(listener) }()
	if err := json.NewEncoder(out).Encode(listener.Addr().String()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	return web.Close()
}

// openBackends opens the stores of an engine.
func openBackends(ctx context.Context, order instanceOrder) (*backends, error) {
	where := place{name: "service"}
	if order.Cached {
		where.channel = channel
	}
	d, err := openDatabase(ctx, order.Address, where)
	if err != nil {
		return nil, err
	}
	b := &backends{close: d.close}
	if d.redis != nil {
		b.knox, b.sessions, b.jwt = redisstore.Knox(d.redis), redisstore.Sessions(d.redis), redisstore.JWT(d.redis)
		b.oauth = redisstore.OAuth(d.redis)
		return b, nil
	}
	var errs [4]error
	b.knox, errs[0] = sqlstore.Knox(ctx, d.sql)
	b.sessions, errs[1] = sqlstore.Sessions(ctx, d.sql)
	b.jwt, errs[2] = sqlstore.JWT(ctx, d.sql)
	b.oauth, errs[3] = sqlstore.OAuth(ctx, d.sql)
	if err := errors.Join(errs[:]...); err != nil || !order.Cached {
		return b, err
	}
	return b, b.cache(ctx, order.Address, d.close)
}

// cache puts caches in front of the stores, and a listener that is told of revocations.
func (b *backends) cache(ctx context.Context, address string, closeStores func()) error {
	config := cached.Config{TTL: cacheTTL, Max: 50_000}
	tokens, err1 := cached.Knox(b.knox, config)
	sessions, err2 := cached.Sessions(b.sessions, config)
	logins, err3 := cached.JWT(b.jwt, config)
	grants, err4 := cached.OAuth(b.oauth, config)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	listener, err := pgnotify.Listen(ctx, pgnotify.Config{DSN: address, Channel: channel, Logger: quiet,
		Caches: []cached.Cache{tokens, sessions, logins, grants}})
	if err != nil {
		return err
	}
	b.knox, b.sessions, b.jwt, b.oauth = tokens, sessions, logins, grants
	b.close = func() {
		listener.Close()
		closeStores()
	}
	return nil
}

// instance is a running process with a service.
type instance struct {
	*child
	name, url string
}

func startInstance(order instanceOrder) (*instance, error) {
	c, err := startChild("instance", order)
	if err != nil {
		return nil, err
	}
	i := &instance{child: c, name: order.Name}
	var address string
	if err := c.answer(&address); err != nil {
		return nil, errors.Join(fmt.Errorf("the instance does not start: %w", err), c.end())
	}
	i.url = "http://" + address
	return i, nil
}

// usage asks the instance what it takes. heap has it collect garbage first.
func (i *instance) usage(heap bool) (u usage, err error) {
	query := "/usage"
	if heap {
		query += "?heap=1"
	}
	response, err := http.Get(i.url + query)
	if err != nil {
		return u, err
	}
	defer response.Body.Close()
	return u, json.NewDecoder(response.Body).Decode(&u)
}

// credentials asks for values of the header that proves users.
func (i *instance) credentials(backend string, n int) (values []string, err error) {
	response, err := http.Post(fmt.Sprintf("%s/credentials/%s?n=%d", i.url, backend, n), "", nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("credentials of %s: %s", backend, text)
	}
	return values, json.NewDecoder(response.Body).Decode(&values)
}
