package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// RemoveClient implements [server.Store] in one transaction.
func (s *OAuthStore) RemoveClient(ctx context.Context, id string, now time.Time) (ok bool, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) (err error) {
		ok, err = changed(conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}oauth_clients WHERE id = ?`), id))
		if err != nil || !ok {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}oauth_consents WHERE client_id = ?`),
			id); err != nil {
			return err
		}
		return s.endWhere(ctx, conn, now, "client_id = ?", id)
	})
	return ok && err == nil, err
}

// Withdraw implements [server.Store] in one transaction.
func (s *OAuthStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	return s.endListed(ctx, now, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}oauth_consents
			WHERE user_id = ? AND client_id = ?`), userID, clientID)
		return err
	}, "user_id = ? AND client_id = ?", userID, clientID)
}

// EndSession implements [server.Store] in one transaction.
func (s *OAuthStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.Ended, error) {
	if sessionID == "" {
		return nil, ctx.Err()
	}
	const ofSession = "session_id = ? AND offline = FALSE"
	var ended []server.Ended
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, s.db.table(`SELECT id, user_id FROM {prefix}oauth_grants
			WHERE `+ofSession+` AND `+oauthLive+` ORDER BY id`), sessionID, micros(now))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one server.Ended
			if err := rows.Scan(&one.ID, &one.UserID); err != nil {
				return err
			}
			ended = append(ended, one)
		}
		if err := rows.Err(); err != nil || len(ended) == 0 {
			return err
		}
		return s.endWhere(ctx, conn, now, ofSession, sessionID)
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// EndAll implements [server.Store] in one transaction.
func (s *OAuthStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	return s.endListed(ctx, now, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_grants SET stamp = ?
			WHERE id = ? AND user_id = ? AND `+oauthLive), stamp, kept, userID, micros(now))
		return err
	}, "user_id = ? AND id <> ?", userID, kept)
}

// endListed does something first, and then ends the grants that are live and fit a
// condition, in one transaction. It returns their identifiers in order, and reads nothing
// else of them: there may be very many.
func (s *OAuthStore) endListed(ctx context.Context, now time.Time, before func(*sql.Conn) error, condition string,
	args ...any) (ended []string, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) error {
		if err := before(conn); err != nil {
			return err
		}
		ids := s.db.table(`SELECT id FROM {prefix}oauth_grants WHERE ` + condition + ` AND ` + oauthLive + ` ORDER BY id`)
		var err error
		if ended, err = texts(ctx, conn, ids, append(args, micros(now))...); err != nil || len(ended) == 0 {
			return err
		}
		return s.endWhere(ctx, conn, now, condition, args...)
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// endWhere ends the grants that are live and fit a condition by one statement, in a
// transaction.
func (s *OAuthStore) endWhere(ctx context.Context, conn *sql.Conn, now time.Time, condition string, args ...any) error {
	_, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_grants SET revoked_at = ?
		WHERE `+condition+` AND `+oauthLive), append(append([]any{micros(now)}, args...), micros(now))...)
	return err
}
