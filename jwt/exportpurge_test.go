package jwt

// Looked returns how many logins purges of s looked at, and Entries how many entries its
// queue has.
func (s *MemoryStore) Looked() int  { return s.queue.Looked() }
func (s *MemoryStore) Entries() int { return s.queue.Len() }

// Owners returns how many users s knows.
func (s *MemoryStore) Owners() int { return len(s.owners) }
