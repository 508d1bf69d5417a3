package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// Purge implements [server.Store] in one transaction.
func (s *OAuthStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	total := 0
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if total, err = s.purgeGrants(ctx, conn, now, limit); err != nil {
			return err
		}
		for _, each := range []struct{ table, key string }{
			{"oauth_access", "digest"}, {"oauth_refresh", "digest"}, {"oauth_interactions", "digest"},
			{"oauth_once", "{key}"},
		} {
			n, err := count(conn.ExecContext(ctx, s.db.deleteFirst(each.table, each.key, `expires_at <= ?`,
				"expires_at"), micros(now), limit-total))
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

// purgeGrants removes at most limit grants with what is theirs, and returns how many, in a transaction.
func (s *OAuthStore) purgeGrants(ctx context.Context, conn *sql.Conn, now time.Time, limit int) (int, error) {
	spent, err := s.spent(ctx, conn, now, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range spent {
		for _, statement := range []string{
			`DELETE FROM {prefix}oauth_codes WHERE grant_id = ?`,
			`DELETE FROM {prefix}oauth_access WHERE grant_id = ?`,
			`DELETE FROM {prefix}oauth_refresh WHERE grant_id = ?`,
			`DELETE FROM {prefix}oauth_grants WHERE id = ?`,
		} {
			if _, err := conn.ExecContext(ctx, s.db.sql(statement), id); err != nil {
				return 0, err
			}
		}
	}
	return len(spent), nil
}

// spent returns at most limit grants that Purge removes: first those that expired, then
// those that ended, in a transaction.
func (s *OAuthStore) spent(ctx context.Context, conn *sql.Conn, now time.Time, limit int) ([]string, error) {
	expired, err := texts(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
		WHERE expires_at <= ? ORDER BY expires_at LIMIT ? {lock}`), micros(now), limit)
	if err != nil || len(expired) == limit {
		return expired, err
	}
	ended, err := texts(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
		WHERE revoked_at <= ? AND expires_at > ? ORDER BY revoked_at LIMIT ? {lock}`),
		micros(now.Add(-server.KeepEnded)), micros(now), limit-len(expired))
	return append(expired, ended...), err
}
