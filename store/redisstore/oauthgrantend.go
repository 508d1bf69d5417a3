package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file finds grants by their ID and ends them.

// grantAt reads the row of a grant, and its tag. The row is nil if there is no such grant. See clientState.revoke.
func (s *oauthStore) grantAt(ctx context.Context, id string) (tag, *grantRow, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t := tagOfID(id)
	keys := []string{s.grantKey(t, id), s.grantPlace(id)}
	texts, err := s.db.getAll(ctx, keys)
	if err != nil {
		return "", nil, err
	}
	if texts[0] == nil && texts[1] != nil {
		if t, err = namedTag(keys[1], *texts[1]); err != nil {
			return "", nil, err
		}
		keys = []string{s.grantKey(t, id)}
		if texts, err = s.db.getAll(ctx, keys); err != nil {
			return "", nil, err
		}
	}
	if texts[0] == nil {
		return "", nil, nil
	}
	var row grantRow
	if err := decode(keys[0], *texts[0], &row); err != nil {
		return "", nil, err
	}
	return t, &row, nil
}

// Grant implements [server.Store].
func (s *oauthStore) Grant(ctx context.Context, id string) (*server.Grant, error) {
	_, row, err := s.grantAt(ctx, id)
	if err != nil || row == nil {
		return nil, err
	}
	client, err := s.clientState(ctx, row.ClientID)
	if err != nil {
		return nil, err
	}
	return client.revoke(*row).grant(id), nil
}

// grantOf reads the grant of a token, by its tag, or nil. If clientID is "", a second round trip
// reads the client.
func (s *oauthStore) grantOf(ctx context.Context, from rueidis.Client, t tag, id, clientID string) (*server.Grant,
	error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	keys := []string{s.grantKey(t, id)}
	if clientID != "" {
		keys = append(keys, s.clientKey(clientID))
	}
	texts, err := getAll(ctx, from, keys)
	if err != nil || texts[0] == nil {
		return nil, err
	}
	var row grantRow
	if err := decode(keys[0], *texts[0], &row); err != nil {
		return nil, err
	}
	var client clientState
	switch {
	case clientID == "":
		client, err = s.clientState(ctx, row.ClientID)
	case texts[1] != nil:
		client.row, err = decodeClient(keys[1], *texts[1])
	}
	if err != nil {
		return nil, err
	}
	return client.revoke(row).grant(id), nil
}

// loadLiveGrant reads one grant in a change, with what its client says. ok is false if it is not there.
func (s *oauthStore) loadLiveGrant(ctx context.Context, c *change, t tag, id string) (of loadedGrant, ok bool,
	err error) {
	all, err := s.loadGrants(ctx, c, t, []string{id})
	if err != nil || len(all) == 0 {
		return loadedGrant{}, false, err
	}
	return all[0], true, nil
}

// atGrant makes a change of a grant, and reports whether it is there. Another change may remove the grant between two
// tries. Then what decide said in the first of them is void.
func (s *oauthStore) atGrant(ctx context.Context, id string,
	decide func(ctx context.Context, c *change, t tag, of loadedGrant) error) (found bool, err error) {
	at := func(t tag) error {
		return s.transactEnd(ctx, id, func(ctx context.Context, c *change) error {
			of, ok, err := s.loadLiveGrant(ctx, c, t, id)
			if found = ok; err != nil || !ok {
				return err
			}
			return decide(ctx, c, t, of)
		})
	}
	if err := at(tagOfID(id)); err != nil || found {
		return found, err
	}
	t, row, err := s.grantAt(ctx, id)
	if err != nil || row == nil {
		return false, err
	}
	err = at(t)
	return found, err
}

// End implements [server.Store].
func (s *oauthStore) End(ctx context.Context, id string, now time.Time) (bool, error) {
	ended := false
	found, err := s.atGrant(ctx, id, func(_ context.Context, c *change, t tag, of loadedGrant) error {
		if ended = of.row.live(now); ended {
			s.endGrant(c, t, of.id, of.row, now)
		}
		return nil
	})
	return found && ended && err == nil, err
}

// EndSession implements [server.Store]. The grants of a session are of its user. The identifier of the session names
// the tag of the user. A session with another identifier may have grants with several tags, and one change ends those
// with one tag. If a later one fails, the error says so, and the call can be made again.
func (s *oauthStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	if sessionID == "" {
		return nil, ctx.Err()
	}
	all, unreadable := s.sessionTags(ctx, sessionID)
	var ended []server.EndedGrant
	for _, t := range all {
		some, err := s.endSessionAt(ctx, t, sessionID, now)
		if err != nil {
			return nil, err
		}
		ended = append(ended, some...)
	}
	if unreadable != nil {
		return nil, unreadable
	}
	slices.SortFunc(ended, func(a, b server.EndedGrant) int { return strings.Compare(a.ID, b.ID) })
	return ended, nil
}

// sessionTags returns the tags that may have grants of a session. With an error, it returns those that it could read.
func (s *oauthStore) sessionTags(ctx context.Context, sessionID string) ([]tag, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	own := tagOfID(sessionID)
	index := s.db.key(oauthSessionTags, own, sessionID)
	members, err := s.db.all(ctx, index)
	if err != nil {
		return nil, err
	}
	all := []tag{own}
	for _, member := range members {
		t, unreadable := namedTag(index, member)
		if err = cmp.Or(err, unreadable); unreadable == nil {
			all = append(all, t)
		}
	}
	return all, err
}

func (s *oauthStore) endSessionAt(ctx context.Context, t tag, sessionID string,
	now time.Time) (ended []server.EndedGrant, err error) {
	err = s.transactEnd(ctx, sessionID, func(ctx context.Context, c *change) error {
		ended = nil
		index, version := s.sessionLists(t, sessionID)
		ids, err := c.digestsOf(ctx, index, version, func(id string) []string { return []string{s.grantKey(t, id)} })
		if err != nil {
			return err
		}
		all, err := s.loadGrants(ctx, c, t, ids)
		for _, of := range all {
			if of.row.live(now) && !of.row.Offline {
				s.endGrant(c, t, of.id, of.row, now)
				ended = append(ended, server.EndedGrant{ID: of.id, UserID: of.row.UserID})
			}
		}
		return err
	})
	return ended, err
}

// EndAll implements [server.Store].
func (s *oauthStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if userID == "" { // grants without a user are their clients'
		return nil, ctx.Err()
	}
	t := tagOfOwner(userID)
	var ended []string
	err := s.transactEnd(ctx, userID, func(ctx context.Context, c *change) error {
		ended = nil
		all, err := s.grantsOf(ctx, c, t, userID, "")
		if err != nil {
			return err
		}
		for _, of := range all {
			switch {
			case !of.row.live(now):
			case of.id != kept:
				s.endGrant(c, t, of.id, of.row, now)
				ended = append(ended, of.id)
			case of.row.Stamp != stamp:
				// With a full memory the grant keeps its old stamp, and its tokens are refused for it.
				of.row.Stamp = stamp
				c.trySet(s.grantKey(t, of.id), of.row, ttlUntil(of.row.until(), now))
			}
		}
		c.tryChangeVersion(s.db.key(userChanges, t, userID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}
