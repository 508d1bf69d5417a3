package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// This file has the codes and the keys that are used once.

// loginCodeRow is a code as Redis has it.
type loginCodeRow struct {
	Version   int    `json:"v"`
	UserID    string `json:"u"`
	Stamp     string `json:"s,omitempty"`
	Challenge string `json:"c,omitempty"`
	Data      []byte `json:"d,omitempty"`
	Expires   micros `json:"e"`
}

func (r loginCodeRow) code(digest string) *external.Code {
	return &external.Code{Digest: digest, UserID: r.UserID, Stamp: r.Stamp, Challenge: r.Challenge, Data: r.Data,
		ExpiresAt: r.Expires.time()}
}

func (r loginCodeRow) live(now time.Time) bool { return now.Before(r.Expires.time()) }

// AddCode implements [external.CodeStore]. It is told no instant, so it reads the clock, for how long Redis keeps the
// key. Whether the code has expired is decided by TakeCode.
func (s *externalStore) AddCode(ctx context.Context, code *external.Code) error {
	key := s.key(externalCodes, code.Digest)
	return s.db.transact(ctx, code.UserID, func(ctx context.Context, c *change) error {
		if err := c.read(ctx, key); err != nil {
			return err
		}
		if c.exists(key) {
			return errDigestExists
		}
		s.putCode(c, code, time.Now())
		return nil
	})
}

// putCode writes a new code.
func (s *externalStore) putCode(c *change, code *external.Code, now time.Time) {
	ttl := ttlUntil(code.ExpiresAt, now)
	c.set(s.key(externalCodes, code.Digest),
		loginCodeRow{1, code.UserID, code.Stamp, code.Challenge, code.Data, microsOf(code.ExpiresAt)}, ttl)
	c.addMember(s.key(externalCodeLists, code.UserID), code.Digest, ttl)
	c.changeVersion(s.key(externalVersion, code.UserID))
	c.addExpiring(s.key(externalCodesEnd, ""), code.Digest, code.ExpiresAt, ttl)
}

// TakeCode implements [external.CodeStore]. It takes no memory of the server.
func (s *externalStore) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	var code *external.Code
	key := s.key(externalCodes, digest)
	err := s.db.transact(ctx, key, func(ctx context.Context, c *change) error {
		code = nil
		var row loginCodeRow
		found, err := c.get(ctx, key, &row)
		if err != nil || !found || !row.live(now) {
			return err
		}
		s.removeCode(c, digest, row)
		code = row.code(digest)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return code, nil
}

func (s *externalStore) removeCode(c *change, digest string, row loginCodeRow) {
	c.remove(s.key(externalCodes, digest))
	c.removeMember(s.key(externalCodeLists, row.UserID), digest)
	c.removeMember(s.key(externalCodesEnd, ""), digest)
}

// removeCodes removes the codes of a user, in a change that has read the version of the user's indexes.
func (s *externalStore) removeCodes(ctx context.Context, c *change, userID string) error {
	index := s.key(externalCodeLists, userID)
	digests, err := s.db.all(ctx, index)
	if err != nil {
		return err
	}
	if err := c.read(ctx, s.keys(externalCodes, digests)...); err != nil {
		return err
	}
	for _, digest := range digests {
		var row loginCodeRow
		found, err := c.get(ctx, s.key(externalCodes, digest), &row)
		switch {
		case err != nil:
			return err
		case found && row.UserID == userID:
			s.removeCode(c, digest, row)
		default:
			c.removeMember(index, digest)
		}
	}
	return nil
}

// usedRow is a key that was used, as Redis has it.
type usedRow struct {
	Version int    `json:"v"`
	Expires micros `json:"e"`
}

// PutOnce implements [external.ReplayStore]. The key is mostly new, so the first try expects that and reads nothing.
func (s *externalStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (fresh bool, err error) {
	t := tagOfText(key)
	name := s.db.key(externalOnce, t, key)
	reads := false
	err = s.db.transact(ctx, name, func(ctx context.Context, c *change) error {
		if !reads {
			c.entry(name).known = true
		}
		reads = true
		var row usedRow
		found, err := c.get(ctx, name, &row)
		if fresh = err == nil && !(found && now.Before(row.Expires.time())); !fresh {
			return err
		}
		s.putOnce(c, t, key, expires, now)
		return nil
	})
	return fresh && err == nil, err
}

func (s *externalStore) putOnce(c *change, t tag, key string, expires, now time.Time) {
	ttl := ttlUntil(expires, now)
	c.set(s.db.key(externalOnce, t, key), usedRow{1, microsOf(expires)}, ttl)
	c.addExpiring(s.db.key(externalOnceEnd, t, ""), key, expires, ttl)
}

// Purge implements [external.Store].
func (s *externalStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	purged := 0
	removed := func() int { return purged }
	count := func(n int) func() { return func() { purged += n } }
	err := s.db.purge(ctx, externalOnceEnd, now, limit,
		func(ctx context.Context, c *change, t tag, keys []string) (func(), error) {
			n, err := s.purgeOnce(ctx, c, t, keys, now)
			return count(n), err
		}, removed)
	if err != nil {
		return purged, err
	}
	err = s.db.purgeTag(ctx, externalCodesEnd, externalTag, now, limit,
		func(ctx context.Context, c *change, _ tag, digests []string) (func(), error) {
			n, err := s.purgeCodes(ctx, c, digests, now)
			return count(n), err
		}, removed)
	if err != nil {
		return purged, err
	}
	err = s.db.purgeTag(ctx, externalReservedEnd, externalTag, now, limit,
		func(ctx context.Context, c *change, _ tag, accounts []string) (func(), error) {
			n, err := s.purgeReservations(ctx, c, accounts, now)
			return count(n), err
		}, removed)
	return purged, err
}

// purgeOnce removes keys that expired. It returns how many, without those that Redis had removed already.
func (s *externalStore) purgeOnce(ctx context.Context, c *change, t tag, keys []string,
	now time.Time) (n int, err error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.db.key(externalOnce, t, key)
	}
	if err := c.read(ctx, names...); err != nil {
		return 0, err
	}
	for i, key := range keys {
		var row usedRow
		name := names[i]
		found, err := c.get(ctx, name, &row)
		if err != nil {
			return 0, err
		}
		if found && now.Before(row.Expires.time()) {
			continue
		}
		c.removeMember(s.db.key(externalOnceEnd, t, ""), key)
		if found {
			c.remove(name)
			n++
		}
	}
	return n, nil
}

// purgeCodes is purgeOnce for codes.
func (s *externalStore) purgeCodes(ctx context.Context, c *change, digests []string, now time.Time) (n int, err error) {
	if err := c.read(ctx, s.keys(externalCodes, digests)...); err != nil {
		return 0, err
	}
	for _, digest := range digests {
		var row loginCodeRow
		found, err := c.get(ctx, s.key(externalCodes, digest), &row)
		switch {
		case err != nil:
			return 0, err
		case !found:
			c.removeMember(s.key(externalCodesEnd, ""), digest)
		case !row.live(now):
			s.removeCode(c, digest, row)
			n++
		}
	}
	return n, nil
}

// purgeReservations is purgeOnce for reservations.
func (s *externalStore) purgeReservations(ctx context.Context, c *change, accounts []string,
	now time.Time) (n int, err error) {
	if err := c.read(ctx, s.keys(externalReserved, accounts)...); err != nil {
		return 0, err
	}
	for _, account := range accounts {
		row, found, err := s.reservation(ctx, c, account)
		switch {
		case err != nil:
			return 0, err
		case !found:
			c.removeMember(s.key(externalReservedEnd, ""), account)
		case !row.live(now):
			if err := s.dropReservation(ctx, c, account); err != nil {
				return 0, err
			}
			n++
		}
	}
	return n, nil
}
