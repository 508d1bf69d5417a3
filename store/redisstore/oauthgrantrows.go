package redisstore

import (
	"context"
	"strings"
	"time"
)

// This file reads and writes the rows of grants in changes.

// loadedGrant is a grant with its row. Where its client has ended it, the row says so.
type loadedGrant struct {
	id  string
	row *grantRow
}

// grantKey returns the key of a grant.
func (s *oauthStore) grantKey(t tag, id string) string { return s.db.key(oauthGrants, t, id) }

// loadGrant reads the row of a grant in a change. It is nil if there is no grant. See clientState.revoke.
func (s *oauthStore) loadGrant(ctx context.Context, c *change, t tag, id string) (*grantRow, error) {
	var row grantRow
	found, err := c.get(ctx, s.grantKey(t, id), &row)
	if err != nil || !found {
		return nil, err
	}
	return &row, nil
}

// grantLists returns the index of the grants of a user that have not ended, and its version. A client that acts for
// itself has an index of its own. The members are listed(id, id).
func (s *oauthStore) grantLists(t tag, userID, clientID string) (index, version string) {
	owner := userID
	if userID == "" {
		owner = separator + clientID // no user has such a name
	}
	return s.db.key(oauthGrantList, t, owner), s.db.key(oauthGrantVer, t, owner)
}

// grantsOf reads all grants in an index of grantLists in a change, in order of ID. It notes the removal of members
// without a grant, which Redis has let go, so that the index stays small without a purge.
func (s *oauthStore) grantsOf(ctx context.Context, c *change, t tag, userID, clientID string) ([]loadedGrant, error) {
	index, version := s.grantLists(t, userID, clientID)
	ids, err := c.digestsOf(ctx, index, version, func(id string) []string { return []string{s.grantKey(t, id)} })
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !c.exists(s.grantKey(t, id)) {
			c.removeMember(index, listed(id, id))
		}
	}
	return s.loadGrants(ctx, c, t, ids)
}

// loadGrants reads grants in a change, with what their clients say. Those that are not there are left out.
func (s *oauthStore) loadGrants(ctx context.Context, c *change, t tag, ids []string) ([]loadedGrant, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.grantKey(t, id)
	}
	if err := c.read(ctx, keys...); err != nil {
		return nil, err
	}
	var all []loadedGrant
	var clients []string
	for _, id := range ids {
		row, err := s.loadGrant(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		if row != nil {
			all, clients = append(all, loadedGrant{id, row}), append(clients, row.ClientID)
		}
	}
	states, err := s.clientStates(ctx, clients)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		*h.row = states[h.row.ClientID].revoke(*h.row)
	}
	return all, nil
}

// saveGrant writes the row of a grant, and when a purge removes it.
func (s *oauthStore) saveGrant(c *change, t tag, id string, row *grantRow, now time.Time) {
	ttl := ttlUntil(row.until(), now)
	c.set(s.grantKey(t, id), row, ttl)
	c.addExpiring(s.db.key(oauthGrantExpiry, t, ""), id, row.until(), ttl)
}

// endGrant ends a grant that has not ended. Its row changes too. The grant leaves the indexes of its owner and of its
// session, so that a limit counts no more rows than are live. If the memory of the server is full, the grant is removed
// instead. Its tokens are then unknown, and so refused as well. They go when they expire.
func (s *oauthStore) endGrant(c *change, t tag, id string, row *grantRow, now time.Time) {
	row.Revoked = microsOf(now)
	s.unlistGrant(c, t, id, row)
	if !c.outOfMemory {
		s.saveGrant(c, t, id, row, now)
		return
	}
	c.remove(s.grantKey(t, id))
	c.removeMember(s.db.key(oauthGrantExpiry, t, ""), id)
}

// unlistGrant removes a grant from the indexes of its owner and of its session.
func (s *oauthStore) unlistGrant(c *change, t tag, id string, row *grantRow) {
	index, _ := s.grantLists(t, row.UserID, row.ClientID)
	c.removeMember(index, listed(id, id))
	if row.SessionID != "" {
		sessions, _ := s.sessionLists(t, row.SessionID)
		c.removeMember(sessions, listed(id, id))
	}
}

// transactEnd is transact for a change that only ends grants. If the memory of the server is full, it is made once
// more in the way that needs no memory.
func (s *oauthStore) transactEnd(ctx context.Context, turn string,
	decide func(ctx context.Context, c *change) error) error {
	err := s.db.transact(ctx, turn, decide)
	if !isOutOfMemory(err) {
		return err
	}
	return s.db.transact(ctx, turn, func(ctx context.Context, c *change) error {
		c.outOfMemory = true
		return decide(ctx, c)
	})
}

// forgetGrant removes a grant with all that is its own. Its client's index is elsewhere, see unlistOfClient.
func (s *oauthStore) forgetGrant(ctx context.Context, c *change, t tag, id string, row *grantRow) error {
	own := s.db.key(oauthGrantTokens, t, id)
	members, err := s.db.all(ctx, own)
	if err != nil {
		return err
	}
	for _, member := range members {
		s.forgetOwn(c, t, member)
	}
	c.remove(own)
	c.remove(s.grantKey(t, id))
	c.removeMember(s.db.key(oauthGrantExpiry, t, ""), id)
	s.unlistGrant(c, t, id, row)
	return nil
}

// forgetOwn removes what a member of oauthGrantTokens names.
func (s *oauthStore) forgetOwn(c *change, t tag, member string) {
	digest := member[min(1, len(member)):]
	switch {
	case strings.HasPrefix(member, ownCode):
		c.remove(s.db.key(oauthCodes, t, digest))
	case strings.HasPrefix(member, ownAccess):
		c.remove(s.db.key(oauthAccess, t, digest))
		c.removeMember(s.db.key(oauthAccessExpiry, t, ""), digest)
	case strings.HasPrefix(member, ownRefresh):
		c.remove(s.db.key(oauthRefresh, t, digest))
		c.removeMember(s.db.key(oauthRefreshEnds, t, ""), digest)
	}
}
