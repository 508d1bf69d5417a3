package redisstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file writes grants and their tokens in changes, and makes room for them.

// putGrant writes a new grant.
func (s *oauthStore) putGrant(c *change, t tag, id string, row *grantRow, now time.Time) {
	s.saveGrant(c, t, id, row, now)
	s.listGrant(c, t, id, row, now)
	_, version := s.grantLists(t, row.UserID, row.ClientID)
	c.changeVersion(version)
	if row.SessionID != "" {
		_, version := s.sessionLists(t, row.SessionID)
		c.changeVersion(version)
	}
}

// listGrant lists a grant, or has the indexes live for longer.
func (s *oauthStore) listGrant(c *change, t tag, id string, row *grantRow, now time.Time) {
	ttl := row.lastTTL(now)
	index, _ := s.grantLists(t, row.UserID, row.ClientID)
	c.addMember(index, listed(id, id), ttl)
	if row.SessionID != "" {
		index, _ := s.sessionLists(t, row.SessionID)
		c.addMember(index, listed(id, id), ttl)
	}
	if row.Code != "" {
		c.addMember(s.db.key(oauthGrantTokens, t, id), ownCode+row.Code, ttl)
	}
}

// sessionLists returns the index of the grants of a session that have not ended, and its version.
func (s *oauthStore) sessionLists(t tag, sessionID string) (index, version string) {
	return s.db.key(oauthSessions, t, sessionID), s.db.key(oauthSessionVer, t, sessionID)
}

// moveGrant says when a grant was used last and when it expires. Its code is known for as long as the grant is, because
// a code that comes twice ends the grant.
func (s *oauthStore) moveGrant(c *change, t tag, of loadedGrant, now, expires time.Time) {
	before := of.row.Expires
	of.row.LastUsed, of.row.Expires = microsOf(now), microsOf(expires)
	if of.row.Expires != before {
		s.listGrant(c, t, of.id, of.row, now)
		if of.row.Code != "" {
			ttl := of.row.lastTTL(now)
			c.keepFor(s.db.key(oauthCodes, t, of.row.Code), ttl, ttl)
		}
	}
	s.saveGrant(c, t, of.id, of.row, now)
}

// addTokens adds tokens to a grant.
func (s *oauthStore) addTokens(ctx context.Context, c *change, t tag, of loadedGrant, tokens server.Tokens,
	now time.Time) error {
	a, r := tokens.Access, tokens.Refresh
	if a.GrantID != of.id || r != nil && r.GrantID != of.id {
		return errForeignToken
	}
	if err := c.read(ctx, s.tokenKeys(t, tokens)...); err != nil {
		return err
	}
	ttl := ttlUntil(a.ExpiresAt, now)
	if err := s.checkNew(ctx, c, t, oauthAccess, oauthAccessPlaces, a.Digest, ttl); err != nil {
		return err
	}
	s.putAccess(c, t, of.row.ClientID, a, ttl)
	if r == nil {
		return nil
	}
	ttl = ttlUntil(r.ExpiresAt, now)
	if err := s.checkNew(ctx, c, t, oauthRefresh, oauthRefreshPlace, r.Digest, ttl); err != nil {
		return err
	}
	s.putRefresh(c, t, r, ttl)
	return nil
}

// putAccess writes an access token.
func (s *oauthStore) putAccess(c *change, t tag, clientID string, a *server.Access, ttl time.Duration) {
	c.set(s.db.key(oauthAccess, t, a.Digest), accessRowOf(a, clientID), ttl)
	c.addExpiring(s.db.key(oauthAccessExpiry, t, ""), a.Digest, a.ExpiresAt, ttl)
	c.addMember(s.db.key(oauthGrantTokens, t, a.GrantID), ownAccess+a.Digest, ttl)
}

// putRefresh writes a refresh token.
func (s *oauthStore) putRefresh(c *change, t tag, r *server.Refresh, ttl time.Duration) {
	c.set(s.db.key(oauthRefresh, t, r.Digest), oauthRefreshRowOf(r), ttl)
	c.addExpiring(s.db.key(oauthRefreshEnds, t, ""), r.Digest, r.ExpiresAt, ttl)
	c.addMember(s.db.key(oauthGrantTokens, t, r.GrantID), ownRefresh+r.Digest, ttl)
}

// tokenKeys returns the keys of tokens.
func (s *oauthStore) tokenKeys(t tag, tokens server.Tokens) []string {
	keys := []string{s.db.key(oauthAccess, t, tokens.Access.Digest)}
	if tokens.Refresh != nil {
		keys = append(keys, s.db.key(oauthRefresh, t, tokens.Refresh.Digest))
	}
	return keys
}

// checkNew returns an error if there is a record with this digest. Otherwise the record can be found by its digest as
// soon as it is written.
func (s *oauthStore) checkNew(ctx context.Context, c *change, t tag, records, places kind, digest string,
	ttl time.Duration) error {
	key := s.db.key(records, t, digest)
	if err := c.read(ctx, key); err != nil {
		return err
	}
	if c.exists(key) {
		return errDigestExists
	}
	return s.db.storeTag(ctx, records, places, digest, t, ttl)
}

// placeGrant returns an error if there is a grant with this ID. Otherwise the grant can be found by its ID as soon as
// it is written: if the ID does not name the tag, a key says where the grant is.
func (s *oauthStore) placeGrant(ctx context.Context, c *change, t tag, g *server.Grant) error {
	if c.exists(s.grantKey(t, g.ID)) {
		return errGrantExists
	}
	if tagOfID(g.ID) == t {
		return nil
	}
	_, other, err := s.grantAt(ctx, g.ID)
	if err != nil {
		return err
	}
	if other != nil {
		return errGrantExists
	}
	return s.notePlace(ctx, t, g, g.Created)
}

// notePlace notes the tag of a grant, if its ID does not name it.
func (s *oauthStore) notePlace(ctx context.Context, t tag, g *server.Grant, now time.Time) error {
	if tagOfID(g.ID) == t {
		return nil
	}
	row := grantRowOf(g, "")
	return s.db.setTag(ctx, s.grantPlace(g.ID), t, row.lastTTL(now))
}

// grantPlace returns the key with the tag of a grant if its ID does not name it.
func (s *oauthStore) grantPlace(id string) string { return s.db.key(oauthGrantPlaces, tagOfID(id), id) }

// room is how a grant gets its room.
type room struct {
	limit   int
	evict   bool
	waiting bool // the new grant waits for its code, so those that wait are the first to end
}

// makeRoom ends grants so that a new one makes at most the limit, or reports that there is no room.
func (s *oauthStore) makeRoom(ctx context.Context, c *change, t tag, g *server.Grant, r room) (server.Added, error) {
	if r.limit <= 0 {
		return server.Added{}, nil
	}
	live, err := s.limitedGrants(ctx, c, t, g)
	if err != nil || len(live) < r.limit {
		return server.Added{}, err
	}
	if !r.evict {
		return server.Added{OverLimit: true}, nil
	}
	if r.waiting {
		slices.SortStableFunc(live, func(a, b loadedGrant) int { return a.turn(g.ClientID) - b.turn(g.ClientID) })
	}
	var added server.Added
	for _, old := range live[:len(live)-r.limit+1] {
		s.endGrant(c, t, old.id, old.row, g.Created)
		added.Evicted = append(added.Evicted, old.id)
	}
	return added, nil
}

// turn says when a grant makes room for a code of a client: first those of the client that wait for their code, then
// those of others that wait, and last those that are used.
func (h loadedGrant) turn(clientID string) int {
	switch {
	case !h.row.Waiting:
		return 2
	case h.row.ClientID == clientID:
		return 0
	}
	return 1
}

// limitedGrants returns the grants that count against the limit of a new one, in order of ID.
func (s *oauthStore) limitedGrants(ctx context.Context, c *change, t tag, g *server.Grant) ([]loadedGrant, error) {
	all, err := s.grantsOf(ctx, c, t, g.UserID, g.ClientID)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(h loadedGrant) bool {
		return !h.row.live(g.Created) || g.UserID != "" && h.row.Stamp != g.Stamp
	})
	slices.SortFunc(all, func(a, b loadedGrant) int { return strings.Compare(a.id, b.id) })
	return all, nil
}
