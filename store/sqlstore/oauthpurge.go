package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// Purge implements [server.Store] in one transaction.
func (s *OAuthStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		total, err := s.purgeGrants(ctx, conn, now, limit)
		if err != nil {
			return 0, err
		}
		for _, each := range []struct{ table, key string }{
			{"oauth_access", "digest"}, {"oauth_refresh", "digest"}, {"oauth_interactions", "digest"},
			{"oauth_once", "{key}"},
		} {
			n, err := s.db.purgeIn(ctx, conn, each.table, each.key, "expires_at", micros(now), limit-total)
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	})
}

// purgeGrants removes at most limit grants with what is theirs, and returns how many, in a transaction.
func (s *OAuthStore) purgeGrants(ctx context.Context, conn *sql.Conn, now time.Time, limit int) (int, error) {
	spent, err := s.purgeable(ctx, conn, now, limit)
	if err != nil {
		return 0, err
	}
	for _, statement := range []string{
		`DELETE FROM {prefix}oauth_codes WHERE grant_id IN {keys}`,
		`DELETE FROM {prefix}oauth_access WHERE grant_id IN {keys}`,
		`DELETE FROM {prefix}oauth_refresh WHERE grant_id IN {keys}`,
		`DELETE FROM {prefix}oauth_grants WHERE id IN {keys}`,
	} {
		if _, err := s.db.execForKeys(ctx, conn, statement, spent); err != nil {
			return 0, err
		}
	}
	return len(spent), nil
}

// purgeable returns at most limit grants that Purge removes: first those that expired, then
// those that ended, in a transaction.
func (s *OAuthStore) purgeable(ctx context.Context, conn *sql.Conn, now time.Time, limit int) ([]string, error) {
	expired, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
		WHERE expires_at <= ? ORDER BY expires_at LIMIT ? {skip}`), micros(now), limit)
	if err != nil || len(expired) == limit {
		return expired, err
	}
	ended, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
		WHERE revoked_at <= ? AND expires_at > ? ORDER BY revoked_at LIMIT ? {skip}`),
		micros(now.Add(-server.KeepEnded)), micros(now), limit-len(expired))
	return append(expired, ended...), err
}
