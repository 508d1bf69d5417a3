package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/transfer"
)

// stores are where the service keeps things.
type stores struct {
	knox     knox.Store
	session  session.Store
	logins   jwt.Store
	jwtKeys  func(ctx context.Context) (jwt.KeyStore, error)
	grants   server.Store
	attempts external.Store
	links    password.OneTimeStore
	throttle password.ThrottleStore
	findUser func(ctx context.Context, id string) (*user, error)
	records  func(ctx context.Context) (transfer.Source, error) // of all stores, for the command end
	db       io.Closer
}

// openSQL opens the stores of a service with an SQL database. The migrations of this program are applied if they are
// newer, so build it from the same version as the service.
func openSQL(ctx context.Context, c *call) (stores, error) {
	db, err := openDatabase(ctx, c)
	if err != nil {
		return stores{}, err
	}
	s, err := storesOf(ctx, db)
	if err != nil {
		return stores{}, errors.Join(err, db.Close())
	}
	return s, nil
}

// openDatabase opens the database of the service, which must be there already.
func openDatabase(ctx context.Context, c *call) (*database.DB, error) {
	if err := c.checkNotify(); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(c.db, "sqlite:"); ok { // the stores would make the file
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("-db: %w; the service makes the file when it starts", err)
		}
	}
	// What the server's settings may cost is the service's to log.
	db, err := database.Open(ctx, c.db, sqlstore.Config{NotifyChannel: c.notify, Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, database.ErrAddress) {
		return nil, usageError{err}
	}
	return db, err
}

// checkNotify refuses -notify where it would do nothing.
func (c *call) checkNotify() error {
	engine, err := database.EngineOf(c.db)
	switch {
	case c.notify == "" || err != nil || engine == database.PostgreSQL:
		return nil
	case engine == database.Redis:
		return usageErrorf("-notify is for PostgreSQL; Redis tells every instance without it")
	}
	return usageErrorf("-notify is for PostgreSQL, the only database with notifications")
}

func storesOf(ctx context.Context, db *database.DB) (stores, error) {
	s := stores{db: db, findUser: sqlUsers{db.Reader(), db.Engine}.find}
	s.jwtKeys = func(ctx context.Context) (jwt.KeyStore, error) { return sqlstore.JWTKeys(ctx, db.DB) }
	s.records = func(ctx context.Context) (transfer.Source, error) { return sqlstore.Transfer(ctx, db.DB) }
	for _, open := range []func() error{
		func() error { return checkUsers(ctx, s.findUser) },
		func() (err error) { s.knox, err = sqlstore.Knox(ctx, db.DB); return },
		func() (err error) { s.session, err = sqlstore.Sessions(ctx, db.DB); return },
		func() (err error) { s.throttle, err = sqlstore.Throttle(ctx, db.DB); return },
		func() (err error) { s.attempts, err = sqlstore.External(ctx, db.DB); return },
		func() (err error) { s.links, err = sqlstore.OneTime(ctx, db.DB); return },
		func() (err error) { s.logins, err = sqlstore.JWT(ctx, db.DB); return },
		func() (err error) { s.grants, err = sqlstore.OAuth(ctx, db.DB); return },
	} {
		if err := open(); err != nil {
			return stores{}, err
		}
	}
	return s, nil
}

// checkUsers asks, before anything is written, whether the database is that of the service.
func checkUsers(ctx context.Context, find func(context.Context, string) (*user, error)) error {
	if _, err := find(ctx, "-"); err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return fmt.Errorf("-db: the users cannot be read: %w", err)
	}
	return nil
}

// sqlUsers is the service's table of users.
type sqlUsers struct {
	db     *sql.DB
	engine database.Engine
}

func (us sqlUsers) find(ctx context.Context, id string) (*user, error) {
	u := &user{}
	err := us.db.QueryRowContext(ctx, us.engine.SQL("SELECT name, encoded, active FROM demo_users WHERE name = ?"), id).
		Scan(&u.id, (*string)(&u.stamp), &u.active)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrUserNotFound
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}
