package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/session"
)

// This file starts, replaces, ends and purges sessions.

// Add implements [session.Store] in one change. It takes two if the session that the browser had is of a user with
// another tag, because one change has the keys of one tag. The new session is then added first, so a refusal changes
// nothing. A crash or an outage between the two changes leaves the old session as it was, and a new one with a cookie
// that no browser has. The new one ends when it expires. Until then it is listed and counts against the limit.
func (s *sessionStore) Add(ctx context.Context, record *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	t := tagOfOwner(record.UserID)
	if err := s.place(ctx, t, record, now); err != nil {
		return session.Added{}, err
	}
	old, err := s.tagOf(ctx, replaced, t)
	if err != nil {
		return session.Added{}, err
	}
	here := replaced
	if old != t {
		here = ""
	}
	var added session.Added
	err = s.db.transact(ctx, record.UserID, func(ctx context.Context, c *change) (err error) {
		added, err = s.add(ctx, c, record, here, limit, evict, now)
		return err
	})
	if err != nil || added.OverLimit {
		return session.Added{OverLimit: added.OverLimit && err == nil}, err
	}
	if old == t {
		return added, nil
	}
	// A browser that goes away must not keep the second change from being made.
	err = s.db.transact(context.WithoutCancel(ctx), replaced, func(ctx context.Context, c *change) (err error) {
		added.Replaced, err = s.moveOld(ctx, c, old, replaced, now)
		return err
	})
	if err != nil {
		return session.Added{}, err
	}
	return added, nil
}

// place notes where the record is, if its digest does not say so.
func (s *sessionStore) place(ctx context.Context, t tag, r *session.Record, now time.Time) error {
	ends := r.ExpiresAt
	if r.MaxExpiresAt.After(ends) {
		ends = r.MaxExpiresAt
	}
	return s.db.storeTag(ctx, sessionRecords, sessionPlaces, r.Digest, t, ttlUntil(ends, now))
}

// tagOf returns the tag of the session that Add replaces, which may be of any user, or "" without a digest.
func (s *sessionStore) tagOf(ctx context.Context, digest string, none tag) (tag, error) {
	if digest == "" {
		return none, nil
	}
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t := tagOfDigest(digest)
	place := s.db.key(sessionPlaces, t, digest)
	texts, err := s.db.getAll(ctx, []string{s.db.key(sessionRecords, t, digest), place})
	if err != nil {
		return "", err
	}
	if texts[0] == nil && texts[1] != nil {
		return namedTag(place, *texts[1])
	}
	return t, nil
}

// add notes all of Add in one change.
func (s *sessionStore) add(ctx context.Context, c *change, record *session.Record, replaced string, limit int,
	evict bool, now time.Time) (added session.Added, err error) {
	t := tagOfOwner(record.UserID)
	key, _ := s.keys(t, record.Digest)
	if err := c.read(ctx, key, s.db.key(sessionVersion, t, record.UserID)); err != nil {
		return added, err
	}
	if c.exists(key) {
		return added, errDigestExists
	}
	full, surplus, err := s.evictions(ctx, c, record, replaced, limit, evict, now)
	if err != nil || full {
		return session.Added{OverLimit: full}, err
	}
	for _, oldest := range surplus {
		s.end(c, t, oldest)
		added.Evicted = append(added.Evicted, oldest.ID)
	}
	if added.Replaced, err = s.moveOld(ctx, c, t, replaced, now); err != nil {
		return session.Added{}, err
	}
	s.put(c, t, record, now)
	return added, s.db.sweep(ctx, c, s.db.key(sessionLists, t, record.UserID), func(member string) string {
		return s.db.key(sessionRecords, t, digestIn(member))
	})
}

// evictions returns the records that must go before one is added, or that there is no room. The record that is replaced
// does not count.
func (s *sessionStore) evictions(ctx context.Context, c *change, record *session.Record, replaced string, limit int,
	evict bool, now time.Time) (full bool, surplus []*session.Record, err error) {
	if limit <= 0 {
		return false, nil, nil
	}
	all, err := s.ofUser(ctx, c, record.UserID)
	if err != nil {
		return false, nil, err
	}
	rivals := slices.DeleteFunc(all, func(r *session.Record) bool {
		return !r.Live(now) || r.Stamp != record.Stamp || r.Digest == replaced
	})
	if len(rivals) < limit || !evict {
		return len(rivals) >= limit, nil, nil
	}
	slices.SortFunc(rivals, func(a, b *session.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Digest, b.Digest))
	})
	return false, rivals[:len(rivals)-limit+1], nil
}

// moveOld puts the tombstone of a session in its place, and returns the session, or nil if there is only a
// tombstone or nothing.
func (s *sessionStore) moveOld(ctx context.Context, c *change, t tag, digest string,
	now time.Time) (*session.Record, error) {
	if digest == "" {
		return nil, nil
	}
	old, err := s.load(ctx, c, t, digest)
	if err != nil || old == nil || old.IsTombstone() {
		return nil, err
	}
	s.move(c, t, old, now)
	return old, nil
}

// move puts the tombstone of a session in its place. Caches hear of it as of any change of the record.
func (s *sessionStore) move(c *change, t tag, r *session.Record, now time.Time) {
	s.putTombstone(c, t, r.Tombstone(now), now)
	c.removeMember(s.db.key(sessionLists, t, r.UserID), listed(r.ID, r.Digest))
}

// putTombstone writes a tombstone.
func (s *sessionStore) putTombstone(c *change, t tag, tombstone *session.Record, now time.Time) {
	key, useKey := s.keys(t, tombstone.Digest)
	ttl := sessionTTL(tombstone, now)
	c.set(key, sessionRowOf(tombstone), ttl)
	c.remove(useKey)
	c.addExpiring(s.db.key(sessionExpiry, t, ""), tombstone.Digest, tombstone.ExpiresAt, ttl)
}

// put writes a new record.
func (s *sessionStore) put(c *change, t tag, r *session.Record, now time.Time) {
	key, useKey := s.keys(t, r.Digest)
	ttl := sessionTTL(r, now)
	c.set(key, sessionRowOf(r), ttl)
	c.remove(useKey)
	c.addMember(s.db.key(sessionLists, t, r.UserID), listed(r.ID, r.Digest), ttl)
	c.changeVersion(s.db.key(sessionVersion, t, r.UserID))
	c.addExpiring(s.db.key(sessionExpiry, t, ""), r.Digest, r.ExpiresAt, ttl)
}

// end removes a record or a tombstone.
func (s *sessionStore) end(c *change, t tag, r *session.Record) {
	key, useKey := s.keys(t, r.Digest)
	c.remove(key)
	c.remove(useKey)
	c.removeMember(s.db.key(sessionExpiry, t, ""), r.Digest)
	if !r.IsTombstone() {
		c.removeMember(s.db.key(sessionLists, t, r.UserID), listed(r.ID, r.Digest))
	}
}

// Replace implements [session.Store]. The record and its successor are of one user, so they have one tag.
func (s *sessionStore) Replace(ctx context.Context, digest string, successor *session.Record,
	now time.Time) (bool, error) {
	t := tagOfOwner(successor.UserID)
	if err := s.place(ctx, t, successor, now); err != nil {
		return false, err
	}
	replaced := false
	err := s.db.transact(ctx, successor.UserID, func(ctx context.Context, c *change) error {
		replaced = false
		found, err := s.loadAll(ctx, c, t, []string{digest, successor.Digest})
		if err != nil {
			return err
		}
		old := found[0]
		if old == nil || !old.Live(now) || old.IsTombstone() {
			return nil
		}
		if found[1] != nil {
			return errDigestExists
		}
		s.move(c, t, old, now)
		s.put(c, t, successor, now)
		replaced = true
		return nil
	})
	return replaced && err == nil, err
}

// Revoke implements [session.Store]. It compares the version of the index, because Replace may be giving the session
// another digest, and the identifier stays.
func (s *sessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	t := tagOfOwner(userID)
	found := false
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		found = false
		if err := c.read(ctx, s.db.key(sessionVersion, t, userID)); err != nil {
			return err
		}
		digests, err := s.db.listedWith(ctx, s.db.key(sessionLists, t, userID), id)
		if err != nil {
			return err
		}
		records, err := s.loadAll(ctx, c, t, digests)
		if err != nil {
			return err
		}
		for _, r := range records {
			if r != nil && r.UserID == userID {
				s.end(c, t, r)
				found = true
			}
		}
		return nil
	})
	return found && err == nil, err
}

// RevokeAll implements [session.Store].
func (s *sessionStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	t := tagOfOwner(userID)
	var ids []string
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		ids = nil
		all, err := s.ofUser(ctx, c, userID)
		if err != nil {
			return err
		}
		for _, r := range all {
			if r.Digest != kept {
				s.end(c, t, r)
				ids = append(ids, r.ID)
			}
		}
		c.tryChangeVersion(s.db.key(userChanges, t, userID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Purge implements [session.Store].
func (s *sessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	var purged []*session.Record
	remove := func(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
		records, err := s.loadAll(ctx, c, t, digests)
		if err != nil {
			return nil, err
		}
		var gone []*session.Record
		for i, r := range records {
			switch {
			case r == nil:
				c.removeMember(s.db.key(sessionExpiry, t, ""), digests[i])
			case !r.Live(now):
				s.end(c, t, r)
				gone = append(gone, r)
			default: // the index is wrong, and would lead here again and again
				c.addExpiring(s.db.key(sessionExpiry, t, ""), r.Digest, r.ExpiresAt, sessionTTL(r, now))
			}
		}
		return func() { purged = append(purged, gone...) }, nil
	}
	err := s.db.purge(ctx, sessionExpiry, now, limit, remove, func() int { return len(purged) })
	if len(purged) > 0 { // what was purged is told, and an error comes again with the next purge
		return purged, nil
	}
	return nil, err
}
