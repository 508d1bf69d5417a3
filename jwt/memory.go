package jwt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget all
// sessions when they end.
type MemoryStore struct {
	mu       sync.RWMutex
	sessions map[string]*storedSession // by the identifier of the session
	tokens   map[string]*token         // by digest
	owners   map[string]*owner         // by the identifier of the user
	queue    *expiry.Queue[string]
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{sessions: make(map[string]*storedSession), tokens: make(map[string]*token),
		owners: make(map[string]*owner)}
	s.queue = expiry.NewOfMap(s.sessions, func(l *storedSession) time.Time { return l.until })
	return s
}

var (
	errExists  = errors.New("jwt: the store has it already")
	errForeign = errors.New("jwt: the token is not of this session")
)

// Start implements [Store].
func (s *MemoryStore) Start(ctx context.Context, session *Session, first, adopted *Refresh, limit int,
	evict bool) (Started, error) {
	if err := ctx.Err(); err != nil {
		return Started{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := adopted != nil && adopted.Digest == first.Digest
	if s.seen(adopted, kept, session.Created) {
		return Started{Seen: true, Generation: s.generation(session.UserID)}, nil
	}
	if s.sessions[session.ID] != nil || s.tokens[first.Digest] != nil {
		return Started{}, errExists
	}
	if first.SessionID != session.ID {
		return Started{}, errForeign
	}
	started := Started{Generation: s.generation(session.UserID)}
	surplus := s.owners[session.UserID].surplus(session.Created, limit)
	if len(surplus) > 0 && !evict {
		started.OverLimit = true
		return started, nil
	}
	for _, oldest := range surplus {
		s.end(oldest, session.Created)
		started.Evicted = append(started.Evicted, oldest.session.ID)
	}
	l := s.add(session)
	if !kept {
		s.put(l, first)
	}
	if adopted != nil {
		s.adopt(l, session, first, adopted)
	}
	s.queue.Add(session.ID)
	return started, nil
}

// seen reports whether a token of another system was adopted before, and then ends its
// session unless the token stays good.
func (s *MemoryStore) seen(adopted *Refresh, kept bool, now time.Time) bool {
	if adopted == nil || s.tokens[adopted.Digest] == nil {
		return false
	}
	if !kept {
		s.end(s.tokens[adopted.Digest].of, now)
	}
	return true
}

// adopt adds a token of another system to a session: as the first one, if it has the digest
// of that, and otherwise as rotated into it.
func (s *MemoryStore) adopt(l *storedSession, session *Session, first, adopted *Refresh) {
	taken := *first
	if adopted.Digest != first.Digest {
		taken = *adopted
		taken.SessionID, taken.Rotated, taken.Successor = session.ID, session.Created, first.Digest
	}
	taken.Adopted = true
	s.put(l, &taken)
	l.adopted = taken.ExpiresAt.Add(KeepExpired)
}

// Find implements [Store].
func (s *MemoryStore) Find(ctx context.Context, digest string) (*Refresh, *Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tokens[digest]
	if t == nil {
		return nil, nil, nil
	}
	return t.refresh, t.of.session, nil
}
