package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// Clients implements [server.Store].
func (s *OAuthStore) Clients(ctx context.Context, owner, after string, limit int) ([]*server.Client, error) {
	query, args := `SELECT client FROM {prefix}oauth_clients WHERE id > ? ORDER BY id LIMIT ?`, []any{after, limit}
	if owner != "" {
		query = `SELECT client FROM {prefix}oauth_clients WHERE owner = ? AND id > ? ORDER BY id LIMIT ?`
		args = []any{owner, after, limit}
	}
	return listed(ctx, s, scanClient, query, args...)
}

// Consents implements [server.Store].
func (s *OAuthStore) Consents(ctx context.Context, userID, after string, limit int) ([]*server.Consent, error) {
	return listed(ctx, s, scanConsent, `SELECT `+oauthConsentColumns+` FROM {prefix}oauth_consents
		WHERE user_id = ? AND client_id > ? ORDER BY client_id LIMIT ?`, userID, after, limit)
}

// Grants implements [server.Store].
func (s *OAuthStore) Grants(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.Grant, error) {
	where, args := `user_id = ?`, []any{userID}
	if after != "" {
		where, args = `user_id = ? AND id < ?`, []any{userID, after}
	}
	return listed(ctx, s, func(row scanner) (*server.Grant, error) { return scanGrant(row) },
		`SELECT `+oauthGrantColumns+` FROM {prefix}oauth_grants g WHERE `+where+` AND `+oauthLive+`
		ORDER BY id DESC LIMIT ?`, append(args, micros(now), limit)...)
}

// GrantsByClient implements [server.Store]. The permissions are read by another statement,
// because few engines can gather lists in the same way.
func (s *OAuthStore) GrantsByClient(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.ClientGrants, error) {
	all, err := listed(ctx, s, scanClientGrants, `SELECT client_id, COUNT(*), MIN(created), MAX(last_used)
		FROM {prefix}oauth_grants WHERE user_id = ? AND client_id > ? AND `+oauthLive+`
		GROUP BY client_id ORDER BY client_id LIMIT ?`, userID, after, micros(now), limit)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	byID := make(map[string]*server.ClientGrants)
	for _, of := range all {
		byID[of.ClientID] = of
	}
	found, err := listed(ctx, s, scanPermitted, `SELECT DISTINCT client_id, permissions, scopes, resources
		FROM {prefix}oauth_grants WHERE user_id = ? AND client_id > ? AND client_id <= ? AND `+oauthLive,
		userID, after, all[len(all)-1].ClientID, micros(now))
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if of := byID[one.clientID]; of != nil { // not granted meanwhile
			of.Permissions = of.Permissions.Add(one.all)
		}
	}
	for _, of := range all {
		of.Permissions = of.Permissions.Sorted()
	}
	return all, nil
}

// permitted is what some grants of a client permit.
type permitted struct {
	clientID string
	all      server.Permissions
}

func scanPermitted(row scanner) (*permitted, error) {
	var of permitted
	var may permissionColumns
	err := row.Scan(&of.clientID, &may.permissions, &may.scopes, &may.resources)
	if err != nil {
		return nil, err
	}
	of.all, err = may.read(grantedBefore)
	return &of, err
}

func scanClientGrants(row scanner) (*server.ClientGrants, error) {
	var of server.ClientGrants
	var since, lastUsed sql.NullInt64
	if err := row.Scan(&of.ClientID, &of.Count, &since, &lastUsed); err != nil {
		return nil, err
	}
	of.Since, of.LastUsed = instant(since), instant(lastUsed)
	return &of, nil
}

// listed reads all rows of a query.
func listed[R any](ctx context.Context, s *OAuthStore, scan func(scanner) (*R, error), query string,
	args ...any) ([]*R, error) {
	return readAll(ctx, s.db.query(query), scan, args...)
}
