package password

import (
	"context"
	"time"
)

// CountWork has f told every hash that h computes.
func CountWork(h *Hasher, f func(algorithm string)) { h.ran = f }

// Occupy takes a slot of h until release.
func Occupy(h *Hasher) (release func()) {
	if err := h.budget.acquire(context.Background(), 0, time.Second); err != nil {
		panic(err)
	}
	return func() { h.budget.release(0) }
}

// Budget is the budget of a Hasher, without hashes.
type Budget = budget

// NewBudget returns one of some slots and KiB.
func NewBudget(slots int, memory uint64) *Budget { return newBudget(slots, memory) }

// Take and Give are acquire and release.
func (b *budget) Take(ctx context.Context, memory uint64, wait time.Duration) error {
	return b.acquire(ctx, memory, wait)
}
func (b *budget) Give(memory uint64) { b.release(memory) }

// Waiting is how many wait.
func (b *budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.Len()
}

// SmallMemoryThrottle has room for max counters.
func SmallMemoryThrottle(max int) *MemoryThrottle {
	m := NewMemoryThrottle()
	m.max = max
	return m
}

// Cheap reports whether encoded is read by h, and verified in a moment.
func Cheap(h *Hasher, encoded string) bool {
	hash, _ := h.read(encoded)
	switch hash := hash.(type) {
	case *argon2Hash:
		return uint64(hash.memory)*uint64(hash.time) <= 4096
	case *pbkdf2Hash:
		return hash.iterations <= 10_000
	case *bcryptHash:
		return hash.encoded[4] == '0' && hash.encoded[5] <= '5'
	case *digest:
		return true
	case *scryptHash:
		return hash.n*hash.r*hash.p <= 1<<15
	}
	return false
}

// Reads returns why h does not verify a stored string, without the work.
func Reads(h *Hasher, encoded string) error {
	_, err := h.read(encoded)
	return err
}
