package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file redeems codes, and issues, refreshes and finds tokens.

// FindCode implements [server.Store].
func (s *OAuthStore) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	return scanCode(s.code.row(ctx, digest))
}

// Redeem implements [server.Store] in one transaction.
func (s *OAuthStore) Redeem(ctx context.Context, digest string, now time.Time,
	tokens server.Tokens) (server.Verdict, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (server.Verdict, error) {
		code, grant, err := scanCode(queryRow(ctx, conn, s.findCode, digest))
		if err != nil || code == nil {
			return server.Unknown, err
		}
		switch {
		case !grant.RevokedAt.IsZero():
			return server.Revoked, nil
		case !code.Redeemed.IsZero():
			return server.Reused, s.end(ctx, conn, grant, now)
		case !grant.Live(now) || !now.Before(code.ExpiresAt):
			return server.Expired, nil
		}
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_codes SET redeemed = ? WHERE digest = ?`),
			micros(now), digest); err != nil {
			return server.Unknown, err
		}
		return server.Redeemed, s.add(ctx, conn, grant.ID, now, tokens.ExpiresAt(), tokens)
	})
}

// FindRefresh implements [server.Store].
func (s *OAuthStore) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	return scanRefresh(s.tokens.row(ctx, digest))
}

// Rotate implements [server.Store] in one transaction.
func (s *OAuthStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	tokens server.Tokens) (server.Rotation, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (server.Rotation, error) {
		return s.rotate(ctx, conn, old, now, grace, tokens)
	})
}

func (s *OAuthStore) rotate(ctx context.Context, conn *sql.Conn, old string, now time.Time, grace time.Duration,
	tokens server.Tokens) (server.Rotation, error) {
	refresh, grant, err := scanRefresh(queryRow(ctx, conn, s.findRefresh, old))
	if err != nil || refresh == nil {
		return server.Rotation{Verdict: server.Unknown}, err
	}
	switch {
	case !grant.RevokedAt.IsZero():
		return server.Rotation{Verdict: server.Revoked}, nil
	case !grant.Live(now) || !now.Before(refresh.ExpiresAt):
		return server.Rotation{Verdict: server.Expired}, nil
	case !refresh.Rotated.IsZero():
		return s.retry(ctx, conn, refresh, grant, now, grace, tokens.Access)
	}
	if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_refresh
		SET rotated = ?, successor = ?, sealed = NULL WHERE digest = ?`),
		micros(now), tokens.Refresh.Digest, old); err != nil {
		return server.Rotation{}, err
	}
	return server.Rotation{Verdict: server.Redeemed}, s.add(ctx, conn, grant.ID, now, tokens.ExpiresAt(), tokens)
}

// retry is rotate for a token that was used before. Within the grace it adds an access token, and otherwise
// it ends the grant.
func (s *OAuthStore) retry(ctx context.Context, conn *sql.Conn, refresh *server.Refresh, grant *server.Grant,
	now time.Time, grace time.Duration, access *server.Access) (server.Rotation, error) {
	if since := now.Sub(refresh.Rotated); since > -grace && since < grace {
		next, _, err := scanRefresh(queryRow(ctx, conn, s.findRefresh, refresh.Successor))
		if err != nil {
			return server.Rotation{}, err
		}
		if next != nil && next.Rotated.IsZero() && now.Before(next.ExpiresAt) && len(next.Sealed) > 0 {
			expires := grant.ExpiresAt
			if access.ExpiresAt.After(expires) {
				expires = access.ExpiresAt
			}
			rotation := server.Rotation{Verdict: server.Retried, Sealed: next.Sealed}
			return rotation, s.add(ctx, conn, grant.ID, now, expires, server.Tokens{Access: access})
		}
	}
	return server.Rotation{Verdict: server.Reused}, s.end(ctx, conn, grant, now)
}

// add adds tokens to a grant and says when it was used and when it expires, in a
// transaction.
func (s *OAuthStore) add(ctx context.Context, conn *sql.Conn, grantID string, now, expires time.Time,
	tokens server.Tokens) error {
	if err := s.addTokens(ctx, conn, grantID, tokens); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_grants SET last_used = ?, expires_at = ?
		WHERE id = ?`), micros(now), micros(expires), grantID)
	return err
}

var errGrant = errors.New("sqlstore: a code or token that is not of this grant")

func (s *OAuthStore) addTokens(ctx context.Context, conn *sql.Conn, grantID string, tokens server.Tokens) error {
	a, r := tokens.Access, tokens.Refresh
	if a.GrantID != grantID || r != nil && r.GrantID != grantID {
		return errGrant
	}
	if _, err := conn.ExecContext(ctx, s.addAccess, a.Digest, a.ID, a.GrantID, list(a.Scopes), list(a.Audience),
		micros(a.Issued), micros(a.ExpiresAt)); err != nil || r == nil {
		return err
	}
	_, err := conn.ExecContext(ctx, s.addRefresh, r.Digest, r.GrantID, micros(r.Issued), micros(r.ExpiresAt),
		micros(r.Rotated), r.Successor, sealed(r.Sealed))
	return err
}

// FindAccess implements [server.Store] by one query.
func (s *OAuthStore) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	var a server.Access
	var scopes, audience string
	var issued, expires sql.NullInt64
	grant, err := scanGrant(s.access.row(ctx, digest), &a.Digest, &a.ID, &a.GrantID, &scopes, &audience,
		&issued, &expires)
	if err != nil || grant == nil {
		return nil, nil, err
	}
	a.Issued, a.ExpiresAt = instant(issued), instant(expires)
	return &a, grant, errors.Join(unlist(scopes, &a.Scopes), unlist(audience, &a.Audience))
}

// AddAccess implements [server.Store] in one transaction.
func (s *OAuthStore) AddAccess(ctx context.Context, access *server.Access, now time.Time) (bool, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		live, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
			WHERE id = ? AND `+oauthLive+` {lock}`), access.GrantID, micros(now))
		if err != nil || len(live) == 0 {
			return false, err
		}
		expires := micros(access.ExpiresAt)
		if _, err := conn.ExecContext(ctx, s.db.sql(`UPDATE {prefix}oauth_grants
			SET last_used = ?, expires_at = CASE WHEN expires_at > ? THEN expires_at ELSE ? END WHERE id = ?`),
			micros(now), expires, expires, access.GrantID); err != nil {
			return false, err
		}
		return true, s.addTokens(ctx, conn, access.GrantID, server.Tokens{Access: access})
	})
}

// RemoveAccess implements [server.Store].
func (s *OAuthStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	return s.endOne(ctx, digest, `id = (SELECT grant_id FROM {prefix}oauth_access WHERE digest = ?)`,
		s.db.sql(`DELETE FROM {prefix}oauth_access WHERE digest = ?`), digest)
}
