package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/transfer"
)

// openRedis opens the stores of a service with a Redis. What ends here, Redis tells to every instance of the service.
func openRedis(ctx context.Context, c *call) (stores, error) {
	if err := c.checkNotify(); err != nil {
		return stores{}, err
	}
	// A program that ends at once caches nothing. What the server's settings may cost is the service's to log.
	db, err := database.OpenRedis(ctx, c.db, redisstore.Config{MaxCached: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return stores{}, err
	}
	us := redisUsers{db}
	if err := us.check(ctx); err != nil {
		return stores{}, errors.Join(err, db.Close())
	}
	keys := redisstore.JWTKeys(db.DB)
	return stores{
		knox: redisstore.Knox(db.DB), session: redisstore.Sessions(db.DB), logins: redisstore.JWT(db.DB),
		jwtKeys: func(context.Context) (jwt.KeyStore, error) { return keys, nil },
		grants:  redisstore.OAuth(db.DB), attempts: redisstore.External(db.DB),
		links: redisstore.OneTime(db.DB), throttle: redisstore.Throttle(db.DB),
		findUser: us.find, db: db,
		records: func(context.Context) (transfer.Source, error) { return redisstore.Transfer(db.DB), nil },
	}, nil
}

// redisUsers are the users of the service in Redis.
type redisUsers struct{ db *database.RedisDB }

// check asks, before anything is written, whether the Redis and the prefix are those of the service.
func (us redisUsers) check(ctx context.Context) error {
	client := us.db.Client
	made, err := client.Do(ctx, client.B().Exists().Key(us.db.Key("users-made")).Build()).AsBool()
	switch {
	case err != nil:
		return fmt.Errorf("-db: the users cannot be read: %w", err)
	case !made:
		return errors.New("-db: there are no users under this prefix in this Redis; the service makes them when it " +
			"starts")
	}
	return nil
}

func (us redisUsers) find(ctx context.Context, id string) (*user, error) {
	client := us.db.Client
	text, err := client.Do(ctx, client.B().Get().Key(us.db.Key("user:"+id)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, auth.ErrUserNotFound
	}
	if err != nil {
		return nil, err
	}
	var row struct {
		Encoded auth.Secret `json:"encoded"`
		Active  bool        `json:"active"`
	}
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, fmt.Errorf("user %q cannot be read: %w", id, err)
	}
	return &user{id, row.Encoded, row.Active}, nil
}
