package server

import (
	"context"
	"slices"
	"time"
)

// Approve implements [Store].
func (s *MemoryStore) Approve(ctx context.Context, a Approval) (Added, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Added{}, err
	}
	defer unlock()
	if s.answered(a) {
		return Added{Answered: true}, nil
	}
	before := s.consents[a.Grant.UserID][a.Grant.ClientID]
	if !s.enabled(a.Grant.ClientID) || a.RequireConsent && !before.Covers(a.Grant.Permissions) {
		s.markUsed(a)
		return Added{Refused: true}, nil
	}
	switch {
	case a.Code.GrantID != a.Grant.ID:
		return Added{}, errForeign
	case s.grants[a.Grant.ID] != nil || s.codes[a.Code.Digest] != nil:
		return Added{}, errExists
	}
	s.markUsed(a)
	surplus, full := s.toEvict(a.Grant, a.Limit, a.EvictOldest, true)
	if full {
		return Added{OverLimit: true}, nil
	}
	of := s.put(a.Grant)
	of.code, of.unredeemed = a.Code.Digest, a.Code.Redeemed.IsZero()
	s.codes[a.Code.Digest] = a.Code
	if a.Remember != nil {
		s.remember(a.Grant, before.Add(a.Remember))
	}
	return s.evicted(surplus, a.Grant), nil
}

// Start implements [Store].
func (s *MemoryStore) Start(ctx context.Context, grant *Grant, tokens Tokens, limit int, evict bool) (Added, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Added{}, err
	}
	defer unlock()
	switch {
	case !s.enabled(grant.ClientID):
		return Added{Refused: true}, nil
	case s.grants[grant.ID] != nil:
		return Added{}, errExists
	}
	surplus, full := s.toEvict(grant, limit, evict, false)
	if full {
		return Added{OverLimit: true}, nil
	}
	of := s.put(grant)
	if err := s.add(of, tokens); err != nil {
		s.remove(of)
		return Added{}, err
	}
	return s.evicted(surplus, grant), nil
}

// Grant implements [Store].
func (s *MemoryStore) Grant(ctx context.Context, id string) (*Grant, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if of := s.grants[id]; of != nil {
		return of.grant, nil
	}
	return nil, nil
}

// End implements [Store].
func (s *MemoryStore) End(ctx context.Context, id string, now time.Time) (bool, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	of := s.grants[id]
	if of == nil || !of.grant.Live(now) {
		return false, nil
	}
	s.end(of, now)
	return true, nil
}

// EndSession implements [Store].
func (s *MemoryStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]EndedGrant, error) {
	unlock, err := s.lock(ctx)
	if err != nil || sessionID == "" {
		if err == nil {
			unlock()
		}
		return nil, err
	}
	defer unlock()
	return s.ended(s.endAll(s.bySession[sessionID], now, func(g *Grant) bool { return !g.Offline })), nil
}

// EndAll implements [Store].
func (s *MemoryStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if of := s.grants[kept]; of != nil && of.grant.UserID == userID && of.grant.Live(now) {
		s.untrack(of)
		stamped := *of.grant
		stamped.Stamp = stamp
		of.grant = &stamped
		s.track(of)
	}
	return s.endAll(s.byUser[userID], now, func(g *Grant) bool { return g.ID != kept }), nil
}

// endAll ends those of the grants that are live and chosen (nil is all), and
// returns their identifiers in order.
func (s *MemoryStore) endAll(those map[string]bool, now time.Time, chosen func(*Grant) bool) []string {
	var ended []string
	for id := range those {
		if of := s.grants[id]; of.grant.Live(now) && (chosen == nil || chosen(of.grant)) {
			s.end(of, now)
			ended = append(ended, id)
		}
	}
	slices.Sort(ended)
	return ended
}

// end ends a grant that has not ended. It is then kept for a shorter time.
func (s *MemoryStore) end(of *grantRecord, now time.Time) {
	if !of.grant.RevokedAt.IsZero() {
		return
	}
	s.untrack(of)
	before := of.until()
	ended := *of.grant
	ended.RevokedAt = now
	if of.grant = &ended; of.until().Before(before) {
		s.expiring.grants.Add(ended.ID)
	}
}

// ended returns the rows of grants that ended.
func (s *MemoryStore) ended(ids []string) []EndedGrant {
	return rows(ids, func(id string) EndedGrant { return EndedGrant{id, s.grants[id].grant.UserID} })
}

// put adds a grant.
func (s *MemoryStore) put(g *Grant) *grantRecord {
	of := &grantRecord{grant: g, heapIndex: notTracked, access: make(map[string]bool), refresh: make(map[string]bool)}
	s.grants[g.ID] = of
	s.expiring.grants.Add(g.ID)
	for _, each := range s.indexes(g) {
		each.add(g.ID)
	}
	s.track(of)
	return of
}

// remove forgets a grant and all that is its own.
func (s *MemoryStore) remove(of *grantRecord) {
	for digest := range of.access {
		s.access.Remove(digest)
	}
	for digest := range of.refresh {
		delete(s.refresh, digest)
	}
	delete(s.codes, of.code)
	delete(s.grants, of.grant.ID)
	s.untrack(of)
	for _, each := range s.indexes(of.grant) {
		each.remove(of.grant.ID)
	}
}

// until is when a purge removes the grant.
func (of *grantRecord) until() time.Time {
	g := of.grant
	if kept := g.RevokedAt.Add(KeepEnded); !g.RevokedAt.IsZero() && kept.Before(g.ExpiresAt) {
		return kept
	}
	return g.ExpiresAt
}
