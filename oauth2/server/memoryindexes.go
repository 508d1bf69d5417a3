package server

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
