package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
)

// user is a user of the service.
type user string

func (u user) UserID() string { return string(u) }

// alicesPassword is no secret: it is what this example is for.
const alicesPassword = "correct-horse-battery"

func loadUser(_ context.Context, id string) (auth.User, error) {
	if id != "alice" {
		return nil, auth.ErrUserNotFound
	}
	return user(id), nil
}

func checkPassword(r *http.Request, name, password string) (auth.User, error) {
	if name != "alice" || subtle.ConstantTimeCompare([]byte(password), []byte(alicesPassword)) != 1 {
		return nil, auth.ErrInvalid
	}
	return loadUser(r.Context(), name)
}

// openStore opens the only thing that two instances share. With knox.NewMemoryStore() each instance would know its own
// tokens alone.
func openStore(ctx context.Context, address string) (knox.Store, io.Closer, error) {
	if engine, err := database.EngineOf(address); err == nil && engine == database.Redis {
		db, err := database.OpenRedis(ctx, address, redisstore.Config{})
		if err != nil {
			return nil, nil, err
		}
		return redisstore.Knox(db.DB), db, nil // which also keeps tokens in memory until Redis tells of a change
	}
	db, err := database.Open(ctx, address, sqlstore.Config{})
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.Knox(ctx, db.DB)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return store, db, nil
}

// newService is a service with tokens for devices.
func newService(store knox.Store) (http.Handler, error) {
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: loadUser})
	if err != nil {
		return nil, err
	}
	basic, err := header.NewBasic(header.BasicConfig{LoadUser: loadUser, Check: checkPassword})
	if err != nil {
		return nil, err
	}
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{tokens},
		Login:    []auth.Authenticator{basic},
		Proxies:  auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, // the balancer
	})
	if err != nil {
		return nil, err
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	mux.Handle("GET /hello", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := auth.UserFrom[user](r.Context())
		fmt.Fprintln(w, "hello,", who)
	})))
	return mux, nil
}

// serve is one instance. It serves until ctx ends, or the program that started it.
func serve(ctx context.Context, name, address string) error {
	slog.SetLogLoggerLevel(slog.LevelWarn) // the refusals that this program shows are no news
	store, db, err := openStore(ctx, address)
	if err != nil {
		return err
	}
	defer db.Close()
	service, err := newService(store)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Instance", name)
			service.ServeHTTP(w, r)
		})}
	go func() { _ = server.Serve(listener) }()
	fmt.Println("listening on", listener.Addr())
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return server.Close()
}
