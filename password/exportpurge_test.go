package password

// Looked returns how many counters purges of m looked at, and Entries how many entries its
// queue has.
func (m *MemoryThrottle) Looked() int  { return m.queue.Looked() }
func (m *MemoryThrottle) Entries() int { return m.queue.Len() }
