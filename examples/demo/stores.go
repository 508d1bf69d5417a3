package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "modernc.org/sqlite"

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

func openStores(ctx context.Context, where string, hasher *password.Hasher) (s stores, err error) {
	kind, path, _ := strings.Cut(where, ":")
	switch kind {
	case "memory":
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
		s.users, err = openUsers(ctx, &users{db, updateOf(db)}, hasher)
		return s, err
	case "sqlite":
		db, err := sqlstore.OpenSQLite(ctx, "sqlite", path, sqlstore.Config{})
		if err != nil {
			return s, err
		}
		s.ping, s.close = db.Ping, db.Close
		var errs [8]error
		s.knox, errs[0] = sqlstore.Knox(ctx, db)
		s.session, errs[1] = sqlstore.Sessions(ctx, db)
		s.throttle, errs[2] = sqlstore.Throttle(ctx, db)
		s.jwt, errs[3] = sqlstore.JWT(ctx, db)
		s.jwtKeys, errs[4] = sqlstore.JWTKeys(ctx, db)
		s.oauthStore, errs[6] = sqlstore.OAuth(ctx, db)
		s.loginStore, errs[7] = sqlstore.External(ctx, db)
		s.users, errs[5] = openUsers(ctx, &users{db.Reader(), db.Update}, hasher)
		return s, errors.Join(errs[:]...)
	}
	return s, fmt.Errorf("-db %s: want memory: or sqlite:PATH", where)
}
