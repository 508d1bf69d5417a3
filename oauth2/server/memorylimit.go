package server

import "cmp"

// owned returns how many clients an owner has.
func (s *MemoryStore) owned(owner string) int {
	n := 0
	for _, c := range s.clients {
		if c.Owner == owner {
			n++
		}
	}
	return n
}

// surplus returns the identifiers of the grants that must end so that a new one makes at
// most limit, the oldest first. If evict is false, none may end: full reports then that
// there is no room.
func (s *MemoryStore) surplus(grant *Grant, limit int, evict bool) (ids []string, full bool) {
	rivals := s.byUser[grant.UserID]
	if grant.UserID == "" {
		rivals = s.ownByClient[grant.ClientID]
	}
	if limit <= 0 || len(rivals) < limit {
		return nil, false
	}
	var live []string
	for id := range rivals {
		if g := s.grants[id].grant; g.Live(grant.Created) && (grant.UserID == "" || g.Stamp == grant.Stamp) {
			live = append(live, id)
		}
	}
	if len(live) < limit || !evict {
		return nil, len(live) >= limit
	}
	return first(len(live)-limit+1, cmp.Compare[string], func(yield func(string) bool) {
		for _, id := range live {
			if !yield(id) {
				return
			}
		}
	}), false
}

// evicted ends the grants that made room for a new one.
func (s *MemoryStore) evicted(ids []string, grant *Grant) Added {
	for _, id := range ids {
		s.grants[id].end(grant.Created)
	}
	return Added{Evicted: ids}
}
