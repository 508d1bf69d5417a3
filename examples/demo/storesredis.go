package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/redisstore"
)

// openRedis opens every store in one Redis. Tokens, sessions and users are kept in memory, too, and each demo is told
// at once what another one ends.
func openRedis(ctx context.Context, where string, hasher *password.Hasher, logger *slog.Logger) (stores, error) {
	db, err := database.OpenRedis(ctx, where, redisstore.Config{Logger: logger})
	if err != nil {
		return stores{}, err
	}
	s := stores{
		knox: redisstore.Knox(db.DB), session: redisstore.Sessions(db.DB),
		jwt: redisstore.JWT(db.DB), jwtKeys: redisstore.JWTKeys(db.DB), oauthStore: redisstore.OAuth(db.DB),
		loginStore: redisstore.External(db.DB), throttle: redisstore.Throttle(db.DB),
		ping: db.Ping, close: db.Close,
	}
	table := &redisUsers{db}
	if err := table.open(ctx, hasher); err != nil {
		return stores{}, errors.Join(err, db.Close())
	}
	s.users = cachedUsers(db.DB, table)
	return s, nil
}

// cachedUsers returns users that are kept in memory. A change of a user by any demo has all of them forget the user.
func cachedUsers(db *redisstore.DB, table userTable) *users {
	us := newUsers(nil)
	cache := auth.CacheUsers(us.current, auth.UserCache{TTL: time.Minute})
	db.WatchUsers(cache)
	us.userTable, us.loader = &notifyingUsers{table, db, cache}, cache.Load
	return us
}

// notifyingUsers are users with changes that are told to all demos.
type notifyingUsers struct {
	userTable
	db    *redisstore.DB
	cache *auth.CachedUsers
}

func (us *notifyingUsers) setActive(ctx context.Context, name string, active bool) (bool, error) {
	found, err := us.userTable.setActive(ctx, name, active)
	if err != nil || !found {
		return found, err
	}
	return true, us.announce(ctx, name)
}

func (us *notifyingUsers) setPassword(ctx context.Context, u auth.User, encoded string) error {
	if err := us.userTable.setPassword(ctx, u, encoded); err != nil {
		return err
	}
	return us.announce(ctx, u.UserID())
}

// announce tells of a user that was changed. It comes after the change, because a demo that heard of it before could
// load the user as the user was.
func (us *notifyingUsers) announce(ctx context.Context, name string) error {
	us.cache.Forget(name) // here, whether the others hear of it or not
	return us.db.UserChanged(ctx, name)
}
