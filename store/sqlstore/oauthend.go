package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// RemoveClient implements [server.Store] in one transaction.
func (s *OAuthStore) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	change, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (change clientChange, err error) {
		if err := s.lockClients(ctx, conn); err != nil {
			return change, err
		}
		change.ok, err = changed(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_clients WHERE id = ?`), id))
		if err != nil || !change.ok {
			return change, err
		}
		if _, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_consents WHERE client_id = ?`),
			id); err != nil {
			return change, err
		}
		if err := s.db.notify(ctx, conn, machine(id)); err != nil {
			return change, err
		}
		change.ended, err = s.endRows(ctx, conn, now, `client_id = ?`, id)
		return change, err
	})
	return change.ok, change.ended, err
}

// Withdraw implements [server.Store] in one transaction.
func (s *OAuthStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	return s.endListed(ctx, userID, now, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_consents
			WHERE user_id = ? AND client_id = ?`), userID, clientID)
		return err
	}, `user_id = ? AND client_id = ?`, userID, clientID)
}

// EndSession implements [server.Store] in one transaction.
func (s *OAuthStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	if sessionID == "" {
		return nil, ctx.Err()
	}
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]server.EndedGrant, error) {
		ended, err := s.endRows(ctx, conn, now, "session_id = ? AND offline = FALSE", sessionID)
		if err != nil {
			return nil, err
		}
		users := make([]string, len(ended))
		for i, one := range ended {
			users[i] = one.UserID
		}
		return ended, s.db.notify(ctx, conn, users...)
	})
}

// endRows ends the grants that are live and fit a condition, and returns which they were,
// in order of ID, in a transaction.
func (s *OAuthStore) endRows(ctx context.Context, conn *sql.Conn, now time.Time, condition string,
	args ...any) ([]server.EndedGrant, error) {
	rows, err := conn.QueryContext(ctx, s.db.sql(`SELECT id, user_id FROM {prefix}oauth_grants
		WHERE `+condition+` AND `+oauthLive+` ORDER BY id {lock}`), append(slices.Clone(args), micros(now))...)
	ended, err := all(rows, err, func(row scanner) (one server.EndedGrant, err error) {
		err = row.Scan(&one.ID, &one.UserID)
		return one, err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(ended))
	for i, one := range ended {
		ids[i] = one.ID
	}
	return ended, s.endThese(ctx, conn, ids, now)
}

// EndAll implements [server.Store] in one transaction.
func (s *OAuthStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	return s.endListed(ctx, userID, now, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_grants SET stamp = ?
			WHERE id = ? AND user_id = ? AND `+oauthLive), stamp, kept, userID, micros(now))
		return err
	}, `user_id = ? AND id <> ?`, userID, kept)
}

// endListed does something first, and then ends the grants of a user that are live and fit
// a condition, in one transaction. It returns their identifiers in order, and reads nothing
// else of them: there may be very many.
func (s *OAuthStore) endListed(ctx context.Context, userID string, now time.Time,
	before func(context.Context, *sql.Conn) error,
	condition string, args ...any) ([]string, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) ([]string, error) {
		if err := s.db.lockOwner(ctx, conn, userID); err != nil {
			return nil, err
		}
		if err := before(ctx, conn); err != nil {
			return nil, err
		}
		ids := s.db.sql(`SELECT id FROM {prefix}oauth_grants
			WHERE ` + condition + ` AND ` + oauthLive + ` ORDER BY id {lock}`)
		ended, err := queryStrings(ctx, conn, ids, append(slices.Clone(args), micros(now))...)
		if err != nil {
			return nil, err
		}
		if err := s.db.notify(ctx, conn, userID); err != nil { // of the stamp of the one that is kept, too
			return nil, err
		}
		return ended, s.endThese(ctx, conn, ended, now)
	})
}

// endThese ends grants that a transaction has locked.
func (s *OAuthStore) endThese(ctx context.Context, conn *sql.Conn, ids []string, now time.Time) error {
	_, err := s.db.execForKeys(ctx, conn, `UPDATE {prefix}oauth_grants SET revoked_at = ? WHERE id IN {keys}`, ids,
		micros(now))
	return err
}
