package redisstore

import (
	"context"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// transferGrants moves grants with their code and their tokens.
type transferGrants struct {
	typed[*transfer.OAuthGrant]
	*oauthStore
}

func (m transferGrants) own() kind { return oauthGrants }

func (m transferGrants) refOf(record transfer.Record) ref {
	r := record.(*transfer.OAuthGrant)
	return ref{grantTag(r.UserID, r.ClientID), r.ID}
}

func (m transferGrants) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(oauthGrantExpiry), expiring(now), after, limit, memberRef, m.load)
}

func (m transferGrants) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	return m.db.findPlaced(ctx, m, oauthGrantPlaces, like, tagOfID)
}

// load reads the grants, and then what is listed as their own.
func (m transferGrants) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	rows, err := rowsOf[grantRow](ctx, m.db, oauthGrants, at)
	if err != nil {
		return nil, err
	}
	grants := make([]*transfer.OAuthGrant, len(at))
	var clients []string
	for _, row := range rows {
		if row != nil {
			clients = append(clients, row.ClientID)
		}
	}
	states, err := m.clientStates(ctx, clients)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row != nil {
			grants[i] = &transfer.OAuthGrant{Grant: states[row.ClientID].revoke(*row).grant(at[i].name)}
		}
	}
	if err := m.loadOwn(ctx, at, grants); err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, grant := range grants {
		if grant != nil {
			records[i] = grant
		}
	}
	return records, nil
}

// owned is where the codes or tokens of grants are, and which grant each is of.
type owned struct {
	at []ref
	of []*transfer.OAuthGrant
}

// loadOwn reads the codes and tokens of grants.
func (m transferGrants) loadOwn(ctx context.Context, at []ref, grants []*transfer.OAuthGrant) error {
	lists, err := m.db.allOf(ctx, oauthGrantTokens, at)
	if err != nil {
		return err
	}
	all := map[string]*owned{ownCode: {}, ownAccess: {}, ownRefresh: {}}
	for i, members := range lists {
		for _, member := range members {
			for sort, some := range all {
				if digest, ok := strings.CutPrefix(member, sort); ok && grants[i] != nil {
					some.at, some.of = append(some.at, ref{at[i].t, digest}), append(some.of, grants[i])
				}
			}
		}
	}
	codes, err := rowsOf[codeRow](ctx, m.db, oauthCodes, all[ownCode].at)
	if err != nil {
		return err
	}
	access, err := rowsOf[accessRow](ctx, m.db, oauthAccess, all[ownAccess].at)
	if err != nil {
		return err
	}
	refresh, err := rowsOf[oauthRefreshRow](ctx, m.db, oauthRefresh, all[ownRefresh].at)
	if err != nil {
		return err
	}
	give(all[ownCode], codes, func(g *transfer.OAuthGrant, digest string, row *codeRow) {
		g.Codes = append(g.Codes, row.code(digest))
	})
	give(all[ownAccess], access, func(g *transfer.OAuthGrant, digest string, row *accessRow) {
		g.Access = append(g.Access, row.access(digest))
	})
	give(all[ownRefresh], refresh, func(g *transfer.OAuthGrant, digest string, row *oauthRefreshRow) {
		g.Refresh = append(g.Refresh, row.refresh(digest))
	})
	return nil
}

// give gives rows to the grants that they are of.
func give[R any](some *owned, rows []*R, to func(g *transfer.OAuthGrant, digest string, row *R)) {
	for i, row := range rows {
		if row != nil {
			to(some.of[i], some.at[i].name, row)
		}
	}
}

// before lists grants in the indexes that have other tags: see listElsewhere.
func (m transferGrants) before(ctx context.Context, records []transfer.Record, now time.Time) error {
	err := inTags(ctx, records, func(r transfer.Record) tag { return tagOfOwner(r.(*transfer.OAuthGrant).ClientID) },
		func(ctx context.Context, t tag, some []transfer.Record) error {
			return m.db.transact(ctx, "import "+string(t), func(_ context.Context, c *change) error {
				for _, record := range some {
					m.noteOfClient(c, record.(*transfer.OAuthGrant).Grant, now)
				}
				return nil
			})
		})
	if err != nil {
		return err
	}
	var odd []transfer.Record
	for _, record := range records {
		r := record.(*transfer.OAuthGrant)
		if r.SessionID != "" && tagOfID(r.SessionID) != m.refOf(r).t {
			odd = append(odd, record)
		}
	}
	return inTags(ctx, odd, func(r transfer.Record) tag { return tagOfID(r.(*transfer.OAuthGrant).SessionID) },
		func(ctx context.Context, own tag, some []transfer.Record) error {
			return m.db.transact(ctx, "import "+string(own), func(_ context.Context, c *change) error {
				for _, record := range some {
					m.noteSessionTag(c, m.refOf(record).t, record.(*transfer.OAuthGrant).Grant, now)
				}
				return nil
			})
		})
}

func (m transferGrants) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	clients := make([]string, len(records))
	for i, record := range records {
		clients[i] = record.(*transfer.OAuthGrant).ClientID
	}
	states, err := m.clientStates(ctx, clients)
	if err != nil {
		return err
	}
	for i, record := range records {
		r := record.(*transfer.OAuthGrant)
		row := grantRowOf(r.Grant, states[clients[i]].row.Generation)
		if err := m.addGrant(ctx, c, t, r, &row, now); err != nil {
			return err
		}
	}
	return nil
}

// addGrant writes a grant with its code and its tokens.
func (m transferGrants) addGrant(ctx context.Context, c *change, t tag, r *transfer.OAuthGrant, row *grantRow,
	now time.Time) error {
	if err := m.notePlace(ctx, t, r.Grant, now); err != nil {
		return err
	}
	for _, code := range r.Codes {
		ttl := row.lastTTL(now)
		row.Code, row.Waiting = code.Digest, code.Redeemed.IsZero()
		if err := m.storeOwnTag(ctx, oauthCodes, oauthCodePlaces, t, r.ID, code.GrantID, code.Digest, ttl); err != nil {
			return err
		}
		c.set(m.db.key(oauthCodes, t, code.Digest), codeRowOf(code), ttl)
		c.addMember(m.db.key(oauthGrantTokens, t, r.ID), ownCode+code.Digest, ttl)
	}
	if row.Revoked == 0 {
		m.putGrant(c, t, r.ID, row, now)
	} else {
		m.saveGrant(c, t, r.ID, row, now)
	}
	for _, a := range r.Access {
		ttl := ttlUntil(a.ExpiresAt, now)
		if err := m.storeOwnTag(ctx, oauthAccess, oauthAccessPlaces, t, r.ID, a.GrantID, a.Digest, ttl); err != nil {
			return err
		}
		m.putAccess(c, t, r.ClientID, a, ttl)
	}
	for _, token := range r.Refresh {
		ttl := ttlUntil(token.ExpiresAt, now)
		err := m.storeOwnTag(ctx, oauthRefresh, oauthRefreshPlace, t, r.ID, token.GrantID, token.Digest, ttl)
		if err != nil {
			return err
		}
		m.putRefresh(c, t, token, ttl)
	}
	return nil
}

// storeOwnTag stores the tag of a code or token under its digest, so that it can be found. It returns an error if the
// code or token belongs to another grant.
func (m transferGrants) storeOwnTag(ctx context.Context, records, places kind, t tag, wantGrantID, grantID,
	digest string, ttl time.Duration) error {
	if grantID != wantGrantID {
		return errForeignToken
	}
	return m.db.storeTag(ctx, records, places, digest, t, ttl)
}

// remove removes grants with all that is their own. Members of the indexes of their clients stay, and do no harm.
func (m transferGrants) remove(ctx context.Context, c *change, t tag, names []string) error {
	keys := make([]string, len(names))
	for i, id := range names {
		keys[i] = m.grantKey(t, id)
	}
	if err := c.read(ctx, keys...); err != nil {
		return err
	}
	for _, id := range names {
		row, err := m.loadGrant(ctx, c, t, id)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		if err := m.forgetGrant(ctx, c, t, id, row); err != nil {
			return err
		}
	}
	return nil
}
