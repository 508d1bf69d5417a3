package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// AddInteraction implements [server.Store] in one transaction.
func (s *OAuthStore) AddInteraction(ctx context.Context, i *server.Interaction, limit int) error {
	data := i.Data
	if data == nil {
		data = []byte{}
	}
	return s.db.update(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if limit > 0 && i.UserID != "" {
			if err := s.makeRoomForPage(ctx, conn, i.UserID, limit); err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, s.db.sql(insert("oauth_interactions", oauthInteractionColumns)),
			i.Digest, i.ID, i.UserID, i.SessionID, micros(i.Created), micros(i.ExpiresAt), data)
		return err
	})
}

// makeRoomForPage removes the oldest pages of a user, so that another one makes at most limit, in a transaction.
func (s *OAuthStore) makeRoomForPage(ctx context.Context, conn *sql.Conn, userID string, limit int) error {
	if err := s.db.lockOwner(ctx, conn, userID); err != nil {
		return err
	}
	var newest string // of those that must go
	err := queryRow(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_interactions
		WHERE user_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?`), userID, limit-1).Scan(&newest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_interactions WHERE user_id = ? AND id <= ?`),
		userID, newest)
	return err
}

const (
	oauthInteractionColumns = `digest, id, user_id, session_id, created, expires_at, data`
	oauthInteraction        = `SELECT ` + oauthInteractionColumns + `
		FROM {prefix}oauth_interactions WHERE digest = ? AND expires_at > ?`
)

// Interaction implements [server.Store].
func (s *OAuthStore) Interaction(ctx context.Context, digest string, now time.Time) (*server.Interaction, error) {
	return scanInteraction(s.db.query(oauthInteraction).row(ctx, digest, micros(now)))
}

// ConsumeInteraction implements [server.Store] in one transaction.
func (s *OAuthStore) ConsumeInteraction(ctx context.Context, digest string,
	now time.Time) (*server.Interaction, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (*server.Interaction, error) {
		statement := s.db.sql(oauthInteraction + ` {lock}`)
		taken, err := scanInteraction(queryRow(ctx, conn, statement, digest, micros(now)))
		if err != nil || taken == nil {
			return nil, err
		}
		_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_interactions WHERE digest = ?`), digest)
		return taken, err
	})
}

func scanInteraction(row scanner) (*server.Interaction, error) {
	var i server.Interaction
	var created, expires sql.NullInt64
	err := row.Scan(&i.Digest, &i.ID, &i.UserID, &i.SessionID, &created, &expires, &i.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i.Created, i.ExpiresAt = instant(created), instant(expires)
	return &i, nil
}
