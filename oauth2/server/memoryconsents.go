package server

import (
	"cmp"
	"context"
	"time"
)

// Consent implements [Store].
func (s *MemoryStore) Consent(ctx context.Context, userID, clientID string) (*Consent, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.consents[userID][clientID], nil
}

// Withdraw implements [Store].
func (s *MemoryStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s.forget(userID, clientID)
	return s.endAll(s.byUser[userID], now, func(g *Grant) bool { return g.ClientID == clientID }), nil
}

// Consents implements [Store].
func (s *MemoryStore) Consents(ctx context.Context, userID, after string, limit int) ([]*Consent, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	consents := s.consents[userID]
	ids := first(limit, cmp.Compare[string], func(yield func(string) bool) {
		for id := range consents {
			if id > after && !yield(id) {
				return
			}
		}
	})
	return rows(ids, func(id string) *Consent { return consents[id] }), nil
}

// remember keeps the consent that a grant was given with.
func (s *MemoryStore) remember(grant *Grant, consent *Consent) {
	if s.consents[grant.UserID] == nil {
		s.consents[grant.UserID] = make(map[string]*Consent)
	}
	s.consents[grant.UserID][grant.ClientID] = consent
	indexEntry{s.consentsOf, grant.ClientID}.add(grant.UserID)
}

// forget removes a consent, if it is there.
func (s *MemoryStore) forget(userID, clientID string) {
	indexEntry{s.consentsOf, clientID}.remove(userID)
	delete(s.consents[userID], clientID)
	if len(s.consents[userID]) == 0 {
		delete(s.consents, userID)
	}
}
