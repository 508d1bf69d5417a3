package external

// Looked returns how many records purges of m looked at.
func (m *MemoryStore) Looked() int { return m.keyQueue.Looked() + m.codeQueue.Looked() }
