package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Config is the configuration of a [DB]. The zero value is good for a Redis that no other program uses.
type Config struct {
	// Prefix starts the name of every key. Empty is "gatewarden:". It may have letters, digits and ":_.-", and at most
	// 64 of them. Programs with one prefix share all tokens and sessions.
	Prefix string

	// Timeout is the longest that a change or a read takes in all, with its tries. Then it fails. 0 is 5 s. Negative
	// values are refused. If the context of a request ends earlier, that ends it. A call that makes several changes,
	// such as Approve of OAuth, has as long for each, also to take one back after its request has ended.
	Timeout time.Duration

	// MaxCached is how many records each of [Knox], [Sessions] and [OAuth] keeps in memory at most. 0 is 50,000, of
	// about 1 kB each. With a negative number nothing is kept, and every check asks Redis.
	MaxCached int

	// AllowEviction lets the program start on a server that may evict keys when its memory is full. An evicted key logs
	// somebody out or, worse, is forgotten as used: a used refresh token is then unknown and ends nothing, a failed
	// login does not count, and an assertion of OAuth that must be used once may be used again. Where it is false,
	// [Open] refuses such a server with [ErrEviction].
	AllowEviction bool

	// Logger is told, at Warn, when changes of cached records cannot be heard and nothing cached is believed, and, at
	// Info, when they are heard again. It is told at the start, at Warn, about settings of the server that may lose
	// acknowledged writes. If nil, it is slog.Default().
	Logger *slog.Logger
}

const (
	defaultPrefix  = "gatewarden:"
	maxPrefix      = 64
	defaultTimeout = 5 * time.Second
	defaultCached  = 50_000
)

// checked returns the configuration with its defaults.
func (c Config) checked() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	switch {
	case len(c.Prefix) > maxPrefix:
		return c, fmt.Errorf("redisstore: Config.Prefix has more than %d characters", maxPrefix)
	case strings.Trim(c.Prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.-") != "":
		return c,
			fmt.Errorf("redisstore: Config.Prefix %q has other characters than letters, digits and :_.-", c.Prefix)
	case c.Timeout < 0:
		return c, fmt.Errorf("redisstore: Config.Timeout is %v, which is negative", c.Timeout)
	}
	c.Timeout, c.MaxCached = cmp.Or(c.Timeout, defaultTimeout), cmp.Or(c.MaxCached, defaultCached)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// Errors that a caller may want to tell apart, by errors.Is. All others are outages, too.
var (
	// ErrBusy says that other changes came between again and again for Config.Timeout, or that a slot of the Cluster
	// was on its way to another node for so long. Nothing was changed.
	ErrBusy = errors.New("redisstore: other changes of the same records came between for too long")
	// ErrEviction says that the server may evict keys. See Config.AllowEviction.
	ErrEviction = errors.New("redisstore: the server may evict keys")
	// ErrUnreadable says that a key has a value that this package did not write.
	ErrUnreadable = errors.New("redisstore: a value cannot be read")
)

// DB is a connection to Redis that stores are opened on. It is safe for concurrent use.
type DB struct {
	client rueidis.Client // for changes, and reads that are not cached
	reader rueidis.Client // for reads that are cached: its connections are told about changes. It may be client
	config Config
	turns  keyedMutex
	watch  *watch
	// purgeStart returns the group of tags, of so many, with which a purge begins.
	purgeStart func(groups int) int
}

// Open connects to Redis and checks that it can be used: that it answers, that the password is right, that it takes
// writes, speaks RESP3 and does not evict keys. The option says where it is, as for rueidis.NewClient: it may name one
// server, a Cluster, or Sentinel with Sentinel.MasterSet. A few of its fields are set by Open: those of client-side
// caching and of pipelining, and timeouts that are not set. Open refuses SendToReplicas and ReplicaOnly, because a
// replica may lack the last writes, and ConnLifetime, because the client may then send a change twice.
//
// A user of Redis with few rights (ACL) needs the commands and keys that the README lists.
func Open(ctx context.Context, option rueidis.ClientOption, config Config) (*DB, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	db := &DB{config: config, turns: newKeyedMutex(), purgeStart: rand.N[int]}
	db.watch = newWatch(db)
	if err := db.connect(ctx, option); err != nil {
		db.Close()
		return nil, err
	}
	db.watch.start()
	return db, nil
}

// pinged is of how many tags Ping reads a key. There are keys of each master among them, unless a master has less than
// a hundredth of the slots.
const pinged = 512

// Ping returns an error if Redis does not answer. In a Cluster, all masters are asked.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	keys := []string{db.key(userChanges, tagAt(0), "")}
	if db.client.Mode() == rueidis.ClientModeCluster {
		for n := range pinged {
			keys = append(keys, db.key(userChanges, tagAt(n), ""))
		}
	}
	_, err := db.getAll(ctx, keys)
	return err
}

// Close ends all connections. Calls of stores that are under way and later ones fail.
func (db *DB) Close() {
	if db.watch != nil {
		db.watch.stop()
	}
	if db.reader != nil {
		db.reader.Close()
	}
	if db.client != nil && db.client != db.reader {
		db.client.Close()
	}
}

// limit bounds a call by Config.Timeout.
func (db *DB) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.config.Timeout)
}
