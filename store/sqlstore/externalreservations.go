package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// Reserve implements [external.ReservationStore] in one transaction.
func (s *ExternalStore) Reserve(ctx context.Context, r *external.Reservation,
	now time.Time) (id, owner string, err error) {
	found, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([2]string, error) {
		owner, err := s.ownerIn(ctx, conn, r.Issuer, r.Subject)
		if err != nil || owner != "" {
			return [2]string{"", owner}, err
		}
		id, err := s.reserveIn(ctx, conn, r, now)
		if err != nil {
			return [2]string{}, err
		}
		// Another login may have linked the identity while this one waited for the lock of the reservation.
		if owner, err = s.ownerIn(ctx, conn, r.Issuer, r.Subject); err != nil || owner == "" {
			return [2]string{id, ""}, err
		}
		return [2]string{"", owner}, s.dropReservationIn(ctx, conn, r.Issuer, r.Subject)
	})
	return found[0], found[1], err
}

// reserveIn returns the ID of the reservation of a key that is free: the one that is there, or r.
func (s *ExternalStore) reserveIn(ctx context.Context, conn *sql.Conn, r *external.Reservation,
	now time.Time) (string, error) {
	var id string
	var expires int64
	err := queryRow(ctx, conn, s.db.sql(`SELECT id, expires_at FROM {prefix}login_reservations
		WHERE issuer = ? AND subject = ? {lock}`), r.Issuer, r.Subject).Scan(&id, &expires)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	later := r.ExpiresAt.UnixMicro()
	switch {
	case err != nil:
		_, err := s.run(ctx, conn, `INSERT INTO {prefix}login_reservations (id, expires_at, issuer, subject)
			VALUES (?, ?, ?, ?)`, r.ID, later, r.Issuer, r.Subject)
		return r.ID, err
	case expires > now.UnixMicro():
		later = max(later, expires)
	default:
		id = r.ID
	}
	_, err = s.run(ctx, conn, `UPDATE {prefix}login_reservations SET id = ?, expires_at = ?
		WHERE issuer = ? AND subject = ?`, id, later, r.Issuer, r.Subject)
	return id, err
}

// Confirm implements [external.ReservationStore] in one transaction.
func (s *ExternalStore) Confirm(ctx context.Context, reservationID string, identity *external.Identity,
	now time.Time) (owner string, linked bool, err error) {
	l, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (l linking, err error) {
		l.owner, l.linked, err = s.ConfirmIn(ctx, conn, reservationID, identity, now)
		return l, err
	})
	return l.owner, l.linked, err
}

// ConfirmIn is Confirm in a transaction of [DB.Update], for an application whose users are in the same database. Its
// NewUser makes the user and links the identity in one transaction, so that there is never one without the other.
//
// If ConfirmIn returns false, it has changed nothing. Return an error from the change, which undoes the user.
// NewUser then returns the owner, or an error if the owner is "".
func (s *ExternalStore) ConfirmIn(ctx context.Context, conn *sql.Conn, reservationID string,
	identity *external.Identity, now time.Time) (owner string, linked bool, err error) {
	owner, err = s.ownerIn(ctx, conn, identity.Issuer, identity.Subject)
	if err != nil || owner != "" {
		return owner, false, err
	}
	n, err := s.run(ctx, conn, `DELETE FROM {prefix}login_reservations
		WHERE issuer = ? AND subject = ? AND id = ? AND expires_at > ?`,
		identity.Issuer, identity.Subject, reservationID, micros(now))
	if err != nil {
		return "", false, err
	}
	if n == 0 { // another login may have used it, and linked the identity, since ownerIn looked
		owner, err = s.ownerIn(ctx, conn, identity.Issuer, identity.Subject)
		return owner, false, err
	}
	if err := s.addIn(ctx, conn, identity); err != nil {
		return "", false, err
	}
	return identity.UserID, true, nil
}

// dropReservationIn removes the reservation of a key, if there is one.
func (s *ExternalStore) dropReservationIn(ctx context.Context, conn *sql.Conn, issuer, subject string) error {
	_, err := s.run(ctx, conn, `DELETE FROM {prefix}login_reservations WHERE issuer = ? AND subject = ?`, issuer,
		subject)
	return err
}

// dropReservationsIn removes the reservations of the keys that the identities of a user have.
func (s *ExternalStore) dropReservationsIn(ctx context.Context, conn *sql.Conn, userID string) error {
	rows, err := conn.QueryContext(ctx, s.db.sql(loginIdentity+`user_id = ? ORDER BY created, id`), userID)
	identities, err := all(rows, err, scanIdentity)
	if err != nil {
		return err
	}
	for _, identity := range identities {
		if err := s.dropReservationIn(ctx, conn, identity.Issuer, identity.Subject); err != nil {
			return err
		}
	}
	return nil
}

// ownerIn returns the user that an identity is linked to, or "".
func (s *ExternalStore) ownerIn(ctx context.Context, conn *sql.Conn, issuer, subject string) (owner string, err error) {
	err = queryRow(ctx, conn, s.db.sql(`SELECT user_id FROM {prefix}login_identities
		WHERE issuer = ? AND subject = ?`), issuer, subject).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return owner, err
}

// addIn adds an identity whose key is free.
func (s *ExternalStore) addIn(ctx context.Context, conn *sql.Conn, i *external.Identity) error {
	_, err := conn.ExecContext(ctx, s.db.sql(insert("login_identities", loginColumns)),
		i.ID, i.UserID, i.Issuer, i.Subject, i.Provider, i.Email, i.EmailVerified, i.Name, micros(i.Created),
		micros(i.LastUsed))
	return err
}
