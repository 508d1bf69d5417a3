package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/jwt"
)

// retryOutOfMemory makes a change that ends something. If the memory of the server is full, it makes the change again,
// in a way that needs no memory.
func retryOutOfMemory(do func(full bool) error) error {
	err := do(false)
	if isOutOfMemory(err) {
		return do(true)
	}
	return err
}

// isOutOfMemory reports an error of a server with a full memory. Nothing was changed then.
func isOutOfMemory(err error) bool {
	var reply *rueidis.RedisError
	return errors.As(err, &reply) && strings.Contains(reply.Error(), "OOM ")
}

// Revoke implements [jwt.Store].
func (s *jwtStore) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	t, found := tagOfOwner(userID), false
	err := retryOutOfMemory(func(full bool) error {
		return s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
			found = false
			l, err := s.login(ctx, c, t, id)
			if err != nil || l == nil || l.UserID != userID || !l.Live(now) {
				return err
			}
			s.end(c, t, l, now, full)
			found = true
			return nil
		})
	})
	return found && err == nil, err
}

// RevokeAll implements [jwt.Store]. If the memory of the server is full, it ends all families and returns an error,
// because the generation cannot be written.
func (s *jwtStore) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	ids, err := s.endAll(ctx, userID, kept, stamp, now, false)
	if err == nil || !isOutOfMemory(err) {
		return ids, err
	}
	if _, ending := s.endAll(ctx, userID, kept, stamp, now, true); ending != nil {
		return nil, ending
	}
	return nil, fmt.Errorf("redisstore: the user's logins were ended, but tokens without one are not void: %w", err)
}

func (s *jwtStore) endAll(ctx context.Context, userID, kept, stamp string, now time.Time,
	full bool) ([]string, error) {
	t := tagOfOwner(userID)
	var ids []string
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		ids = nil
		void, err := s.loadRevokedBefore(ctx, c, t, userID)
		if err != nil {
			return err
		}
		live, err := s.live(ctx, c, userID, now)
		if err != nil {
			return err
		}
		for _, l := range slices.Backward(live) {
			if l.ID != kept {
				s.end(c, t, l, now, full)
				ids = append(ids, l.ID)
			}
		}
		if !full {
			s.stampKept(c, t, live, kept, stamp, now)
			void.Version, void.Voided = 1, microsOf(now)
			if kept == "" {
				void.Generation++
			}
			c.set(s.db.key(jwtOwners, t, userID), void, 0)
		}
		c.tryChangeVersion(s.db.key(userChanges, t, userID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// stampKept gives the kept family, if it is live, a new stamp.
func (s *jwtStore) stampKept(c *change, t tag, live []*login, kept, stamp string, now time.Time) {
	for _, l := range live {
		if l.ID == kept && l.Stamp != stamp {
			l.Stamp = stamp
			s.putLogin(c, t, l, now)
		}
	}
}

// List implements [jwt.Store].
func (s *jwtStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*jwt.Session, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t, size := tagOfOwner(userID), min(limit, pageSize)
	var page []*jwt.Session
	for len(page) < limit {
		ids, err := s.db.members(ctx, s.db.key(jwtLists, t, userID), after, size)
		if err != nil || len(ids) == 0 {
			return page, err
		}
		live, err := s.liveOf(ctx, t, ids, now)
		if err != nil {
			return nil, err
		}
		page = append(page, live...)
		if len(ids) < size {
			break
		}
		after = ids[len(ids)-1]
	}
	return page[:min(limit, len(page))], nil
}

// liveOf reads those of some families that are live.
func (s *jwtStore) liveOf(ctx context.Context, t tag, ids []string, now time.Time) ([]*jwt.Session, error) {
	c := newChange(s.db)
	if err := c.read(ctx, s.keysOf(t, ids)...); err != nil {
		return nil, err
	}
	var live []*jwt.Session
	for _, id := range ids {
		l, err := s.login(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		if l != nil && l.Live(now) {
			live = append(live, l.Session)
		}
	}
	return live, nil
}

// Purge implements [jwt.Store].
func (s *jwtStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	purged, left := 0, true
	remove := func(ctx context.Context, c *change, t tag, members []string) (func(), error) {
		gone, some, err := s.purge(ctx, c, t, members)
		return func() { purged, left = purged+gone, left || some }, err
	}
	for left && purged < limit {
		left = false
		if err := s.db.purge(ctx, jwtExpiry, now, limit, remove, func() int { return purged }); err != nil {
			return purged, err
		}
	}
	return purged, nil
}

// tokensAtOnce is how many tokens one change removes, so that other calls have their turn. The tokens of one family are
// removed together, however many there are.
const tokensAtOnce = 1000

// purge removes families with their tokens, and returns how many there were. A member without its family
// takes the rest of it along. It reports left if some stay for the next change, because there are too many tokens.
func (s *jwtStore) purge(ctx context.Context, c *change, t tag, members []string) (gone int, left bool, err error) {
	users, ids := make([]string, len(members)), make([]string, len(members))
	for i, member := range members {
		users[i], ids[i], _ = strings.Cut(member, separator)
	}
	if err := c.read(ctx, s.keysOf(t, ids)...); err != nil {
		return 0, false, err
	}
	digests, err := s.digestsOf(ctx, t, ids)
	if err != nil {
		return 0, false, err
	}
	tokens := 0
	for i, id := range ids {
		if tokens += len(digests[i]); i > 0 && tokens > tokensAtOnce {
			return gone, true, nil
		}
		l, err := s.login(ctx, c, t, id)
		if err != nil {
			return 0, false, err
		}
		if l != nil {
			gone++
		}
		s.forget(c, t, users[i], id, digests[i])
		c.removeMember(s.db.key(jwtExpiry, t, ""), members[i])
	}
	return gone, false, nil
}

// forget removes a family with its tokens. The caller takes it from the index of Purge.
func (s *jwtStore) forget(c *change, t tag, userID, id string, digests []string) {
	for _, digest := range digests {
		c.remove(s.db.key(jwtTokens, t, digest))
	}
	c.remove(s.db.key(jwtMembers, t, id))
	c.remove(s.db.key(jwtFamilies, t, id))
	c.removeMember(s.db.key(jwtLists, t, userID), id)
}

// digestsOf returns the digests of families.
func (s *jwtStore) digestsOf(ctx context.Context, t tag, ids []string) ([][]string, error) {
	commands := make(rueidis.Commands, len(ids))
	for i, id := range ids {
		commands[i] = s.db.client.B().Zrange().Key(s.db.key(jwtMembers, t, id)).Min("0").Max("-1").Build()
	}
	digests := make([][]string, len(ids))
	for i, result := range s.db.client.DoMulti(ctx, commands...) {
		var err error
		if digests[i], err = listOf(s.db.key(jwtMembers, t, ids[i]), result); err != nil {
			return nil, err
		}
	}
	return digests, nil
}
