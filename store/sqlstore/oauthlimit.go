package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/gatewarden/auth/oauth2/server"
)

// AddClient implements [server.Store] in one transaction.
func (s *OAuthStore) AddClient(ctx context.Context, client *server.Client, limit int) (server.Added, error) {
	text, err := json.Marshal(client)
	if err != nil {
		return server.Added{}, err
	}
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (added server.Added, err error) {
		if limit > 0 {
			if err := s.db.lockOwner(ctx, conn, client.Owner); err != nil {
				return added, err
			}
		}
		inserted, err := s.db.dialect.insertNew(ctx, s.db, conn, "oauth_clients",
			`id, owner, disabled, updated, client`,
			client.ID, client.Owner, client.Disabled, micros(client.Updated), string(text))
		if err != nil || !inserted {
			added.Refused = err == nil
			return added, err
		}
		if limit <= 0 {
			return added, nil
		}
		var have int
		count := s.db.sql(`SELECT COUNT(*) FROM {prefix}oauth_clients WHERE owner = ?`)
		if err := queryRow(ctx, conn, count, client.Owner).Scan(&have); err != nil || have <= limit {
			return added, err
		}
		added.OverLimit = true
		_, err = conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_clients WHERE id = ?`), client.ID)
		return added, err
	})
}

// makeRoom ends grants until a new one makes at most limit, and writes into added what
// became of it, in a transaction. The oldest ones end first or, if the new one waits for
// its code to be redeemed, those that wait too.
func (s *OAuthStore) makeRoom(ctx context.Context, conn *sql.Conn, added *server.Added, grant *server.Grant, limit int,
	evict, waiting bool) error {
	if limit <= 0 {
		return nil
	}
	now := micros(grant.Created)
	rivals, args := `user_id = ? AND stamp = ? AND `+oauthLive, []any{grant.UserID, grant.Stamp, now}
	if grant.UserID == "" {
		rivals, args = `user_id = '' AND client_id = ? AND `+oauthLive, []any{grant.ClientID, now}
	}
	var have int
	counting := s.db.sql(`SELECT COUNT(*) FROM {prefix}oauth_grants WHERE ` + rivals)
	if err := queryRow(ctx, conn, counting, args...).Scan(&have); err != nil || have < limit {
		return err
	}
	// Some of them may be ending just now, which only those find out who lock them.
	oldest, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants
		WHERE `+rivals+` ORDER BY id {lock}`), args...)
	if err != nil || len(oldest) < limit {
		return err
	}
	if !evict {
		added.OverLimit = true
		return nil
	}
	most := len(oldest) - limit + 1
	if waiting {
		if added.Evicted, err = s.endWaiting(ctx, conn, grant, most, rivals, args); err != nil {
			return err
		}
		if len(added.Evicted) == most {
			return s.db.notify(ctx, conn, grantOwner(grant))
		}
	}
	oldest = slices.DeleteFunc(oldest, func(id string) bool { return slices.Contains(added.Evicted, id) })
	ids := oldest[:most-len(added.Evicted)]
	added.Evicted = append(added.Evicted, ids...)
	if err := s.db.notifyEnded(ctx, conn, grantOwner(grant), added.Evicted); err != nil {
		return err
	}
	return s.endThese(ctx, conn, ids, grant.Created)
}

// endWaiting ends at most limit of the rivals of a grant that wait for their code to be redeemed, those of
// the same client first, and returns which they were, in a transaction.
func (s *OAuthStore) endWaiting(ctx context.Context, conn *sql.Conn, grant *server.Grant, limit int, rivals string,
	args []any) ([]string, error) {
	ids, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}oauth_grants g
		WHERE `+rivals+` AND EXISTS (SELECT 1 FROM {prefix}oauth_codes c
		WHERE c.grant_id = g.id AND c.redeemed IS NULL)
		ORDER BY client_id <> ?, id LIMIT ? {lock}`), append(slices.Clone(args), grant.ClientID, limit)...)
	if err != nil {
		return nil, err
	}
	return ids, s.endThese(ctx, conn, ids, grant.Created)
}
