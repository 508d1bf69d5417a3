package server

import "github.com/gatewarden/auth/internal/expiry"

// Looked returns how many records purges of s looked at.
func (s *MemoryStore) Looked() (n int) {
	for _, queue := range s.queues() {
		n += queue.Looked()
	}
	return n
}

// Entries returns how many entries the queues of s have.
func (s *MemoryStore) Entries() (n int) {
	for _, queue := range s.queues() {
		n += queue.Len()
	}
	return n
}

func (s *MemoryStore) queues() []*expiry.Queue[string] {
	e := s.expiring
	return []*expiry.Queue[string]{e.grants, e.access, e.refresh, e.interactions, e.once}
}
