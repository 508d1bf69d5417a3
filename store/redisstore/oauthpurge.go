package redisstore

import (
	"context"
	"errors"
	"time"
)

// Purge implements [server.Store].
func (s *oauthStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	p := &oauthPurge{oauthStore: s, now: now}
	removed := func() int { return p.removed }
	var errs []error
	for _, each := range []struct {
		index  kind
		remove func(ctx context.Context, c *change, t tag, members []string) (func(), error)
	}{
		{oauthGrantExpiry, p.grants}, {oauthAccessExpiry, p.access}, {oauthRefreshEnds, p.refresh},
		{oauthPageExpiry, p.pages}, {oauthOnceExpiry, p.once},
	} {
		errs = append(errs, s.db.purge(ctx, each.index, now, limit, each.remove, removed),
			p.unlist(context.WithoutCancel(ctx))) // since the grants have gone already
	}
	return p.removed, errors.Join(errs...)
}

// oauthPurge is one call of Purge. Each of its methods notes in a change the removal of what some members of an index
// name.
type oauthPurge struct {
	*oauthStore
	now     time.Time
	removed int
	gone    []loadedGrant // grants that are in the indexes of their clients yet
}

// counted returns what to do after a change.
func (p *oauthPurge) counted(n int) func() { return func() { p.removed += n } }

// grants removes grants. The indexes of their clients have other tags, and so lose them later: see unlist. If the
// program crashes before that, members stay that name no grant. They do no harm, and go with their index.
func (p *oauthPurge) grants(ctx context.Context, c *change, t tag, ids []string) (func(), error) {
	if err := p.readAll(ctx, c, oauthGrants, t, ids); err != nil {
		return nil, err
	}
	var gone []loadedGrant
	for _, id := range ids {
		row, err := p.loadGrant(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		switch {
		case row == nil:
			c.removeMember(p.db.key(oauthGrantExpiry, t, ""), id)
			continue
		case p.now.Before(row.until()): // it was prolonged since the index was read
			continue
		}
		if err := p.forgetGrant(ctx, c, t, id, row); err != nil {
			return nil, err
		}
		gone = append(gone, loadedGrant{id, row})
	}
	return func() {
		p.removed += len(gone)
		p.gone = append(p.gone, gone...)
	}, nil
}

// readAll reads the keys of records in one round trip.
func (p *oauthPurge) readAll(ctx context.Context, c *change, k kind, t tag, names []string) error {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = p.db.key(k, t, name)
	}
	return c.read(ctx, keys...)
}

// unlist removes the grants that are gone from the indexes of their clients.
func (p *oauthPurge) unlist(ctx context.Context) error {
	byClient := make(map[string][]string)
	for _, h := range p.gone {
		byClient[h.row.ClientID] = append(byClient[h.row.ClientID], clientMember(h.id, h.row.UserID))
	}
	p.gone = nil
	for clientID, members := range byClient {
		if err := p.unlistOfClient(ctx, clientID, members...); err != nil {
			return err
		}
	}
	return nil
}

// access removes access tokens.
func (p *oauthPurge) access(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
	if err := p.readAll(ctx, c, oauthAccess, t, digests); err != nil {
		return nil, err
	}
	n := 0
	for _, digest := range digests {
		var row accessRow
		found, err := c.get(ctx, p.db.key(oauthAccess, t, digest), &row)
		if err != nil {
			return nil, err
		}
		if found {
			c.removeMember(p.db.key(oauthGrantTokens, t, row.GrantID), ownAccess+digest)
			n++
		}
		p.forgetOwn(c, t, ownAccess+digest)
	}
	return p.counted(n), nil
}

// refresh removes refresh tokens.
func (p *oauthPurge) refresh(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
	if err := p.readAll(ctx, c, oauthRefresh, t, digests); err != nil {
		return nil, err
	}
	n := 0
	for _, digest := range digests {
		var row oauthRefreshRow
		found, err := c.get(ctx, p.db.key(oauthRefresh, t, digest), &row)
		if err != nil {
			return nil, err
		}
		if found {
			c.removeMember(p.db.key(oauthGrantTokens, t, row.GrantID), ownRefresh+digest)
			n++
		}
		p.forgetOwn(c, t, ownRefresh+digest)
	}
	return p.counted(n), nil
}

// pages removes interactions.
func (p *oauthPurge) pages(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
	if err := p.readAll(ctx, c, oauthPages, t, digests); err != nil {
		return nil, err
	}
	n := 0
	for _, digest := range digests {
		row, err := p.loadPage(ctx, c, t, digest)
		if err != nil {
			return nil, err
		}
		if row == nil {
			c.removeMember(p.db.key(oauthPageExpiry, t, ""), digest)
			continue
		}
		p.removePage(c, t, digest, row)
		n++
	}
	return p.counted(n), nil
}

// once removes keys of PutOnce.
func (p *oauthPurge) once(ctx context.Context, c *change, t tag, keys []string) (func(), error) {
	if err := p.readAll(ctx, c, oauthOnce, t, keys); err != nil {
		return nil, err
	}
	n := 0
	for _, key := range keys {
		var row onceRow
		found, err := c.get(ctx, p.onceKey(key), &row)
		if err != nil {
			return nil, err
		}
		if found && row.Expires > microsOf(p.now) {
			continue // it was noted again since the index was read
		}
		p.forgetOnce(c, key)
		if found {
			n++
		}
	}
	return p.counted(n), nil
}
