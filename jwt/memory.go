package jwt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] in memory, for tests and programs that may forget all
// logins when they end.
type MemoryStore struct {
	mu       sync.RWMutex
	families map[string]*Family
	byUser   map[string]map[string]bool // identifiers of families
	tokens   map[string]*Refresh        // by digest
	byFamily map[string][]string        // digests
	owners   map[string]owner
}

// owner is what is known of a user: the generation, and until when everything
// of theirs is void.
type owner struct {
	generation int64
	voided     time.Time
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{families: make(map[string]*Family), byUser: make(map[string]map[string]bool),
		tokens: make(map[string]*Refresh), byFamily: make(map[string][]string), owners: make(map[string]owner)}
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
	if adopted != nil {
		if seen := s.tokens[adopted.Digest]; seen != nil {
			s.end(s.families[seen.FamilyID], family.Created)
			return Started{Seen: true, Generation: s.owners[family.UserID].generation}, nil
		}
	}
	if s.families[family.ID] != nil || s.tokens[first.Digest] != nil {
		return Started{}, errExists
	}
	if first.FamilyID != family.ID {
		return Started{}, errForeign
	}
	started := Started{Generation: s.owners[family.UserID].generation}
	surplus := s.surplus(family.UserID, family.Created, limit)
	if len(surplus) > 0 && !evict {
		started.OverLimit = true
		return started, nil
	}
	for _, oldest := range surplus {
		s.end(oldest, family.Created)
		started.Evicted = append(started.Evicted, oldest.ID)
	}
	s.families[family.ID] = family
	if s.byUser[family.UserID] == nil {
		s.byUser[family.UserID] = make(map[string]bool)
	}
	s.byUser[family.UserID][family.ID] = true
	s.put(first)
	if adopted != nil {
		used := *adopted
		used.FamilyID, used.Rotated, used.Successor = family.ID, family.Created, first.Digest
		s.put(&used)
	}
	return started, nil
}

// surplus returns the families of a user that must end so that one more makes at most
// limit, the oldest first.
func (s *MemoryStore) surplus(userID string, now time.Time, limit int) []*Family {
	if limit <= 0 || len(s.byUser[userID]) < limit {
		return nil
	}
	live := s.live(userID, now, func(*Family) bool { return true })
	if len(live) < limit {
		return nil
	}
	slices.SortFunc(live, func(a, b *Family) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return live[:len(live)-limit+1]
}

// put adds a token.
func (s *MemoryStore) put(r *Refresh) {
	s.tokens[r.Digest] = r
	s.byFamily[r.FamilyID] = append(s.byFamily[r.FamilyID], r.Digest)
}

// end ends a family, if it has not ended yet.
func (s *MemoryStore) end(family *Family, now time.Time) {
	if family.RevokedAt.IsZero() {
		ended := *family
		ended.RevokedAt = now
		s.families[family.ID] = &ended
	}
}

// Find implements [Store].
func (s *MemoryStore) Find(ctx context.Context, digest string) (*Refresh, *Family, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.tokens[digest]
	if r == nil {
		return nil, nil, nil
	}
	return r, s.families[r.FamilyID], nil
}

// Rotate implements [Store].
func (s *MemoryStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *Refresh) (Rotation, error) {
	if err := ctx.Err(); err != nil {
		return Rotation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.tokens[old]
	if r == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	family := s.families[r.FamilyID]
	generation := s.owners[family.UserID].generation
	switch {
	case !family.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked, Family: family}, nil
	case !family.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired, Family: family}, nil
	case !r.Rotated.IsZero():
		if sealed := s.retry(r, now, grace); sealed != nil {
			return Rotation{Verdict: Retried, Family: family, Generation: generation, Sealed: sealed}, nil
		}
		s.end(family, now)
		return Rotation{Verdict: Reused, Family: s.families[family.ID]}, nil
	case next.FamilyID != family.ID:
		return Rotation{}, errForeign
	case s.tokens[next.Digest] != nil:
		return Rotation{}, errExists
	}
	s.forget(family.ID, now)
	used := *r
	used.Rotated, used.Successor, used.Sealed = now, next.Digest, nil
	s.tokens[old] = &used
	s.put(next)
	moved := *family
	moved.LastUsed, moved.ExpiresAt = now, next.ExpiresAt
	s.families[family.ID] = &moved
	return Rotation{Verdict: Rotated, Family: &moved, Generation: generation}, nil
}

// forget removes tokens of a family that nobody can present any more: the oldest
// ones, which are the first to expire. Looking at all of them would cost more
// with every refresh.
func (s *MemoryStore) forget(familyID string, now time.Time) {
	digests := s.byFamily[familyID]
	for len(digests) > 0 && s.forgotten(digests[0], now) {
		delete(s.tokens, digests[0])
		digests = digests[1:]
	}
	s.byFamily[familyID] = digests
}

// forgotten reports a token that nobody can present any more.
func (s *MemoryStore) forgotten(digest string, now time.Time) bool {
	return !now.Before(s.tokens[digest].ExpiresAt.Add(KeepExpired))
}

// retry returns the sealed successor of a token that was used less than grace
// ago, or nil.
func (s *MemoryStore) retry(r *Refresh, now time.Time, grace time.Duration) []byte {
	since := now.Sub(r.Rotated)
	successor := s.tokens[r.Successor]
	if since <= -grace || since >= grace || successor == nil || !successor.Rotated.IsZero() || !now.Before(successor.ExpiresAt) {
		return nil
	}
	return successor.Sealed
}

// Revoked implements [Store].
func (s *MemoryStore) Revoked(ctx context.Context, c Claimed, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c.SessionID != "" {
		family := s.families[c.SessionID]
		if family == nil || family.UserID != c.UserID || !family.Live(now) {
			return true, nil
		}
	}
	if c.Digest != "" {
		r := s.tokens[c.Digest]
		used := r != nil && !r.Rotated.IsZero() && now.Sub(r.Rotated) >= c.Grace
		if used || c.SessionID != "" && (r == nil || r.FamilyID != c.SessionID || !now.Before(r.ExpiresAt)) {
			return true, nil
		}
	}
	o := s.owners[c.UserID]
	if c.Generation < 0 {
		return !o.voided.IsZero() && !c.IssuedAt.After(o.voided), nil
	}
	return c.Generation < o.generation, nil
}

// List implements [Store].
func (s *MemoryStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Family, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := s.live(userID, now, func(f *Family) bool { return after == "" || f.ID < after })
	slices.SortFunc(page, func(a, b *Family) int { return cmp.Compare(b.ID, a.ID) })
	return slices.Clone(page[:min(limit, len(page))]), nil
}

// live returns the live families of a user for which counts is true.
func (s *MemoryStore) live(userID string, now time.Time, counts func(*Family) bool) []*Family {
	var live []*Family
	for id := range s.byUser[userID] {
		if family := s.families[id]; family.Live(now) && counts(family) {
			live = append(live, family)
		}
	}
	return live
}

// End implements [Store].
func (s *MemoryStore) End(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	family := s.families[id]
	if family == nil || family.UserID != userID || !family.Live(now) {
		return false, nil
	}
	s.end(family, now)
	return true, nil
}

// EndAll implements [Store].
func (s *MemoryStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, family := range s.live(userID, now, func(*Family) bool { return true }) {
		if family.ID == kept {
			stamped := *family
			stamped.Stamp = stamp
			s.families[kept] = &stamped
			continue
		}
		s.end(family, now)
		ids = append(ids, family.ID)
	}
	o := s.owners[userID]
	if o.voided = now; kept == "" {
		o.generation++
	}
	s.owners[userID] = o
	return ids, nil
}

// Purge implements [Store].
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	purged := 0
	for id, family := range s.families {
		if purged == limit {
			break
		}
		if now.Before(family.ExpiresAt) || slices.ContainsFunc(s.byFamily[id], func(digest string) bool { return !s.forgotten(digest, now) }) {
			continue
		}
		for _, digest := range s.byFamily[id] {
			delete(s.tokens, digest)
		}
		delete(s.byFamily, id)
		delete(s.families, id)
		delete(s.byUser[family.UserID], id)
		if len(s.byUser[family.UserID]) == 0 {
			delete(s.byUser, family.UserID)
		}
		purged++
	}
	return purged, nil
}
