// Package remember keeps what was found out about tokens, for a while: what the
// caches of verified tokens share. docs/dependencies.md says why it is no library.
package remember

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// Tokens remembers a value for each token. Its keys are hashes of tokens, keyed so
// that strangers cannot choose where one falls, and of tokens nothing else is
// kept. It is bounded: a full shard gives up what expires first of a few it looks
// at. It is safe for concurrent use.
type Tokens[V any] struct {
	secret [16]byte
	shards [16]shard[V]
	max    int // entries of a shard
}

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

// New returns room for about max tokens.
func New[V any](max int) *Tokens[V] {
	t := &Tokens[V]{max: (max + 15) / 16}
	_, _ = rand.Read(t.secret[:]) // never fails
	for i := range t.shards {
		t.shards[i].entries = make(map[Key]entry[V])
	}
	return t
}

// Key returns the key of a token. It does not allocate, whatever the length of the token.
func (t *Tokens[V]) Key(token string) Key { return hashOf(&t.secret, token) }

// hashOf returns the SHA-256 of a secret and a token. It takes the token in pieces, of
// which most tokens have one, so that there is no copy of it on the heap.
func hashOf(secret *[16]byte, token string) (key Key) {
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

// Get returns what is remembered of a token, if it is not over at now.
func (t *Tokens[V]) Get(key Key, now time.Time) (value V, ok bool) {
	s := &t.shards[key[0]%16]
	s.mu.RLock()
	e, ok := s.entries[key]
	s.mu.RUnlock()
	if !ok || !now.Before(e.until) {
		return value, false
	}
	return e.value, true
}

// Put remembers a value until then.
func (t *Tokens[V]) Put(key Key, value V, until, now time.Time) {
	if !now.Before(until) {
		return
	}
	s := &t.shards[key[0]%16]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[key]; !ok && len(s.entries) >= t.max {
		s.makeRoom(now)
	}
	s.entries[key] = entry[V]{value, until}
}

// Len returns how many tokens are remembered, those that are over among them.
func (t *Tokens[V]) Len() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		s.mu.RUnlock()
	}
	return n
}

// makeRoom removes the expired ones of a few entries, or the one of them that
// expires first. Where a walk over a map begins is chance.
func (s *shard[V]) makeRoom(now time.Time) {
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
