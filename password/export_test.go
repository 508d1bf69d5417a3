package password

// CountWork has f told every hash that h computes.
func CountWork(h *Hasher, f func(algorithm string)) { h.ran = f }

// Occupy takes a turn of h until release.
func Occupy(h *Hasher) (release func()) {
	h.slots <- struct{}{}
	return func() { <-h.slots }
}

// SmallMemoryThrottle has room for max counters.
func SmallMemoryThrottle(max int) *MemoryThrottle {
	m := NewMemoryThrottle()
	m.max = max
	return m
}

// Cheap reports whether encoded is read by h, and verified in a moment.
func Cheap(h *Hasher, encoded string) bool {
	switch hash := h.parse(encoded).(type) {
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
