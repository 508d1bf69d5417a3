package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// probe makes a change of every kind, so that a right which the user of Redis lacks is told at the start. Otherwise the
// script would stop at the first command that it may not run, after some of its writes. A full memory is no reason not
// to start, because checks and logouts work.
func (db *DB) probe(ctx context.Context) error {
	const name = "probe"
	now := time.Now()
	keys := map[string]string{}
	for _, k := range []string{"value", "list", "list for ever", "instants", "version", "other version"} {
		keys[k] = db.key(kind("pp"), tagOfText(name), k+" "+rand.Text())
	}
	err := db.transact(ctx, name, func(ctx context.Context, c *change) error {
		if err := c.read(ctx, keys["value"]); err != nil {
			return err
		}
		c.set(keys["value"], useRow{Version: 1}, slack)
		c.list(keys["list"], name, slack)
		c.list(keys["list for ever"], name, 0)
		c.expire(keys["instants"], name, now, slack)
		c.bump(keys["version"])
		c.tryBump(keys["other version"])
		c.keepFor(keys["value"], 2*slack, 2*slack)
		c.unlist(keys["list"], name)
		c.unlist(keys["instants"], name)
		for _, key := range keys {
			c.remove(key)
		}
		return nil
	})
	var reply *rueidis.RedisError
	if errors.As(err, &reply) && strings.Contains(reply.Error(), "OOM ") {
		db.config.Logger.WarnContext(ctx, "redisstore: the memory of the server is full, so that logins fail", "error", err)
		return nil
	}
	return err
}
