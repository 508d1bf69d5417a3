package external

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
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

	keyQueue, codeQueue *expiry.Queue[string] // what of keys and codes expires first

	reservations     map[[2]string]kept   // by the key of the identity
	reservationKeys  map[string][2]string // by ID
	reservationQueue *expiry.Queue[[2]string]
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore {
	m := &MemoryStore{identities: make(map[[2]string]*Identity), keys: make(map[string]time.Time),
		codes: make(map[string]*Code), reservations: make(map[[2]string]kept),
		reservationKeys: make(map[string][2]string)}
	m.keyQueue = expiry.Of(m.keys, func(expires time.Time) time.Time { return expires })
	m.codeQueue = expiry.Of(m.codes, func(c *Code) time.Time { return c.ExpiresAt })
	m.reservationQueue = expiry.Of(m.reservations, func(r kept) time.Time { return r.expires })
	return m
}

func copied[T any](record *T) *T {
	if record == nil {
		return nil
	}
	own := *record
	return &own
}

// Identity implements [Store].
func (m *MemoryStore) Identity(ctx context.Context, issuer, subject string) (*Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return copied(m.identities[[2]string{issuer, subject}]), nil
}

// Identities implements [Store].
func (m *MemoryStore) Identities(ctx context.Context, userID string) ([]*Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*Identity
	for _, identity := range m.of(userID) {
		all = append(all, copied(identity))
	}
	slices.SortFunc(all, func(a, b *Identity) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

func (m *MemoryStore) of(userID string) (all []*Identity) {
	for _, identity := range m.identities {
		if identity.UserID == userID {
			all = append(all, identity)
		}
	}
	return all
}

// Link implements [Store].
func (m *MemoryStore) Link(ctx context.Context, identity *Identity) (owner string, linked bool, err error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{identity.Issuer, identity.Subject}
	if has := m.identities[key]; has != nil {
		return has.UserID, false, nil
	}
	if err := m.add(identity); err != nil {
		return "", false, err
	}
	return identity.UserID, true, nil
}

// add adds an identity whose key is free.
func (m *MemoryStore) add(identity *Identity) error {
	for _, other := range m.identities {
		if other.ID == identity.ID {
			return errors.New("oauth2/external: there is an identity of that ID")
		}
	}
	m.identities[[2]string{identity.Issuer, identity.Subject}] = copied(identity)
	return nil
}

// Touch implements [Store].
func (m *MemoryStore) Touch(ctx context.Context, seen *Identity) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{seen.Issuer, seen.Subject}
	if has := m.identities[key]; has != nil && has.ID == seen.ID && has.UserID == seen.UserID {
		own := copied(seen)
		own.Created = has.Created
		m.identities[key] = own
	}
	return nil
}

// Unlink implements [Store].
func (m *MemoryStore) Unlink(ctx context.Context, userID, id string, keepLast bool) (*Identity, UnlinkVerdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, UnlinkUnknown, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.of(userID)
	i := slices.IndexFunc(all, func(identity *Identity) bool { return identity.ID == id })
	switch {
	case i < 0:
		return nil, UnlinkUnknown, nil
	case keepLast && len(all) == 1:
		return nil, UnlinkLast, nil
	}
	delete(m.identities, [2]string{all[i].Issuer, all[i].Subject})
	return all[i], UnlinkRemoved, nil
}

// RemoveUser implements [Store].
func (m *MemoryStore) RemoveUser(ctx context.Context, userID string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.of(userID)
	for _, identity := range all {
		delete(m.identities, [2]string{identity.Issuer, identity.Subject})
	}
	for digest, code := range m.codes {
		if code.UserID == userID {
			delete(m.codes, digest)
		}
	}
	return len(all), nil
}

// PutOnce implements [Store].
func (m *MemoryStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if until, ok := m.keys[key]; ok && now.Before(until) {
		return false, nil
	}
	m.keys[key] = expires
	m.keyQueue.Add(key)
	return true, nil
}

// AddCode implements [Store].
func (m *MemoryStore) AddCode(ctx context.Context, code *Code) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes[code.Digest] != nil {
		return errors.New("oauth2/external: there is a code of that digest")
	}
	own := copied(code)
	own.Data = bytes.Clone(code.Data)
	m.codes[code.Digest] = own
	m.codeQueue.Add(code.Digest)
	return nil
}

// TakeCode implements [Store].
func (m *MemoryStore) TakeCode(ctx context.Context, digest string, now time.Time) (*Code, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	code := m.codes[digest]
	if code == nil || !now.Before(code.ExpiresAt) {
		return nil, nil
	}
	delete(m.codes, digest)
	return code, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (m *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.Run(ctx, limit,
		expiry.Step(&m.mu, m.keyQueue, now, func(key string) { delete(m.keys, key) }),
		expiry.Step(&m.mu, m.codeQueue, now, func(digest string) { delete(m.codes, digest) }),
		expiry.Step(&m.mu, m.reservationQueue, now, m.dropReservation))
}
