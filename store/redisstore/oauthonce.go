package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// PutOnce implements [server.Store]. A key has the tag of its own text.
func (s *oauthStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	return s.note(ctx, key, onceRow{Version: 1, Expires: microsOf(expires)}, now)
}

// onceSlack is slack for keys of PutOnce. There may be very many, because some clients use one for each token request.
const onceSlack = time.Hour

// note notes a key, and reports whether it was fresh at now.
func (s *oauthStore) note(ctx context.Context, key string, row onceRow, now time.Time) (bool, error) {
	fresh := false
	err := s.db.transact(ctx, key, func(ctx context.Context, c *change) error {
		var before onceRow
		found, err := c.get(ctx, s.onceKey(key), &before)
		if err != nil {
			return err
		}
		if fresh = !found || before.Expires <= microsOf(now); !fresh {
			return nil
		}
		s.putOnce(c, key, row, now, onceSlack)
		return nil
	})
	return fresh && err == nil, err
}

// putOnce writes a key which Redis keeps for so much longer than it is noted.
func (s *oauthStore) putOnce(c *change, key string, row onceRow, now time.Time, longer time.Duration) {
	expires := row.Expires.time()
	ttl := min(max(expires.Sub(now), 0), maxTTL) + longer
	c.set(s.onceKey(key), row, ttl)
	c.addExpiring(s.db.key(oauthOnceExpiry, tagOfText(key), ""), key, expires, ttl)
}

func (s *oauthStore) onceKey(key string) string { return s.db.key(oauthOnce, tagOfText(key), key) }

// claimRequest notes the request that an approval answers, before the approval is made, since the key has another tag
// than the grant. It reports whether the request was fresh. An approval that changes nothing must call releaseRequest.
//
// If the program crashes between the two, the request counts as answered and there is no code. The user starts again.
func (s *oauthStore) claimRequest(ctx context.Context, a server.Approval) (bool, error) {
	if a.Request == "" {
		return true, nil
	}
	row := onceRow{Version: 1, Expires: microsOf(a.RequestExpires), By: a.Grant.ID}
	return s.note(ctx, a.Request, row, a.Grant.Created)
}

// releaseRequest makes a request fresh again that claimRequest noted for the same grant.
func (s *oauthStore) releaseRequest(ctx context.Context, a server.Approval) error {
	if a.Request == "" {
		return nil
	}
	return s.db.transact(ctx, a.Request, func(ctx context.Context, c *change) error {
		var row onceRow
		found, err := c.get(ctx, s.onceKey(a.Request), &row)
		if err != nil || !found || row.By != a.Grant.ID {
			return err
		}
		s.forgetOnce(c, a.Request)
		return nil
	})
}

func (s *oauthStore) forgetOnce(c *change, key string) {
	c.remove(s.onceKey(key))
	c.removeMember(s.db.key(oauthOnceExpiry, tagOfText(key), ""), key)
}
