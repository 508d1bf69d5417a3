package jwt

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	s := &MemoryStore{logins: make(map[string]*login), tokens: make(map[string]*token), owners: make(map[string]*owner)}
	s.queue = expiry.Of(s.logins, func(l *login) time.Time { return l.until })
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
	if adopted != nil {
		if seen := s.tokens[adopted.Digest]; seen != nil {
			s.end(seen.of, family.Created)
			return Started{Seen: true, Generation: s.generation(family.UserID)}, nil
		}
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
	s.put(l, first)
	if adopted != nil {
		used := *adopted
		used.FamilyID, used.Rotated, used.Successor = family.ID, family.Created, first.Digest
		s.put(l, &used)
		l.adopted = adopted.ExpiresAt.Add(KeepExpired)
	}
	s.queue.Add(family.ID)
	return started, nil
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

// Rotate implements [Store].
func (s *MemoryStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *Refresh) (Rotation, error) {
	if err := ctx.Err(); err != nil {
		return Rotation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[old]
	if t == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	r, l := t.refresh, t.of
	family, generation := l.family, s.generation(l.family.UserID)
	switch {
	case !family.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked, Family: family}, nil
	case !family.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired, Family: family}, nil
	case !r.Rotated.IsZero():
		if sealed := s.retry(r, now, grace); sealed != nil {
			return Rotation{Verdict: Retried, Family: family, Generation: generation, Sealed: sealed}, nil
		}
		s.end(l, now)
		return Rotation{Verdict: Reused, Family: l.family}, nil
	case next.FamilyID != family.ID:
		return Rotation{}, errForeign
	case s.tokens[next.Digest] != nil:
		return Rotation{}, errExists
	}
	s.forget(l, now)
	used := *r
	used.Rotated, used.Successor, used.Sealed = now, next.Digest, nil
	t.refresh = &used
	moved := *family
	moved.LastUsed, moved.ExpiresAt = now, next.ExpiresAt
	before := l.until
	l.replace(&moved)
	if s.put(l, next); !l.until.Equal(before) {
		s.queue.Add(family.ID)
	}
	return Rotation{Verdict: Rotated, Family: &moved, Generation: generation}, nil
}

// retry returns the sealed successor of a token that was used less than grace
// ago, or nil.
func (s *MemoryStore) retry(r *Refresh, now time.Time, grace time.Duration) []byte {
	since := now.Sub(r.Rotated)
	t := s.tokens[r.Successor]
	if since <= -grace || since >= grace || t == nil || !t.refresh.Rotated.IsZero() || !now.Before(t.refresh.ExpiresAt) {
		return nil
	}
	return t.refresh.Sealed
}

// Revoked implements [Store].
func (s *MemoryStore) Revoked(ctx context.Context, c Claimed, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c.SessionID != "" {
		l := s.logins[c.SessionID]
		if l == nil || l.family.UserID != c.UserID || !l.family.Live(now) {
			return true, nil
		}
	}
	if c.Digest != "" {
		t := s.tokens[c.Digest]
		used := t != nil && !t.refresh.Rotated.IsZero() && now.Sub(t.refresh.Rotated) >= c.Grace
		if used || c.SessionID != "" && (t == nil || t.refresh.FamilyID != c.SessionID || !now.Before(t.refresh.ExpiresAt)) {
			return true, nil
		}
	}
	o := s.owners[c.UserID]
	if o == nil { // generation 0, and nothing is void
		return false, nil
	}
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
	var page []*Family
	for l := range s.owners[userID].live(now) {
		if after == "" || l.family.ID < after {
			page = append(page, l.family)
		}
	}
	slices.SortFunc(page, func(a, b *Family) int { return cmp.Compare(b.ID, a.ID) })
	return slices.Clone(page[:min(limit, len(page))]), nil
}

// End implements [Store].
func (s *MemoryStore) End(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logins[id]
	if l == nil || l.family.UserID != userID || !l.family.Live(now) {
		return false, nil
	}
	s.end(l, now)
	return true, nil
}

// EndAll implements [Store].
func (s *MemoryStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner(userID)
	var ids []string
	for l := range o.live(now) {
		if l.family.ID == kept {
			stamped := *l.family
			stamped.Stamp = stamp
			l.family = &stamped
			continue
		}
		s.end(l, now)
		ids = append(ids, l.family.ID)
	}
	if o.voided = now; kept == "" {
		o.generation++
	}
	return ids, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.Run(ctx, limit, expiry.Step(&s.mu, s.queue, now, func(id string) { s.remove(s.logins[id]) }))
}
