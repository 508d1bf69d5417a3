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
	var err error
	if db.client.Mode() == rueidis.ClientModeCluster {
		err = db.probeCluster(ctx)
	} else {
		err = db.transact(ctx, "probe", func(ctx context.Context, c *change) error {
			return c.probe(ctx, tagAt(0))
		})
	}
	var reply *rueidis.RedisError
	if errors.As(err, &reply) && strings.Contains(reply.Error(), "OOM ") {
		db.config.Logger.WarnContext(ctx, "redisstore: the memory of the server is full, so that logins fail",
			"error", err)
		return nil
	}
	return err
}

// probed is of how many tags a Cluster is probed. With three masters of equal size, each has some of them. Of many
// masters, some may have none.
const probed = 16

// probeCluster probes several masters, since each has users of Redis of its own. A slot that is on its way to another
// node is passed over, because it may stay so for long.
func (db *DB) probeCluster(ctx context.Context) error {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	for n := range probed {
		c := newChange(db)
		err := c.probe(ctx, tagAt(n))
		if err == nil {
			_, err = c.commit(ctx)
		}
		if err != nil && !isRetryable(err) {
			return err
		}
	}
	return nil
}

// probe notes a write of every kind, and the removal of what it wrote.
func (c *change) probe(ctx context.Context, t tag) error {
	const name = "probe"
	keys := map[string]string{}
	for _, k := range []string{"value", "list", "list for ever", "instants", "version", "other version"} {
		keys[k] = c.db.key(kind("pp"), t, k+" "+rand.Text())
	}
	if err := c.read(ctx, keys["value"]); err != nil {
		return err
	}
	c.set(keys["value"], useRow{Version: 1}, slack)
	c.addMember(keys["list"], name, slack)
	c.addMember(keys["list for ever"], name, 0)
	c.addExpiring(keys["instants"], name, time.Now(), slack)
	c.changeVersion(keys["version"])
	c.tryChangeVersion(keys["other version"])
	c.keepFor(keys["value"], 2*slack, 2*slack)
	c.removeMember(keys["list"], name)
	c.removeMember(keys["instants"], name)
	for _, key := range keys {
		c.remove(key)
	}
	return nil
}
