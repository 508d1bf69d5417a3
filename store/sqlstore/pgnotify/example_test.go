package pgnotify_test

import (
	"context"
	"database/sql"
	"log"
	"os"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

// Every instance of the service does this. It needs a server, so it is compiled and not run.
func ExampleListen() {
	ctx, dsn := context.Background(), os.Getenv("DATABASE_URL")
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		log.Fatal(err)
	}
	db, err := sqlstore.NewPostgreSQL(ctx, pool, sqlstore.Config{NotifyChannel: "gatewarden"})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.Knox(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	remembered, err := cached.Knox(store, cached.Config{TTL: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	users := auth.CacheUsers(loadUser, auth.UserCache{TTL: time.Minute})
	listener, err := pgnotify.Listen(ctx, pgnotify.Config{DSN: dsn, Channel: "gatewarden",
		Caches: []cached.Cache{remembered, users}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	tokens, err := knox.New(knox.Config{Store: remembered, LoadUser: users.Load})
	if err != nil {
		log.Fatal(err)
	}
	_ = tokens // for auth.Config.Backends
}

// loadUser stands for the application's own.
func loadUser(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound }
