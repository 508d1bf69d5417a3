package jwt

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// cache remembers tokens that were verified. Its keys are hashes of tokens,
// keyed so that nobody outside can choose where one falls, and of tokens nothing
// else is kept. It is bounded: a full shard gives up what expires first of a few
// it looks at. Only tokens that an issuer signed get in, so strangers cannot
// flush it. docs/dependencies.md says why it is no library.
type cache struct {
	secret [32]byte
	shards [16]shard
	max    int // entries of a shard
	ttl    time.Duration
}

type shard struct {
	mu      sync.RWMutex
	entries map[digest]*entry
}

type digest = [sha256.Size]byte

// entry is a verified token, good while its issuer has these keys.
type entry struct {
	*verified
	keys  *KeySet
	until time.Time
}

func newCache(max int, ttl time.Duration) *cache {
	c := &cache{max: (max + 15) / 16, ttl: ttl}
	_, _ = rand.Read(c.secret[:]) // never fails
	for i := range c.shards {
		c.shards[i].entries = make(map[digest]*entry)
	}
	return c
}

// key is the keyed hash of a token. The buffer is on the stack where the token
// has a usual length.
func (c *cache) key(token string) digest {
	var room [1024]byte
	text := append(append(room[:0], c.secret[:]...), token...)
	return sha256.Sum256(text)
}

func (c *cache) get(key digest, now time.Time) *entry {
	s := &c.shards[key[0]%16]
	s.mu.RLock()
	e := s.entries[key]
	s.mu.RUnlock()
	if e == nil || !now.Before(e.until) {
		return nil
	}
	return e
}

// put remembers a token until it expires, and at most ttl. Keys that have
// changed make an entry worthless, but it stays until it is replaced.
func (c *cache) put(key digest, v *verified, keys *KeySet, now time.Time) {
	until := now.Add(c.ttl)
	if expires := v.token.expires; !expires.IsZero() && expires.Before(until) {
		until = expires
	}
	if !now.Before(until) { // one that only leeway lets through
		return
	}
	s := &c.shards[key[0]%16]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[key]; !ok && len(s.entries) >= c.max {
		s.makeRoom(now)
	}
	s.entries[key] = &entry{v, keys, until}
}

// makeRoom removes the expired ones of a few entries, or the one of them that
// expires first. Where a walk over a map begins is chance.
func (s *shard) makeRoom(now time.Time) {
	const look = 8
	var first digest
	var until time.Time
	looked, removed := 0, 0
	for key, e := range s.entries {
		if !now.Before(e.until) {
			delete(s.entries, key)
			removed++
		} else if until.IsZero() || e.until.Before(until) {
			first, until = key, e.until
		}
		if looked++; looked == look {
			break
		}
	}
	if removed == 0 {
		delete(s.entries, first)
	}
}
