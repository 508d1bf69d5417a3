package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file finds codes and tokens, adds access tokens and removes them.

// findOwn reads the record of a code or a token, and its tag, which is that of its grant.
func (s *oauthStore) findOwn(ctx context.Context, from rueidis.Client, records, places kind, digest string,
	row any) (t tag, found bool, err error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t = tagOfDigest(digest)
	key := s.db.key(records, t, digest)
	texts, err := getAll(ctx, from, []string{key})
	if err == nil && texts[0] == nil {
		var ok bool
		if t, ok, err = s.db.tagOfRecord(ctx, places, digest); err != nil || !ok {
			return "", false, err
		}
		key = s.db.key(records, t, digest)
		texts, err = getAll(ctx, from, []string{key})
	}
	if err != nil || texts[0] == nil {
		return "", false, err
	}
	return t, true, decode(key, *texts[0], row)
}

// FindCode implements [server.Store].
func (s *oauthStore) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	var row codeRow
	t, found, err := s.findOwn(ctx, s.db.client, oauthCodes, oauthCodePlaces, digest, &row)
	if err != nil || !found {
		return nil, nil, err
	}
	g, err := s.grantOf(ctx, s.db.client, t, row.GrantID, "")
	if err != nil || g == nil {
		return nil, nil, err
	}
	return row.code(digest), g, nil
}

// FindRefresh implements [server.Store].
func (s *oauthStore) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	var row oauthRefreshRow
	t, found, err := s.findOwn(ctx, s.db.client, oauthRefresh, oauthRefreshPlace, digest, &row)
	if err != nil || !found {
		return nil, nil, err
	}
	g, err := s.grantOf(ctx, s.db.client, t, row.GrantID, "")
	if err != nil || g == nil {
		return nil, nil, err
	}
	return row.refresh(digest), g, nil
}

// FindAccess implements [server.Store]. It takes two round trips: one for the token, and one for its grant and client
// together. The grant and the client are read after the token. So FindAccess finds a valid token while another instance
// changes it.
func (s *oauthStore) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	var row accessRow
	t, found, err := s.findOwn(ctx, s.db.reader, oauthAccess, oauthAccessPlaces, digest, &row)
	if err != nil || !found {
		return nil, nil, err
	}
	g, err := s.grantOf(ctx, s.db.reader, t, row.GrantID, row.ClientID)
	if err != nil || g == nil {
		return nil, nil, err
	}
	return row.access(digest), g, nil
}

// AddAccess implements [server.Store].
func (s *oauthStore) AddAccess(ctx context.Context, access *server.Access, now time.Time) (bool, error) {
	added := false
	found, err := s.atGrant(ctx, access.GrantID, func(ctx context.Context, c *change, t tag, of loadedGrant) error {
		if added = of.row.live(now); !added {
			return nil
		}
		s.moveGrant(c, t, of, now, latest(of.row.Expires.time(), access.ExpiresAt))
		return s.addTokens(ctx, c, t, of, server.Tokens{Access: access}, now)
	})
	return found && added && err == nil, err
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// RemoveAccess implements [server.Store].
func (s *oauthStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	removed := false
	err := s.db.atDigest(ctx, oauthAccessPlaces, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		var row accessRow
		found, err := c.get(ctx, s.db.key(oauthAccess, t, digest), &row)
		if removed = found; err != nil || !found {
			return false, err
		}
		s.forgetOwn(c, t, ownAccess+digest)
		c.removeMember(s.db.key(oauthGrantTokens, t, row.GrantID), ownAccess+digest)
		return true, nil
	})
	return removed && err == nil, err
}
