package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file uses up codes and refresh tokens.

// use makes a change of a code or a token and its grant. Before decide it reads the record, the grant and the keys of
// the new tokens in one round trip. If the memory of the server is full, a grant can still be ended.
func (s *oauthStore) use(ctx context.Context, records, places kind, digest string, tokens server.Tokens,
	decide func(ctx context.Context, c *change, t tag) (bool, error)) error {
	lean := false
	attempt := func() error {
		return s.db.atDigest(ctx, places, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
			c.outOfMemory = lean
			keys := append(s.tokenKeys(t, tokens), s.db.key(records, t, digest), s.grantKey(t, tokens.Access.GrantID))
			if err := c.read(ctx, keys...); err != nil {
				return false, err
			}
			return decide(ctx, c, t)
		})
	}
	err := attempt()
	if isOutOfMemory(err) {
		lean = true
		err = attempt()
	}
	return err
}

// Redeem implements [server.Store].
func (s *oauthStore) Redeem(ctx context.Context, digest string, now time.Time,
	tokens server.Tokens) (server.Verdict, error) {
	var verdict server.Verdict
	err := s.use(ctx, oauthCodes, oauthCodePlaces, digest, tokens,
		func(ctx context.Context, c *change, t tag) (bool, error) {
			verdict = server.Unknown
			var code codeRow
			found, err := c.get(ctx, s.db.key(oauthCodes, t, digest), &code)
			if err != nil || !found {
				return false, err
			}
			of, ok, err := s.loadLiveGrant(ctx, c, t, code.GrantID)
			if err != nil || !ok {
				return true, err
			}
			verdict = s.redeem(c, t, of, code, now)
			if verdict != server.Redeemed {
				return true, nil
			}
			code.Redeemed, of.row.Waiting = microsOf(now), false
			s.moveGrant(c, t, of, now, tokens.ExpiresAt())
			c.set(s.db.key(oauthCodes, t, digest), code, of.row.lastTTL(now))
			return true, s.addTokens(ctx, c, t, of, tokens, now)
		})
	if err != nil {
		return server.Unknown, err
	}
	return verdict, nil
}

// redeem returns the verdict of Redeem, and ends the grant of a code that was used before.
func (s *oauthStore) redeem(c *change, t tag, of loadedGrant, code codeRow, now time.Time) server.Verdict {
	switch {
	case of.row.Revoked != 0:
		return server.Revoked
	case code.Redeemed != 0:
		s.endGrant(c, t, of.id, of.row, now)
		return server.Reused
	case !of.row.live(now) || code.Expires <= microsOf(now):
		return server.Expired
	}
	return server.Redeemed
}

// Rotate implements [server.Store].
func (s *oauthStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	tokens server.Tokens) (server.Rotation, error) {
	var rotation server.Rotation
	err := s.use(ctx, oauthRefresh, oauthRefreshPlace, old, tokens,
		func(ctx context.Context, c *change, t tag) (bool, error) {
			rotation = server.Rotation{}
			var row oauthRefreshRow
			found, err := c.get(ctx, s.db.key(oauthRefresh, t, old), &row)
			if err != nil || !found {
				return false, err
			}
			of, ok, err := s.loadLiveGrant(ctx, c, t, row.GrantID)
			if err != nil || !ok {
				return true, err
			}
			switch {
			case of.row.Revoked != 0:
				rotation.Verdict = server.Revoked
				return true, nil
			case !of.row.live(now) || row.Expires <= microsOf(now):
				rotation.Verdict = server.Expired
				return true, nil
			case row.Rotated != 0:
				rotation, err = s.rotateAgain(ctx, c, t, of, row, now, grace, tokens)
				return true, err
			}
			rotation.Verdict = server.Redeemed
			row.Rotated, row.Successor, row.Sealed = microsOf(now), tokens.Refresh.Digest, nil
			c.set(s.db.key(oauthRefresh, t, old), row, ttlUntil(row.Expires.time(), now))
			s.moveGrant(c, t, of, now, tokens.ExpiresAt())
			return true, s.addTokens(ctx, c, t, of, tokens, now)
		})
	if err != nil {
		return server.Rotation{}, err
	}
	return rotation, nil
}

// rotateAgain notes the use of a refresh token that was used before: a retry gets the same successor and an access
// token, and any other use ends the grant.
func (s *oauthStore) rotateAgain(ctx context.Context, c *change, t tag, of loadedGrant, row oauthRefreshRow,
	now time.Time, grace time.Duration, tokens server.Tokens) (server.Rotation, error) {
	sealed, err := s.retry(ctx, c, t, row, now, grace)
	if err != nil {
		return server.Rotation{}, err
	}
	if sealed == nil {
		s.endGrant(c, t, of.id, of.row, now)
		return server.Rotation{Verdict: server.Reused}, nil
	}
	s.moveGrant(c, t, of, now, latest(of.row.Expires.time(), tokens.Access.ExpiresAt))
	return server.Rotation{Verdict: server.Retried, Sealed: sealed},
		s.addTokens(ctx, c, t, of, server.Tokens{Access: tokens.Access}, now)
}

// retry returns the sealed successor of a token that was used less than grace ago, or nil.
func (s *oauthStore) retry(ctx context.Context, c *change, t tag, row oauthRefreshRow, now time.Time,
	grace time.Duration) ([]byte, error) {
	since := now.Sub(row.Rotated.time())
	if since <= -grace || since >= grace {
		return nil, nil
	}
	var successor oauthRefreshRow
	found, err := c.get(ctx, s.db.key(oauthRefresh, t, row.Successor), &successor)
	if err != nil || !found || successor.Rotated != 0 || successor.Expires <= microsOf(now) {
		return nil, err
	}
	return successor.Sealed, nil
}
