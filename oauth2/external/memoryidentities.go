package external

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

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
	for _, identity := range m.identitiesOf(userID) {
		all = append(all, copied(identity))
	}
	slices.SortFunc(all, func(a, b *Identity) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (m *MemoryStore) identitiesOf(userID string) (all []*Identity) {
	for _, identity := range m.identities {
		if identity.UserID == userID {
			all = append(all, identity)
		}
	}
	return all
}

// Link implements [Store].
func (m *MemoryStore) Link(ctx context.Context, identity *Identity) (owner string, linked bool, err error) {
	return m.link(ctx, identity, false)
}

// LinkFirst implements [Store].
func (m *MemoryStore) LinkFirst(ctx context.Context, identity *Identity) (owner string, linked bool, err error) {
	return m.link(ctx, identity, true)
}

// link implements Link and, if onlyFirst is set, LinkFirst. It returns the user that has the identity now, and whether
// this call linked it. Owner "" says that LinkFirst refused, because the user has another identity of the issuer.
func (m *MemoryStore) link(ctx context.Context, identity *Identity,
	onlyFirst bool) (owner string, linked bool, err error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{identity.Issuer, identity.Subject}
	if existing := m.identities[key]; existing != nil {
		return existing.UserID, false, nil
	}
	if onlyFirst && slices.ContainsFunc(m.identitiesOf(identity.UserID),
		func(existing *Identity) bool { return existing.Issuer == identity.Issuer }) {
		return "", false, nil
	}
	if err := m.add(identity); err != nil {
		return "", false, err
	}
	m.dropReservation(key)
	return identity.UserID, true, nil
}

// add adds an identity with a key that is free.
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

// remove removes an identity, and the reservation of its key.
func (m *MemoryStore) remove(identity *Identity) {
	key := [2]string{identity.Issuer, identity.Subject}
	delete(m.identities, key)
	m.dropReservation(key)
}

// Unlink implements [Store].
func (m *MemoryStore) Unlink(ctx context.Context, userID, id string, keepLast bool) (*Identity, UnlinkVerdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, UnlinkUnknown, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.identitiesOf(userID)
	i := slices.IndexFunc(all, func(identity *Identity) bool { return identity.ID == id })
	switch {
	case i < 0:
		return nil, UnlinkUnknown, nil
	case keepLast && len(all) == 1:
		return nil, UnlinkLast, nil
	}
	m.remove(all[i])
	return all[i], UnlinkRemoved, nil
}
