// Package tokencache is a cache of what was found out about tokens, for verified JWTs and for
// introspection. Its memory has a bound, and it does not keep the tokens themselves.
// docs/dependencies.md says why it is no library.
package tokencache

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// Cache has a value for each token. Its keys are hashes of a token and a secret, so that the sender
// of a token cannot choose its shard. If a shard is full, [Cache.Put] removes an entry that
// expires soon. A Cache is safe for concurrent use.
type Cache[V any] struct {
	secret [16]byte
	shards [shardCount]shard[V]
	max    int // entries of a shard
}

const shardCount = 16

type shard[V any] struct {
	mu      sync.RWMutex
	entries map[Key]entry[V]
}

// Key is the keyed hash of a token. The zero one is no token's.
type Key = [sha256.Size]byte

type entry[V any] struct {
	value V
	until time.Time
}

// New returns an empty cache for about max tokens.
func New[V any](max int) *Cache[V] {
	c := &Cache[V]{max: (max + shardCount - 1) / shardCount}
	_, _ = rand.Read(c.secret[:]) // never fails
	for i := range c.shards {
		c.shards[i].entries = make(map[Key]entry[V])
	}
	return c
}

// Key returns the key of a token. It does not allocate, whatever the length of the token.
func (c *Cache[V]) Key(token string) Key { return keyOf(&c.secret, token) }

// keyOf returns the SHA-256 of a secret and a token. It copies the token into a buffer on the
// stack, at most 512 bytes at a time, so that there is no copy of it on the heap. Most tokens fit
// at once.
func keyOf(secret *[16]byte, token string) (key Key) {
	var chunk [512]byte
	hash := sha256.New()
	n := copy(chunk[:], secret[:])
	for {
		copied := copy(chunk[n:], token)
		hash.Write(chunk[:n+copied])
		if token, n = token[copied:], 0; token == "" {
			hash.Sum(key[:0])
			return key
		}
	}
}

// Get returns the value of a token, if it has not expired at now.
func (c *Cache[V]) Get(key Key, now time.Time) (value V, ok bool) {
	s := &c.shards[key[0]%shardCount]
	s.mu.RLock()
	e, ok := s.entries[key]
	s.mu.RUnlock()
	if !ok || !now.Before(e.until) {
		return value, false
	}
	return e.value, true
}

// Put keeps a value until the instant until.
func (c *Cache[V]) Put(key Key, value V, until, now time.Time) {
	if !now.Before(until) {
		return
	}
	s := &c.shards[key[0]%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[key]; !ok && len(s.entries) >= c.max {
		s.evict(now)
	}
	s.entries[key] = entry[V]{value, until}
}

// Len returns how many values there are, expired ones included.
func (c *Cache[V]) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		s.mu.RUnlock()
	}
	return n
}

// evict looks at 8 random entries: Go ranges over a map from a random place. It removes those that
// have expired. If there is no expired one, it removes the one that expires first.
func (s *shard[V]) evict(now time.Time) {
	const look = 8
	var first Key
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
