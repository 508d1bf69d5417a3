package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// Client implements [server.Store].
func (s *OAuthStore) Client(ctx context.Context, id string) (*server.Client, error) {
	return scanClient(s.client.row(ctx, id))
}

func scanClient(row scanner) (*server.Client, error) {
	var text string
	err := row.Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	client := &server.Client{}
	if err := json.Unmarshal([]byte(text), client); err != nil {
		return nil, err
	}
	return client, nil
}

// ChangeClient implements [server.Store] in one transaction.
func (s *OAuthStore) ChangeClient(ctx context.Context, client *server.Client, was time.Time) (bool,
	[]server.EndedGrant, error) {
	text, err := json.Marshal(client)
	if err != nil {
		return false, nil, err
	}
	change, err := transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (change clientChange, err error) {
		if err := s.lockClients(ctx, conn); err != nil {
			return change, err
		}
		before, err := scanClient(queryRow(ctx, conn, s.db.sql(`SELECT client FROM {prefix}oauth_clients
			WHERE id = ? AND updated = ? {lock}`), client.ID, micros(was)))
		if err != nil || before == nil {
			return change, err
		}
		change.ok = true
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_clients
			SET owner = ?, disabled = ?, updated = ?, client = ? WHERE id = ?`),
			client.Owner, client.Disabled, micros(client.Updated), string(text), client.ID); err != nil {
			return change, err
		}
		if err := s.db.notify(ctx, conn, machine(client.ID)); err != nil {
			return change, err
		}
		if client.Disabled || client.Public() && client.EndsGrants(before) {
			change.ended, err = s.endRows(ctx, conn, client.Updated, `client_id = ?`, client.ID)
		}
		return change, err
	})
	return change.ok, change.ended, err
}

// lockClients waits for the turn to change a client, in a transaction. The logins of a busy client lock its row all the
// time.
func (s *OAuthStore) lockClients(ctx context.Context, conn *sql.Conn) error {
	statement := s.db.dialect.lockTableFor("oauth_clients")
	if statement == "" {
		return nil
	}
	_, err := conn.ExecContext(ctx, s.db.sql(statement))
	return err
}

// clientChange is what became of a client, and of its grants.
type clientChange struct {
	ok    bool
	ended []server.EndedGrant
}

const (
	oauthConsentColumns = `user_id, client_id, permissions, scopes, resources, created, updated`
	oauthConsent        = `SELECT ` + oauthConsentColumns + ` FROM {prefix}oauth_consents
		WHERE user_id = ? AND client_id = ? `
)

// Consent implements [server.Store].
func (s *OAuthStore) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	return scanConsent(s.db.query(oauthConsent).row(ctx, userID, clientID))
}

func scanConsent(row scanner) (*server.Consent, error) {
	var c server.Consent
	var may permissionColumns
	var created, updated sql.NullInt64
	err := row.Scan(&c.UserID, &c.ClientID, &may.permissions, &may.scopes, &may.resources, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.Created, c.Updated = instant(created), instant(updated)
	c.Permissions, err = may.read(agreedBefore)
	return &c, err
}

// remember writes a consent, which before was, in a transaction.
func (s *OAuthStore) remember(ctx context.Context, conn *sql.Conn, before, c *server.Consent) error {
	statement := insert("oauth_consents", `permissions, scopes, resources, updated, user_id, client_id, created`)
	args := []any{permissionsText(c.Permissions), noList, noList, micros(c.Updated), c.UserID, c.ClientID,
		micros(c.Created)}
	if before != nil {
		statement, args = `UPDATE {prefix}oauth_consents SET permissions = ?, scopes = ?, resources = ?, updated = ?
			WHERE user_id = ? AND client_id = ?`, args[:6]
	}
	_, err := conn.ExecContext(ctx, s.db.sql(statement), args...)
	return err
}
