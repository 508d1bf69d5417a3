package jwt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget all
// logins when they end.
type MemoryStore struct {
	mu     sync.RWMutex
	logins map[string]*login // by the identifier of the family
	tokens map[string]*token // by digest
	owners map[string]*owner // by the identifier of the user
	queue  *expiry.Queue[string]
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{logins: make(map[string]*login), tokens: make(map[string]*token),
		owners: make(map[string]*owner)}
	s.queue = expiry.NewOfMap(s.logins, func(l *login) time.Time { return l.until })
	return s
}

var (
	errExists  = errors.New("jwt: the store has it already")
	errForeign = errors.New("jwt: the token is not of this family")
)

// Start implements [Store].
func (s *MemoryStore) Start(ctx context.Context, family *Family, first, adopted *Refresh, limit int,
	evict bool) (Started, error) {
	if err := ctx.Err(); err != nil {
		return Started{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := adopted != nil && adopted.Digest == first.Digest
	if s.seen(adopted, kept, family.Created) {
		return Started{Seen: true, Generation: s.generation(family.UserID)}, nil
	}
	if s.logins[family.ID] != nil || s.tokens[first.Digest] != nil {
		return Started{}, errExists
	}
	if first.FamilyID != family.ID {
		return Started{}, errForeign
	}
	started := Started{Generation: s.generation(family.UserID)}
	surplus := s.owners[family.UserID].surplus(family.Created, limit)
	if len(surplus) > 0 && !evict {
		started.OverLimit = true
		return started, nil
	}
	for _, oldest := range surplus {
		s.end(oldest, family.Created)
		started.Evicted = append(started.Evicted, oldest.family.ID)
	}
	l := s.add(family)
	if !kept {
		s.put(l, first)
	}
	if adopted != nil {
		s.adopt(l, family, first, adopted)
	}
	s.queue.Add(family.ID)
	return started, nil
}

// seen reports whether a token of another system was adopted before, and then ends its
// login unless the token stays good.
func (s *MemoryStore) seen(adopted *Refresh, kept bool, now time.Time) bool {
	if adopted == nil || s.tokens[adopted.Digest] == nil {
		return false
	}
	if !kept {
		s.end(s.tokens[adopted.Digest].of, now)
	}
	return true
}

// adopt adds a token of another system to a login: as the first one, if it has the digest
// of that, and otherwise as rotated into it.
func (s *MemoryStore) adopt(l *login, family *Family, first, adopted *Refresh) {
	taken := *first
	if adopted.Digest != first.Digest {
		taken = *adopted
		taken.FamilyID, taken.Rotated, taken.Successor = family.ID, family.Created, first.Digest
	}
	taken.Adopted = true
	s.put(l, &taken)
	l.adopted = taken.ExpiresAt.Add(KeepExpired)
}

// Find implements [Store].
func (s *MemoryStore) Find(ctx context.Context, digest string) (*Refresh, *Family, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tokens[digest]
	if t == nil {
		return nil, nil, nil
	}
	return t.refresh, t.of.family, nil
}
