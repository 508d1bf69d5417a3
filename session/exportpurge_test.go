package session

// Looked returns how many records purges of s looked at.
func (s *MemoryStore) Looked() int { return s.records.Looked() }
