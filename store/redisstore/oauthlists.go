package redisstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// Grants implements [server.Store].
func (s *oauthStore) Grants(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.Grant, error) {
	if userID == "" { // grants without a user are their clients'
		return nil, ctx.Err()
	}
	t := tagOfOwner(userID)
	index, _ := s.grantLists(t, userID, "")
	var page []*server.Grant
	err := s.db.page(ctx, index, after, limit, func(ids []string) (int, error) {
		all, err := s.loadGrants(ctx, newChange(s.db), t, ids)
		for _, of := range all {
			if of.row.live(now) && len(page) < limit {
				page = append(page, of.row.grant(of.id))
			}
		}
		return len(page), err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// GrantsByClient implements [server.Store]. It reads all grants of the user. A limit bounds their number.
func (s *oauthStore) GrantsByClient(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.ClientGrants, error) {
	if userID == "" || limit <= 0 {
		return nil, ctx.Err()
	}
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	held, err := s.grantsOf(ctx, newChange(s.db), tagOfOwner(userID), userID, "")
	if err != nil {
		return nil, err
	}
	all := make(map[string]*server.ClientGrants)
	for _, h := range held {
		if h.row.live(now) && h.row.ClientID > after {
			addTo(all, h.row)
		}
	}
	var page []*server.ClientGrants
	for _, id := range slices.Sorted(maps.Keys(all))[:min(limit, len(all))] {
		of := all[id]
		of.Permissions = of.Permissions.Sorted()
		page = append(page, of)
	}
	return page, nil
}

// addTo counts a grant to what its client has.
func addTo(all map[string]*server.ClientGrants, row *grantRow) {
	of := all[row.ClientID]
	if of == nil {
		of = &server.ClientGrants{ClientID: row.ClientID, Since: row.Created.time()}
		all[row.ClientID] = of
	}
	of.Count++
	if !of.Permissions.Cover(row.Permissions) {
		of.Permissions = of.Permissions.Add(row.Permissions)
	}
	if created := row.Created.time(); created.Before(of.Since) {
		of.Since = created
	}
	of.LastUsed = latest(of.LastUsed, row.LastUsed.time())
}
