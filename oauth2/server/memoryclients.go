package server

import (
	"cmp"
	"context"
	"maps"
	"time"
)

// AddClient implements [Store].
func (s *MemoryStore) AddClient(ctx context.Context, client *Client, limit int) (Added, error) {
	unlock, err := s.lock(ctx)
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
	indexEntry{s.owned, client.Owner}.add(client.ID)
	return Added{}, nil
}

// Client implements [Store].
func (s *MemoryStore) Client(ctx context.Context, id string) (*Client, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.clients[id], nil
}

// ChangeClient implements [Store].
func (s *MemoryStore) ChangeClient(ctx context.Context, client *Client, was time.Time) (bool, []EndedGrant, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, nil, err
	}
	defer unlock()
	before := s.clients[client.ID]
	if before == nil || !before.Updated.Equal(was) {
		return false, nil, nil
	}
	indexEntry{s.owned, before.Owner}.remove(client.ID)
	indexEntry{s.owned, client.Owner}.add(client.ID)
	s.clients[client.ID] = client
	if !client.EndsGrants(before) {
		return true, nil, nil
	}
	return true, s.ended(s.endAll(s.byClient[client.ID], client.Updated, nil)), nil
}

// RemoveClient implements [Store].
func (s *MemoryStore) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []EndedGrant, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, nil, err
	}
	defer unlock()
	client := s.clients[id]
	if client == nil {
		return false, nil, nil
	}
	delete(s.clients, id)
	indexEntry{s.owned, client.Owner}.remove(id)
	for userID := range s.consentsOf[id] {
		s.forget(userID, id)
	}
	return true, s.ended(s.endAll(s.byClient[id], now, nil)), nil
}

// enabled reports whether there is such a client, and it may have something.
func (s *MemoryStore) enabled(id string) bool {
	c := s.clients[id]
	return c != nil && !c.Disabled
}

// Clients implements [Store].
func (s *MemoryStore) Clients(ctx context.Context, owner, after string, limit int) ([]*Client, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	all := maps.Keys(s.clients)
	if owner != "" {
		all = maps.Keys(s.owned[owner])
	}
	ids := first(limit, cmp.Compare[string], func(yield func(string) bool) {
		for id := range all {
			if id > after && !yield(id) {
				return
			}
		}
	})
	return rows(ids, func(id string) *Client { return s.clients[id] }), nil
}
