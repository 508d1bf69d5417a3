package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gatewarden/auth/oauth2/external"
)

// ExternalStore is an [external.Store] in a database.
type ExternalStore struct {
	db *DB
}

var _ external.Store = (*ExternalStore)(nil)

// External opens the store of logins elsewhere of a database, and creates or migrates
// its tables.
func External(ctx context.Context, db *DB) (*ExternalStore, error) {
	if err := db.migrate(ctx, "login"); err != nil {
		return nil, err
	}
	return &ExternalStore{db}, nil
}

const (
	loginColumns  = `id, user_id, issuer, subject, provider, email, email_verified, name, created, last_used`
	loginIdentity = `SELECT ` + loginColumns + ` FROM {prefix}login_identities WHERE `
)

// Identity implements [external.Store].
func (s *ExternalStore) Identity(ctx context.Context, issuer, subject string) (*external.Identity, error) {
	return scanIdentity(s.db.query(loginIdentity+`issuer = ? AND subject = ?`).row(ctx, issuer, subject))
}

// Identities implements [external.Store].
func (s *ExternalStore) Identities(ctx context.Context, userID string) ([]*external.Identity, error) {
	return readAll(ctx, s.db.query(loginIdentity+`user_id = ? ORDER BY created, id`), scanIdentity, userID)
}

func scanIdentity(row scanner) (*external.Identity, error) {
	var i external.Identity
	var created, lastUsed sql.NullInt64
	err := row.Scan(&i.ID, &i.UserID, &i.Issuer, &i.Subject, &i.Provider, &i.Email, &i.EmailVerified, &i.Name,
		&created, &lastUsed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i.Created, i.LastUsed = instant(created), instant(lastUsed)
	return &i, nil
}

// Link implements [external.Store] in one transaction.
func (s *ExternalStore) Link(ctx context.Context, identity *external.Identity) (owner string, linked bool, err error) {
	return s.link(ctx, identity, false)
}

// LinkFirst implements [external.Store] in one transaction.
func (s *ExternalStore) LinkFirst(ctx context.Context, identity *external.Identity) (owner string, linked bool,
	err error) {
	return s.link(ctx, identity, true)
}

// link is Link, or LinkFirst if first is set.
func (s *ExternalStore) link(ctx context.Context, identity *external.Identity, first bool) (string, bool, error) {
	l, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (linking, error) {
		return s.linkIn(ctx, conn, identity, first)
	})
	return l.owner, l.linked, err
}

// linkIn is link, in a transaction.
func (s *ExternalStore) linkIn(ctx context.Context, conn *sql.Conn, identity *external.Identity,
	first bool) (linking, error) {
	if first {
		if err := s.db.lockOwner(ctx, conn, identity.UserID); err != nil {
			return linking{}, err
		}
	}
	owner, err := s.ownerIn(ctx, conn, identity.Issuer, identity.Subject)
	if err != nil || owner != "" {
		return linking{owner: owner}, err
	}
	if first {
		if has, err := s.hasIssuerIn(ctx, conn, identity.UserID, identity.Issuer); err != nil || has {
			return linking{}, err
		}
	}
	if err := s.dropReservationIn(ctx, conn, identity.Issuer, identity.Subject); err != nil {
		return linking{}, err
	}
	return linking{identity.UserID, true}, s.addIn(ctx, conn, identity)
}

// linking is the user that an identity belongs to, and whether it was linked just now.
type linking struct {
	owner  string
	linked bool
}

// hasIssuerIn reports whether a user has an identity of an issuer.
func (s *ExternalStore) hasIssuerIn(ctx context.Context, conn *sql.Conn, userID, issuer string) (bool, error) {
	var n int
	err := queryRow(ctx, conn, s.db.sql(`SELECT COUNT(*) FROM {prefix}login_identities
		WHERE user_id = ? AND issuer = ?`), userID, issuer).Scan(&n)
	return n > 0, err
}

// Touch implements [external.Store].
func (s *ExternalStore) Touch(ctx context.Context, seen *external.Identity) error {
	_, err := s.db.exec(ctx, s.db.sql(`UPDATE {prefix}login_identities
		SET provider = ?, email = ?, email_verified = ?, name = ?, last_used = ?
		WHERE issuer = ? AND subject = ? AND id = ? AND user_id = ?`),
		seen.Provider, seen.Email, seen.EmailVerified, seen.Name, micros(seen.LastUsed),
		seen.Issuer, seen.Subject, seen.ID, seen.UserID)
	return err
}

// Unlink implements [external.Store] in one transaction.
func (s *ExternalStore) Unlink(ctx context.Context, userID, id string, keepLast bool) (*external.Identity,
	external.UnlinkVerdict, error) {
	verdict := external.UnlinkUnknown
	removed, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (*external.Identity, error) {
		verdict = external.UnlinkUnknown
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return nil, err
		}
		statement := s.db.sql(loginIdentity + `id = ? AND user_id = ? {lock}`)
		identity, err := scanIdentity(queryRow(ctx, conn, statement, id, userID))
		if err != nil || identity == nil {
			return nil, err
		}
		if keepLast {
			if last, err := s.isLastIn(ctx, conn, userID, id); err != nil || last {
				verdict = external.UnlinkLast
				return nil, err
			}
		}
		if err := s.dropReservationIn(ctx, conn, identity.Issuer, identity.Subject); err != nil {
			return nil, err
		}
		verdict = external.UnlinkRemoved
		_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}login_identities WHERE id = ?`), id)
		return identity, err
	})
	if err != nil {
		return nil, external.UnlinkUnknown, err
	}
	return removed, verdict, nil
}

// isLastIn reports whether a user has no other identity than this one.
func (s *ExternalStore) isLastIn(ctx context.Context, conn *sql.Conn, userID, id string) (bool, error) {
	var others int
	err := queryRow(ctx, conn, s.db.sql(`SELECT COUNT(*) FROM {prefix}login_identities
		WHERE user_id = ? AND id <> ?`), userID, id).Scan(&others)
	return others == 0, err
}

// RemoveUser implements [external.Store] in one transaction.
func (s *ExternalStore) RemoveUser(ctx context.Context, userID string) (int, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return 0, err
		}
		if err := s.dropReservationsIn(ctx, conn, userID); err != nil {
			return 0, err
		}
		n, err := s.run(ctx, conn, `DELETE FROM {prefix}login_identities WHERE user_id = ?`, userID)
		if err != nil {
			return 0, err
		}
		_, err = s.run(ctx, conn, `DELETE FROM {prefix}login_codes WHERE user_id = ?`, userID)
		return n, err
	})
}

// run runs a statement and returns how many rows it concerned, in a transaction.
func (s *ExternalStore) run(ctx context.Context, conn *sql.Conn, statement string, args ...any) (int, error) {
	return count(conn.ExecContext(ctx, s.db.sql(statement), args...))
}
