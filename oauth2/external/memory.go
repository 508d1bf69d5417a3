package external

import (
	"context"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// MemoryStore is a [Store] in memory, for tests and for one process that may forget.
type MemoryStore struct {
	mu         sync.Mutex
	identities map[[2]string]*Identity // by key
	keys       map[string]time.Time
	codes      map[string]*Code

	keyQueue  *expiry.Queue[string] // which of keys expires first
	codeQueue *expiry.Queue[string] // which of codes expires first

	reservations     map[[2]string]memoryReservation // by the key of the identity
	reservationKeys  map[string][2]string            // by ID
	reservationQueue *expiry.Queue[[2]string]
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore {
	m := &MemoryStore{identities: make(map[[2]string]*Identity), keys: make(map[string]time.Time),
		codes: make(map[string]*Code), reservations: make(map[[2]string]memoryReservation),
		reservationKeys: make(map[string][2]string)}
	m.keyQueue = expiry.NewOfMap(m.keys, func(expires time.Time) time.Time { return expires })
	m.codeQueue = expiry.NewOfMap(m.codes, func(c *Code) time.Time { return c.ExpiresAt })
	m.reservationQueue = expiry.NewOfMap(m.reservations, func(r memoryReservation) time.Time { return r.expires })
	return m
}

func copied[T any](record *T) *T {
	if record == nil {
		return nil
	}
	own := *record
	return &own
}

// RemoveUser implements [Store].
func (m *MemoryStore) RemoveUser(ctx context.Context, userID string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.identitiesOf(userID)
	for _, identity := range all {
		m.remove(identity)
	}
	for digest, code := range m.codes {
		if code.UserID == userID {
			delete(m.codes, digest)
		}
	}
	return len(all), nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (m *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.PurgeAll(ctx, limit,
		expiry.Step(&m.mu, m.keyQueue, now, func(key string) { delete(m.keys, key) }),
		expiry.Step(&m.mu, m.codeQueue, now, func(digest string) { delete(m.codes, digest) }),
		expiry.Step(&m.mu, m.reservationQueue, now, m.dropReservation))
}
