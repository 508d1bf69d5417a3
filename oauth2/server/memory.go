package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/digest"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget
// everything when they end.
type MemoryStore struct {
	mu           sync.RWMutex
	clients      map[string]*Client
	interactions map[string]*Interaction
	pagesOf      map[string][]*Interaction      // by user, in order of ID
	consents     map[string]map[string]*Consent // by user and client
	grants       map[string]*grantRecord
	consentsOf   map[string]map[string]bool // users that agreed to something, by client
	owned        map[string]map[string]bool // identifiers of clients, by owner
	byUser       map[string]map[string]bool // identifiers of grants
	byClient     map[string]map[string]bool
	bySession    map[string]map[string]bool
	liveGrants   map[limitKey]*liveGrants
	codes        map[string]*Code
	refresh      map[string]*Refresh
	access       *digest.Table[accessEntry]
	once         map[string]time.Time // expiry by key
	expiring     expiring
}

// grantRecord is a grant and the digests of what is its own.
type grantRecord struct {
	grant      *Grant
	code       string
	unredeemed bool // for the code to be redeemed
	heapIndex  int  // its place in liveGrants.soon, or notTracked
	access     map[string]bool
	refresh    map[string]bool
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{
		clients: make(map[string]*Client), interactions: make(map[string]*Interaction),
		pagesOf:    make(map[string][]*Interaction),
		consents:   make(map[string]map[string]*Consent),
		consentsOf: make(map[string]map[string]bool), owned: make(map[string]map[string]bool),
		grants: make(map[string]*grantRecord), byUser: make(map[string]map[string]bool),
		byClient:  make(map[string]map[string]bool),
		bySession: make(map[string]map[string]bool), liveGrants: make(map[limitKey]*liveGrants),
		codes: make(map[string]*Code), refresh: make(map[string]*Refresh),
		access: newAccessTable(), once: make(map[string]time.Time),
	}
	s.expiring = s.newExpiring()
	return s
}

var (
	errExists  = errors.New("oauth2/server: the store has it already")
	errForeign = errors.New("oauth2/server: a token that is not of this grant")
)

// lock locks the store for a change, unless ctx has ended.
func (s *MemoryStore) lock(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

// rlock locks the store for reading, unless ctx has ended.
func (s *MemoryStore) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	return nil
}
