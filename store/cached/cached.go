// Package cached puts a cache in front of a store, in the memory of the process. A token or session that was
// looked up a moment ago is then not looked up again.
//
//	store, err := sqlstore.Knox(ctx, db)
//	fast, err := cached.Knox(store, cached.Config{TTL: 10 * time.Second})
//	tokens, err := knox.New(knox.Config{Store: fast, …})
//
// Use it where the check of a token is too slow with the engine that you run, and several instances of a service
// share that engine. A store in memory, and SQLite in one process, are fast enough without it.
//
// # What is lost
//
// What this process revokes through the cached store is refused by each check that begins after it. A check that is
// under way may still find the token, as it may without a cache, but what it found is not kept. What another process
// revokes, or a query of your own, is believed here for at most [Config].TTL longer. With PostgreSQL, package
// pgnotify tells the caches of all instances at once.
//
// Nothing else changes. A store decides what may happen once, such as the use of a code or a refresh token, and it
// is asked each time. A token that is not found is not kept, so strangers cannot fill the cache. Errors are not
// kept. A token that has expired according to the cache is looked up again, because another process may have
// prolonged it.
//
// A revocation that returns an error may have happened or not. The cache then forgets the user or client that the
// call names, or everything if it is not known what the call concerns.
package cached

import (
	"fmt"
	"time"

	"github.com/gatewarden/auth"
)

// Config bounds a cache.
type Config struct {
	// TTL is how long a record that was read is believed, from the beginning of that read. So it is the longest
	// that a revocation by another process may take to be seen here. It is required, and at most a minute.
	TTL time.Duration
	// Max is the most records kept. Each is as large as the store's. 0 is 10,000.
	Max int
}

const (
	maxTTL     = time.Minute
	defaultMax = 10_000
)

// checked returns the configuration with its defaults.
func (c Config) checked() (Config, error) {
	if c.TTL <= 0 || c.TTL > maxTTL {
		return c, fmt.Errorf("cached: Config.TTL is %v; it must be more than 0 and at most %v", c.TTL, maxTTL)
	}
	if c.Max < 0 {
		return c, fmt.Errorf("cached: Config.Max is %d, which is negative", c.Max)
	}
	if c.Max == 0 {
		c.Max = defaultMax
	}
	return c, nil
}

// Cache is a cache that is told what changed elsewhere. Every store of this package is one, and so is
// [auth.CachedUsers]. Its methods are safe for concurrent use.
type Cache interface {
	// Forget drops what is kept of a user. A read that is under way keeps nothing of the user. What is kept of
	// an OAuth client is dropped by the UserID of [auth.Machine], which is "client:" and the client's ID.
	Forget(userID string)
	// ForgetAll drops everything, as Forget does.
	ForgetAll()
	// Suspend drops everything, and keeps nothing until resume is called: every call goes to the store. Use it
	// while changes elsewhere cannot be heard. Further calls of resume do nothing. If Suspend was called
	// several times, each resume must be called.
	Suspend() (resume func())
}

var (
	_ Cache = (*KnoxStore)(nil)
	_ Cache = (*SessionStore)(nil)
	_ Cache = (*OAuthStore)(nil)
	_ Cache = (*JWTStore)(nil)
	_ Cache = (*auth.CachedUsers)(nil)
)
