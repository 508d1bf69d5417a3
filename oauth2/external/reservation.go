package external

import (
	"context"
	"errors"
	"time"
)

// Reservation is an account that is being made for an identity. Its ID is what Config.Accounts.NewUser is given.
type Reservation struct {
	ID string // a version 7 UUID. It is no secret

	// The key of the identity. See [Profile].
	Issuer  string
	Subject string

	ExpiresAt time.Time
}

// ReservationStore keeps which account is being made for an identity, so that of many first logins of one identity, at
// once or one after another, all make the same account. The reservations of identities are a part of [Store], because
// they are replaced by identities in one step.
type ReservationStore interface {
	// Reserve returns the owner of the identity that has the key of reservation. If there is no such identity, it
	// returns the ID of the reservation of this key: of the one that is there, which then expires at the later of
	// both times, or otherwise of this one, which it adds. It is one step: all that reserve one key at once are
	// returned the same. A reservation that expired at now or before is not there. The ID of another reservation is an
	// error if this one is to be added.
	Reserve(ctx context.Context, reservation *Reservation, now time.Time) (id, owner string, err error)
	// Confirm adds an identity in place of the reservation that has its key and this ID, and returns the user of the
	// identity and true. It returns the owner and false if the identity is there already, whatever is reserved, and ""
	// and false without both: the reservation has expired at now or before, or was confirmed, and the identity
	// was unlinked since. It is one step: of many at once, one is told true. If the reservation is there, another
	// identity with the same ID is an error.
	Confirm(ctx context.Context, reservationID string, identity *Identity,
		now time.Time) (owner string, linked bool, err error)
}

var errSameReservation = errors.New("oauth2/external: there is a reservation of that ID")

// memoryReservation is a reservation in memory.
type memoryReservation struct {
	id      string
	expires time.Time
}

// Reserve implements [ReservationStore].
func (m *MemoryStore) Reserve(ctx context.Context, r *Reservation, now time.Time) (id, owner string, err error) {
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{r.Issuer, r.Subject}
	if linked := m.identities[key]; linked != nil {
		return "", linked.UserID, nil
	}
	has, ok := m.reservations[key]
	switch {
	case ok && now.Before(has.expires):
		if r.ExpiresAt.After(has.expires) {
			has.expires = r.ExpiresAt
		}
	case m.reservationOf(r.ID, key):
		return "", "", errSameReservation
	default:
		delete(m.reservationKeys, has.id)
		has = memoryReservation{r.ID, r.ExpiresAt}
	}
	m.reservations[key], m.reservationKeys[has.id] = has, key
	m.reservationQueue.Add(key)
	return has.id, "", nil
}

// reservationOf reports whether another key than this one has a reservation with an ID.
func (m *MemoryStore) reservationOf(id string, key [2]string) bool {
	has, ok := m.reservationKeys[id]
	return ok && has != key
}

// Confirm implements [ReservationStore].
func (m *MemoryStore) Confirm(ctx context.Context, reservationID string, identity *Identity,
	now time.Time) (owner string, linked bool, err error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{identity.Issuer, identity.Subject}
	if linked := m.identities[key]; linked != nil {
		return linked.UserID, false, nil
	}
	has, ok := m.reservations[key]
	if !ok || has.id != reservationID || !now.Before(has.expires) {
		return "", false, nil
	}
	if err := m.add(identity); err != nil {
		return "", false, err
	}
	m.dropReservation(key)
	return identity.UserID, true, nil
}

func (m *MemoryStore) dropReservation(key [2]string) {
	delete(m.reservationKeys, m.reservations[key].id)
	delete(m.reservations, key)
}
