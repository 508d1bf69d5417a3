package knox

// Looked returns how many records and ended tokens purges of s looked at.
func (s *MemoryStore) Looked() int { return s.records.Looked() + s.ended.queue.Looked() }
