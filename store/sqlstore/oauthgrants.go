package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// grantValues are the columns of a grant, in the order of oauthGrantColumns.
func grantValues(g *server.Grant) []any {
	var amr any
	if g.AuthInfo.AMR != nil {
		amr = list(g.AuthInfo.AMR)
	}
	return []any{g.ID, g.ClientID, g.UserID, g.Type, permissionsText(g.Permissions), noList, noList, g.SessionID,
		g.Offline, micros(g.AuthInfo.AuthTime), amr, g.AuthInfo.ACR, g.Stamp, micros(g.Created), micros(g.LastUsed),
		micros(g.ExpiresAt), micros(g.MaxExpiresAt), micros(g.RevokedAt), extraText(g.Extra)}
}

// extraText is what features keep with a grant, as it is stored.
func extraText(extra map[string]string) any {
	if len(extra) == 0 {
		return nil
	}
	text, _ := json.Marshal(extra) // never fails for texts
	return string(text)
}

// scanner is a row, or rows.
type scanner interface{ Scan(fields ...any) error }

// scanGrant reads a grant, and before it the fields of what leads to it. It is nil
// if there is none.
func scanGrant(row scanner, before ...any) (*server.Grant, error) {
	var g server.Grant
	var may permissionColumns
	var amr, extra sql.NullString
	var authTime, created, lastUsed, expiresAt, maxExpiresAt, revokedAt sql.NullInt64
	err := row.Scan(append(before, &g.ID, &g.ClientID, &g.UserID, &g.Type, &may.permissions, &may.scopes,
		&may.resources, &g.SessionID, &g.Offline, &authTime, &amr, &g.AuthInfo.ACR, &g.Stamp, &created, &lastUsed,
		&expiresAt, &maxExpiresAt, &revokedAt, &extra)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.AuthInfo.AuthTime, g.Created, g.LastUsed = instant(authTime), instant(created), instant(lastUsed)
	g.ExpiresAt, g.MaxExpiresAt, g.RevokedAt = instant(expiresAt), instant(maxExpiresAt), instant(revokedAt)
	if amr.Valid {
		if err := unlist(amr.String, &g.AuthInfo.AMR); err != nil {
			return nil, err
		}
	}
	if extra.Valid {
		if err := json.Unmarshal([]byte(extra.String), &g.Extra); err != nil {
			return nil, err
		}
	}
	g.Permissions, err = may.read(grantedBefore)
	return &g, err
}

func scanCode(row scanner) (*server.Code, *server.Grant, error) {
	var c server.Code
	var expires, redeemed sql.NullInt64
	grant, err := scanGrant(row, &c.Digest, &c.GrantID, &c.RedirectURI, &c.Challenge, &c.Nonce, &expires, &redeemed)
	if err != nil || grant == nil {
		return nil, nil, err
	}
	c.ExpiresAt, c.Redeemed = instant(expires), instant(redeemed)
	return &c, grant, nil
}

func scanRefresh(row scanner) (*server.Refresh, *server.Grant, error) {
	var r server.Refresh
	var issued, expires, rotated sql.NullInt64
	grant, err := scanGrant(row, &r.Digest, &r.GrantID, &issued, &expires, &rotated, &r.Successor, &r.Sealed)
	if err != nil || grant == nil {
		return nil, nil, err
	}
	r.Issued, r.ExpiresAt, r.Rotated = instant(issued), instant(expires), instant(rotated)
	return &r, grant, nil
}

// Grant implements [server.Store].
func (s *OAuthStore) Grant(ctx context.Context, id string) (*server.Grant, error) {
	return scanGrant(s.db.query(`SELECT `+oauthGrantColumns+` FROM {prefix}oauth_grants g WHERE id = ?`).row(ctx, id))
}

// end ends a grant that has not ended, in a transaction.
func (s *OAuthStore) end(ctx context.Context, conn *sql.Conn, grant *server.Grant, now time.Time) error {
	ended, err := changed(conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_grants SET revoked_at = ?
		WHERE id = ? AND revoked_at IS NULL`), micros(now), grant.ID))
	if err != nil || !ended {
		return err
	}
	return s.db.notify(ctx, conn, grantOwner(grant))
}

// End implements [server.Store].
func (s *OAuthStore) End(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.endOne(ctx, id, `id = ?`, s.db.sql(`UPDATE {prefix}oauth_grants SET revoked_at = ?
		WHERE id = ? AND `+oauthLive), micros(now), id, micros(now))
}

// endOne is DB.endOne for a grant or an access token. The condition finds its grant by a key. If it finds no grant, the
// user is not known, and the notification names all.
func (s *OAuthStore) endOne(ctx context.Context, key, condition, statement string, args ...any) (bool, error) {
	owner := ""
	if s.db.channel != "" {
		var g server.Grant
		err := s.db.query(`SELECT user_id, client_id FROM {prefix}oauth_grants WHERE `+condition).row(ctx, key).
			Scan(&g.UserID, &g.ClientID)
		switch {
		case err == nil:
			owner = grantOwner(&g)
		case !errors.Is(err, sql.ErrNoRows):
			return false, err
		}
	}
	return s.db.endOne(ctx, statement, owner, args...)
}

// PutOnce implements [server.Store] in one transaction.
func (s *OAuthStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (fresh bool, err error) {
	return s.db.putOnce(ctx, "oauth_once", key, expires, now)
}
