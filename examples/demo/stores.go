package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// stores are where things are kept.
type stores struct {
	knox       knox.Store
	jwt        jwt.Store
	jwtKeys    jwt.KeyStore
	oauthStore server.Store
	loginStore external.Store
	session    session.Store
	throttle   password.ThrottleStore
	users      *users
	ping       func(context.Context) error
	close      func() error
}

// openStores opens -db. Its text may hold a password, so no error repeats it.
func openStores(ctx context.Context, where string, hasher *password.Hasher, logger *slog.Logger) (stores, error) {
	if kind, _, _ := strings.Cut(where, ":"); kind == "memory" {
		return openMemory(ctx, hasher)
	}
	if engine, err := database.EngineOf(where); err == nil && engine == database.Redis {
		return openRedis(ctx, where, hasher, logger)
	}
	db, err := database.Open(ctx, where, sqlstore.Config{Logger: logger})
	if errors.Is(err, database.ErrAddress) {
		return stores{}, fmt.Errorf("%w, or else memory: for data that ends with the program", err)
	}
	if err != nil {
		return stores{}, err
	}
	s := stores{ping: db.Ping, close: db.Close}
	if err := s.open(ctx, db, hasher); err != nil {
		return stores{}, errors.Join(err, db.Close())
	}
	return s, nil
}

// open opens every store in one database. Each makes its own tables.
func (s *stores) open(ctx context.Context, db *database.DB, hasher *password.Hasher) error {
	for _, open := range []func() error{
		func() (err error) { s.knox, err = sqlstore.Knox(ctx, db.DB); return },
		func() (err error) { s.session, err = sqlstore.Sessions(ctx, db.DB); return },
		func() (err error) { s.throttle, err = sqlstore.Throttle(ctx, db.DB); return },
		func() (err error) { s.jwt, err = sqlstore.JWT(ctx, db.DB); return },
		func() (err error) { s.jwtKeys, err = sqlstore.JWTKeys(ctx, db.DB); return },
		func() (err error) { s.oauthStore, err = sqlstore.OAuth(ctx, db.DB); return },
		func() (err error) { s.loginStore, err = sqlstore.External(ctx, db.DB); return },
		func() (err error) {
			s.users, err = openSQLUsers(ctx, &sqlUsers{db.Reader(), db.Update, db.Engine}, hasher)
			return
		},
	} {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

// openMemory opens stores that end with the program.
func openMemory(ctx context.Context, hasher *password.Hasher) (s stores, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return s, err
	}
	db.SetMaxOpenConns(1) // each connection would be a database of its own
	s = stores{
		knox: knox.NewMemoryStore(), session: session.NewMemoryStore(), throttle: password.NewMemoryThrottle(),
		jwt: jwt.NewMemoryStore(), jwtKeys: jwt.NewMemoryKeyStore(),
		oauthStore: server.NewMemoryStore(), loginStore: external.NewMemoryStore(),
		ping: db.PingContext, close: db.Close,
	}
	s.users, err = openSQLUsers(ctx, &sqlUsers{db, updateOf(db), database.SQLite}, hasher)
	return s, err
}
