package cached_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
)

// The store in memory stands for one of package sqlstore.
func ExampleKnox() {
	store, err := cached.Knox(knox.NewMemoryStore(), cached.Config{TTL: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	ctx, now := context.Background(), time.Now()
	token := &knox.Record{Digest: "digest", ID: "1", UserID: "alice", Created: now, ExpiresAt: now.Add(time.Hour)}
	if _, err := store.Add(ctx, token, 0, false, knox.Ending{At: now}); err != nil {
		log.Fatal(err)
	}
	for range 2 { // the second time from the cache
		found, err := store.Find(ctx, "digest")
		fmt.Println(found.UserID, err)
	}
	_, err = store.Revoke(ctx, "alice", "1", knox.Ending{At: now})
	found, _ := store.Find(ctx, "digest") // at once
	fmt.Println(found, err)
	// Output:
	// alice <nil>
	// alice <nil>
	// <nil> <nil>
}

func ExampleSessions() {
	store, err := cached.Sessions(session.NewMemoryStore(), cached.Config{TTL: 10 * time.Second})
	fmt.Println(store != nil, err)
	// Output: true <nil>
}

func ExampleOAuth() {
	store, err := cached.OAuth(server.NewMemoryStore(), cached.Config{TTL: 10 * time.Second, Max: 100_000})
	fmt.Println(store != nil, err)
	// Output: true <nil>
}

func ExampleJWT() {
	_, err := cached.JWT(jwt.NewMemoryStore(), cached.Config{TTL: time.Hour})
	fmt.Println(err)
	// Output: cached: Config.TTL is 1h0m0s; it must be more than 0 and at most 1m0s
}
