package server

import (
	"context"
	"errors"
	"slices"
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
	consents     map[string]map[string]*Consent // by user and client
	grants       map[string]*issued
	consentsOf   map[string]map[string]bool // users that agreed to something, by client
	owned        map[string]map[string]bool // identifiers of clients, by owner
	byUser       map[string]map[string]bool // identifiers of grants
	byClient     map[string]map[string]bool
	bySession    map[string]map[string]bool
	rivals       map[rivalry]*rivals
	codes        map[string]*Code
	refresh      map[string]*Refresh
	access       *digest.Table[accessEntry]
	once         map[string]time.Time // expiry by key
	expiring     expiring
}

// issued is a grant and the digests of what is its own.
type issued struct {
	grant   *Grant
	code    string
	waiting bool // for the code to be redeemed
	soon    int  // where it is in rivals.soon, or notRival
	access  map[string]bool
	refresh map[string]bool
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{
		clients: make(map[string]*Client), interactions: make(map[string]*Interaction), consents: make(map[string]map[string]*Consent),
		consentsOf: make(map[string]map[string]bool), owned: make(map[string]map[string]bool),
		grants: make(map[string]*issued), byUser: make(map[string]map[string]bool), byClient: make(map[string]map[string]bool),
		bySession: make(map[string]map[string]bool), rivals: make(map[rivalry]*rivals),
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

// change locks the store for a change, unless ctx has ended.
func (s *MemoryStore) change(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

// look locks the store for reading, unless ctx has ended.
func (s *MemoryStore) look(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	return nil
}

// AddClient implements [Store].
func (s *MemoryStore) AddClient(ctx context.Context, client *Client, limit int) (Added, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return Added{}, err
	}
	defer unlock()
	switch {
	case s.clients[client.ID] != nil:
		return Added{Refused: true}, nil
	case limit > 0 && len(s.owned[client.Owner]) >= limit:
		return Added{OverLimit: true}, nil
	}
	s.clients[client.ID] = client
	place{s.owned, client.Owner}.add(client.ID)
	return Added{}, nil
}

// Client implements [Store].
func (s *MemoryStore) Client(ctx context.Context, id string) (*Client, error) {
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.clients[id], nil
}

// ChangeClient implements [Store].
func (s *MemoryStore) ChangeClient(ctx context.Context, client *Client, was time.Time) (bool, []Ended, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, nil, err
	}
	defer unlock()
	before := s.clients[client.ID]
	if before == nil || !before.Updated.Equal(was) {
		return false, nil, nil
	}
	place{s.owned, before.Owner}.remove(client.ID)
	place{s.owned, client.Owner}.add(client.ID)
	s.clients[client.ID] = client
	if !client.Disabled {
		return true, nil, nil
	}
	return true, s.ended(s.endAll(s.byClient[client.ID], client.Updated, nil)), nil
}

// RemoveClient implements [Store].
func (s *MemoryStore) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []Ended, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, nil, err
	}
	defer unlock()
	client := s.clients[id]
	if client == nil {
		return false, nil, nil
	}
	delete(s.clients, id)
	place{s.owned, client.Owner}.remove(id)
	for userID := range s.consentsOf[id] {
		s.forget(userID, id)
	}
	return true, s.ended(s.endAll(s.byClient[id], now, nil)), nil
}

// Pend implements [Store].
func (s *MemoryStore) Pend(ctx context.Context, interaction *Interaction) error {
	unlock, err := s.change(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.interactions[interaction.Digest] != nil {
		return errExists
	}
	s.interactions[interaction.Digest] = interaction
	s.expiring.interactions.Add(interaction.Digest)
	return nil
}

// Pending implements [Store].
func (s *MemoryStore) Pending(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if i := s.interactions[digest]; i != nil && now.Before(i.ExpiresAt) {
		return i, nil
	}
	return nil, nil
}

// Take implements [Store].
func (s *MemoryStore) Take(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	i := s.interactions[digest]
	if i == nil || !now.Before(i.ExpiresAt) {
		return nil, nil
	}
	delete(s.interactions, digest)
	return i, nil
}

// Consent implements [Store].
func (s *MemoryStore) Consent(ctx context.Context, userID, clientID string) (*Consent, error) {
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.consents[userID][clientID], nil
}

// Withdraw implements [Store].
func (s *MemoryStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s.forget(userID, clientID)
	return s.endAll(s.byUser[userID], now, func(g *Grant) bool { return g.ClientID == clientID }), nil
}

// enabled reports whether there is such a client, and it may have something.
func (s *MemoryStore) enabled(id string) bool {
	c := s.clients[id]
	return c != nil && !c.Disabled
}

// Approve implements [Store].
func (s *MemoryStore) Approve(ctx context.Context, a Approval) (Added, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return Added{}, err
	}
	defer unlock()
	before := s.consents[a.Grant.UserID][a.Grant.ClientID]
	if !s.enabled(a.Grant.ClientID) || a.Recall && !before.Covers(a.Grant.Scopes, a.Grant.Resources) {
		return Added{Refused: true}, nil
	}
	switch {
	case a.Code.GrantID != a.Grant.ID:
		return Added{}, errForeign
	case s.grants[a.Grant.ID] != nil || s.codes[a.Code.Digest] != nil:
		return Added{}, errExists
	}
	surplus, full := s.surplus(a.Grant, a.Limit, a.EvictOldest, true)
	if full {
		return Added{OverLimit: true}, nil
	}
	of := s.put(a.Grant)
	of.code, of.waiting = a.Code.Digest, a.Code.Redeemed.IsZero()
	s.codes[a.Code.Digest] = a.Code
	if a.Remember != nil {
		s.remember(a.Grant, before.Add(a.Remember))
	}
	return s.evicted(surplus, a.Grant), nil
}

// Add returns the consent with what more has, as Store.Approve remembers it. A
// nil consent is more itself.
func (c *Consent) Add(more *Consent) *Consent {
	if c == nil {
		return more
	}
	sum := *c
	sum.Scopes = union(c.Scopes, more.Scopes)
	sum.Resources = union(c.Resources, more.Resources)
	sum.Updated = more.Updated
	return &sum
}

// union puts what is new in more behind all.
func union(all, more []string) []string {
	all = slices.Clone(all)
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// put adds a grant.
func (s *MemoryStore) put(g *Grant) *issued {
	of := &issued{grant: g, soon: notRival, access: make(map[string]bool), refresh: make(map[string]bool)}
	s.grants[g.ID] = of
	s.expiring.grants.Add(g.ID)
	for _, each := range s.indexes(g) {
		each.add(g.ID)
	}
	s.compete(of)
	return of
}

// place is where identifiers are kept that have something in common.
type place struct {
	by map[string]map[string]bool
	of string
}

func (p place) add(id string) {
	if p.by[p.of] == nil {
		p.by[p.of] = make(map[string]bool)
	}
	p.by[p.of][id] = true
}

func (p place) remove(id string) {
	delete(p.by[p.of], id)
	if len(p.by[p.of]) == 0 {
		delete(p.by, p.of)
	}
}

// indexes are where the grant's identifier is found.
func (s *MemoryStore) indexes(g *Grant) []place {
	return []place{{s.byUser, g.UserID}, {s.byClient, g.ClientID}, {s.bySession, g.SessionID}}
}

// add adds tokens to a grant.
func (s *MemoryStore) add(of *issued, tokens Tokens) error {
	a, r := tokens.Access, tokens.Refresh
	switch {
	case a.GrantID != of.grant.ID || r != nil && r.GrantID != of.grant.ID:
		return errForeign
	case s.access.Get(a.Digest) != nil || r != nil && s.refresh[r.Digest] != nil:
		return errExists
	}
	s.access.Put(&accessEntry{a, of})
	s.expiring.access.Add(a.Digest)
	of.access[a.Digest] = true
	if r != nil {
		s.refresh[r.Digest] = r
		s.expiring.refresh.Add(r.Digest)
		of.refresh[r.Digest] = true
	}
	return nil
}

// move says when a grant was used last and when it expires.
func (s *MemoryStore) move(of *issued, now, expires time.Time) {
	before, moved := of.grant.ExpiresAt, *of.grant
	moved.LastUsed, moved.ExpiresAt = now, expires
	if of.grant = &moved; !expires.Equal(before) {
		s.expiring.grants.Add(moved.ID)
		s.compete(of)
	}
}

// end ends a grant that has not ended. It is then kept for a shorter time.
func (s *MemoryStore) end(of *issued, now time.Time) {
	if !of.grant.RevokedAt.IsZero() {
		return
	}
	s.retire(of)
	before := of.until()
	ended := *of.grant
	ended.RevokedAt = now
	if of.grant = &ended; of.until().Before(before) {
		s.expiring.grants.Add(ended.ID)
	}
}

// until is when a purge removes the grant.
func (of *issued) until() time.Time {
	g := of.grant
	if kept := g.RevokedAt.Add(KeepEnded); !g.RevokedAt.IsZero() && kept.Before(g.ExpiresAt) {
		return kept
	}
	return g.ExpiresAt
}

// ended returns the rows of grants that ended.
func (s *MemoryStore) ended(ids []string) []Ended {
	return rows(ids, func(id string) Ended { return Ended{id, s.grants[id].grant.UserID} })
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

// FindCode implements [Store].
func (s *MemoryStore) FindCode(ctx context.Context, digest string) (*Code, *Grant, error) {
	if err := s.look(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.RUnlock()
	c := s.codes[digest]
	if c == nil {
		return nil, nil, nil
	}
	return c, s.grants[c.GrantID].grant, nil
}

// Redeem implements [Store].
func (s *MemoryStore) Redeem(ctx context.Context, digest string, now time.Time, tokens Tokens) (Verdict, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return Unknown, err
	}
	defer unlock()
	c := s.codes[digest]
	if c == nil {
		return Unknown, nil
	}
	of := s.grants[c.GrantID]
	switch {
	case !of.grant.RevokedAt.IsZero():
		return Revoked, nil
	case !c.Redeemed.IsZero():
		s.end(of, now)
		return Reused, nil
	case !of.grant.Live(now) || !now.Before(c.ExpiresAt):
		return Expired, nil
	}
	if err := s.add(of, tokens); err != nil {
		return Unknown, err
	}
	used := *c
	used.Redeemed = now
	s.codes[digest], of.waiting = &used, false
	s.move(of, now, tokens.ExpiresAt())
	return Redeemed, nil
}

// Start implements [Store].
func (s *MemoryStore) Start(ctx context.Context, grant *Grant, tokens Tokens, limit int, evict bool) (Added, error) {
	unlock, err := s.change(ctx)
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
	surplus, full := s.surplus(grant, limit, evict, false)
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

// FindRefresh implements [Store].
func (s *MemoryStore) FindRefresh(ctx context.Context, digest string) (*Refresh, *Grant, error) {
	if err := s.look(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.RUnlock()
	r := s.refresh[digest]
	if r == nil {
		return nil, nil, nil
	}
	return r, s.grants[r.GrantID].grant, nil
}

// Rotate implements [Store].
func (s *MemoryStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens Tokens) (Rotation, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return Rotation{}, err
	}
	defer unlock()
	r := s.refresh[old]
	if r == nil {
		return Rotation{Verdict: Unknown}, nil
	}
	of := s.grants[r.GrantID]
	switch {
	case !of.grant.RevokedAt.IsZero():
		return Rotation{Verdict: Revoked}, nil
	case !of.grant.Live(now) || !now.Before(r.ExpiresAt):
		return Rotation{Verdict: Expired}, nil
	case !r.Rotated.IsZero():
		sealed := s.retry(r, now, grace)
		if sealed == nil {
			s.end(of, now)
			return Rotation{Verdict: Reused}, nil
		}
		if err := s.add(of, Tokens{Access: tokens.Access}); err != nil {
			return Rotation{}, err
		}
		s.move(of, now, latest(of.grant.ExpiresAt, tokens.Access.ExpiresAt))
		return Rotation{Verdict: Retried, Sealed: sealed}, nil
	}
	if err := s.add(of, tokens); err != nil {
		return Rotation{}, err
	}
	used := *r
	used.Rotated, used.Successor, used.Sealed = now, tokens.Refresh.Digest, nil
	s.refresh[old] = &used
	s.move(of, now, tokens.ExpiresAt())
	return Rotation{Verdict: Redeemed}, nil
}

// retry returns the sealed successor of a token that was used less than grace
// ago, or nil.
func (s *MemoryStore) retry(r *Refresh, now time.Time, grace time.Duration) []byte {
	since := now.Sub(r.Rotated)
	successor := s.refresh[r.Successor]
	if since <= -grace || since >= grace || successor == nil || !successor.Rotated.IsZero() || !now.Before(successor.ExpiresAt) {
		return nil
	}
	return successor.Sealed
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// AddAccess implements [Store].
func (s *MemoryStore) AddAccess(ctx context.Context, access *Access, now time.Time) (bool, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	of := s.grants[access.GrantID]
	if of == nil || !of.grant.Live(now) {
		return false, nil
	}
	if err := s.add(of, Tokens{Access: access}); err != nil {
		return false, err
	}
	s.move(of, now, latest(of.grant.ExpiresAt, access.ExpiresAt))
	return true, nil
}

// RemoveAccess implements [Store].
func (s *MemoryStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	e := s.access.Get(digest)
	if e == nil {
		return false, nil
	}
	s.access.Remove(digest)
	delete(e.of.access, digest)
	return true, nil
}

// Grant implements [Store].
func (s *MemoryStore) Grant(ctx context.Context, id string) (*Grant, error) {
	if err := s.look(ctx); err != nil {
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
	unlock, err := s.change(ctx)
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
func (s *MemoryStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]Ended, error) {
	unlock, err := s.change(ctx)
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
	unlock, err := s.change(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if of := s.grants[kept]; of != nil && of.grant.UserID == userID && of.grant.Live(now) {
		s.retire(of)
		stamped := *of.grant
		stamped.Stamp = stamp
		of.grant = &stamped
		s.compete(of)
	}
	return s.endAll(s.byUser[userID], now, func(g *Grant) bool { return g.ID != kept }), nil
}

// PutOnce implements [Store].
func (s *MemoryStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	if until, ok := s.once[key]; ok && now.Before(until) {
		return false, nil
	}
	s.once[key] = expires
	s.expiring.once.Add(key)
	return true, nil
}

// remove forgets a grant and all that is its own.
func (s *MemoryStore) remove(of *issued) {
	for digest := range of.access {
		s.access.Remove(digest)
	}
	for digest := range of.refresh {
		delete(s.refresh, digest)
	}
	delete(s.codes, of.code)
	delete(s.grants, of.grant.ID)
	s.retire(of)
	for _, each := range s.indexes(of.grant) {
		each.remove(of.grant.ID)
	}
}
