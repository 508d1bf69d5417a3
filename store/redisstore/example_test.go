package redisstore_test

import (
	"context"
	"log"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/redisstore"
)

func loadUser(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound }

// Tokens of a service that runs several times. What one instance revokes, all others refuse at once.
func Example() {
	ctx := context.Background()
	db, err := redisstore.Open(ctx, rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}}, redisstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	users := auth.CacheUsers(loadUser, auth.UserCache{TTL: time.Minute})
	db.WatchUsers(users) // and call db.UserChanged after you disabled one

	tokens, err := knox.New(knox.Config{Store: redisstore.Knox(db), LoadUser: users.Load})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		log.Fatal(err)
	}
	_ = guard
}
