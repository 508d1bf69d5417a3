package jwt

import (
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/tokencache"
)

// cache remembers tokens that were verified. Only tokens that an issuer signed get
// in, so strangers cannot flush it.
type cache struct {
	*tokencache.Cache[entry]
	ttl time.Duration
}

// entry is a verified token, good while its issuer has these keys.
type entry struct {
	*verified
	keys *KeySet
}

func newCache(max int, ttl time.Duration) *cache {
	return &cache{tokencache.New[entry](max), ttl}
}

// put remembers a token until it expires, and at most ttl. Keys that have
// changed make an entry worthless, but it stays until it is replaced. One that
// only leeway lets through is not remembered.
func (c *cache) put(key tokencache.Key, v *verified, keys *KeySet, now time.Time) {
	c.Put(key, entry{v, keys}, backend.Earlier(v.token.expires, now.Add(c.ttl)), now)
}
