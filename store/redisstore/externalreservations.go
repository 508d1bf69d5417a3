package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// reservedRow is a reservation as Redis has it.
type reservedRow struct {
	Version int    `json:"v"`
	ID      string `json:"i"`
	Expires micros `json:"e"`
}

func (r reservedRow) live(now time.Time) bool { return now.Before(r.Expires.time()) }

// reservation reads the reservation of an account in a change.
func (s *externalStore) reservation(ctx context.Context, c *change, account string) (row reservedRow,
	found bool, err error) {
	found, err = c.get(ctx, s.key(externalReserved, account), &row)
	return row, found, err
}

// Reserve implements [external.ReservationStore].
func (s *externalStore) Reserve(ctx context.Context, r *external.Reservation, now time.Time) (id, owner string,
	err error) {
	account := accountOf(r.Issuer, r.Subject)
	err = s.db.transact(ctx, s.key(externalReserved, account), func(ctx context.Context, c *change) error {
		id, owner = "", ""
		if err := c.read(ctx, s.key(externalIdentities, account), s.key(externalReserved, account)); err != nil {
			return err
		}
		linked, err := s.load(ctx, c, account)
		if err != nil {
			return err
		}
		if linked != nil {
			owner = linked.UserID
			return nil
		}
		id, err = s.reserve(ctx, c, account, r, now)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return id, owner, nil
}

// reserve returns the ID of the reservation of an account that is linked to no user: of the one that is there, or of r.
func (s *externalStore) reserve(ctx context.Context, c *change, account string, r *external.Reservation,
	now time.Time) (string, error) {
	has, found, err := s.reservation(ctx, c, account)
	if err != nil {
		return "", err
	}
	row := reservedRow{1, r.ID, microsOf(r.ExpiresAt)}
	if found && has.live(now) {
		if row.Expires <= has.Expires {
			return has.ID, nil
		}
		row.ID = has.ID
	} else {
		var other accountRow
		same, err := c.get(ctx, s.key(externalReservedIDs, r.ID), &other)
		if err != nil {
			return "", err
		}
		if same && other.Account != account {
			return "", errSameReservation
		}
	}
	if found && has.ID != row.ID {
		c.remove(s.key(externalReservedIDs, has.ID))
	}
	s.putReservation(c, account, row, now)
	return row.ID, nil
}

func (s *externalStore) putReservation(c *change, account string, row reservedRow, now time.Time) {
	expires := row.Expires.time()
	ttl := ttlUntil(expires, now)
	c.set(s.key(externalReserved, account), row, ttl)
	c.set(s.key(externalReservedIDs, row.ID), accountRow{1, account}, ttl)
	c.addExpiring(s.key(externalReservedEnd, ""), account, expires, ttl)
}

// Confirm implements [external.ReservationStore].
func (s *externalStore) Confirm(ctx context.Context, reservationID string, identity *external.Identity,
	now time.Time) (owner string, linked bool, err error) {
	account := accountOf(identity.Issuer, identity.Subject)
	err = s.db.transact(ctx, s.key(externalReserved, account), func(ctx context.Context, c *change) error {
		owner, linked = "", false
		if err := c.read(ctx, s.key(externalIdentities, account), s.key(externalReserved, account)); err != nil {
			return err
		}
		has, err := s.load(ctx, c, account)
		if err != nil {
			return err
		}
		if has != nil {
			owner = has.UserID
			return nil
		}
		reserved, found, err := s.reservation(ctx, c, account)
		if err != nil || !found || reserved.ID != reservationID || !reserved.live(now) {
			return err
		}
		owner, linked = identity.UserID, true
		return s.add(ctx, c, account, identity)
	})
	if err != nil {
		return "", false, err
	}
	return owner, linked, nil
}

// dropReservation removes the reservation of an account, if there is one.
func (s *externalStore) dropReservation(ctx context.Context, c *change, account string) error {
	has, found, err := s.reservation(ctx, c, account)
	if err != nil || !found {
		return err
	}
	c.remove(s.key(externalReserved, account))
	c.remove(s.key(externalReservedIDs, has.ID))
	c.removeMember(s.key(externalReservedEnd, ""), account)
	return nil
}
