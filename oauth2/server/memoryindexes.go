package server

// place is where identifiers are kept that have something in common.
type indexEntry struct {
	index map[string]map[string]bool
	key   string
}

func (p indexEntry) add(id string) {
	if p.index[p.key] == nil {
		p.index[p.key] = make(map[string]bool)
	}
	p.index[p.key][id] = true
}

func (p indexEntry) remove(id string) {
	delete(p.index[p.key], id)
	if len(p.index[p.key]) == 0 {
		delete(p.index, p.key)
	}
}

// indexes are where the grant's identifier is found.
func (s *MemoryStore) indexes(g *Grant) []indexEntry {
	return []indexEntry{{s.byUser, g.UserID}, {s.byClient, g.ClientID}, {s.bySession, g.SessionID}}
}
