package server

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// Grants implements [Store].
func (s *MemoryStore) Grants(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Grant, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	newest := func(a, b string) int { return cmp.Compare(b, a) }
	ids := first(limit, newest, func(yield func(string) bool) {
		for g := range s.live(userID, now) {
			if (after == "" || g.ID < after) && !yield(g.ID) {
				return
			}
		}
	})
	return rows(ids, func(id string) *Grant { return s.grants[id].grant }), nil
}

// GrantsByClient implements [Store].
func (s *MemoryStore) GrantsByClient(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*ClientGrants, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	all := make(map[string]*ClientGrants)
	for g := range s.live(userID, now) {
		if g.ClientID <= after {
			continue
		}
		of := all[g.ClientID]
		if of == nil {
			of = &ClientGrants{ClientID: g.ClientID, Since: g.Created}
			all[g.ClientID] = of
		}
		of.Count++
		if !of.Permissions.Cover(g.Permissions) {
			of.Permissions = of.Permissions.Add(g.Permissions)
		}
		if g.Created.Before(of.Since) {
			of.Since = g.Created
		}
		of.LastUsed = latest(of.LastUsed, g.LastUsed)
	}
	found := rows(first(limit, cmp.Compare[string], maps.Keys(all)), func(id string) *ClientGrants { return all[id] })
	for _, of := range found {
		of.Permissions = of.Permissions.Sorted()
	}
	return found, nil
}

// live returns the grants of a user that are live at now, in any order.
func (s *MemoryStore) live(userID string, now time.Time) iter.Seq[*Grant] {
	return func(yield func(*Grant) bool) {
		for id := range s.byUser[userID] {
			if g := s.grants[id].grant; g.Live(now) && !yield(g) {
				return
			}
		}
	}
}

// first returns the first of the identifiers in an order, at most limit. It holds at most
// twice as many at a time.
func first(limit int, order func(a, b string) int, ids iter.Seq[string]) []string {
	var kept []string
	cut := func() {
		slices.SortFunc(kept, order)
		kept = kept[:min(max(limit, 0), len(kept))]
	}
	for id := range ids {
		if kept = append(kept, id); len(kept) > 2*limit {
			cut()
		}
	}
	cut()
	return kept
}

// rows returns the row of each identifier.
func rows[R any](ids []string, row func(id string) R) []R {
	var all []R
	for _, id := range ids {
		all = append(all, row(id))
	}
	return all
}
