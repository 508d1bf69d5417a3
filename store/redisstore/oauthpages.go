package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// An interaction has the tag of its user. Without one it has that of its digest.
func pageTagOf(userID, digest string) tag {
	if userID == "" {
		return tagOfDigest(digest)
	}
	return tagOfOwner(userID)
}

// userPageKeys returns the index of a user's interactions, and its version.
func (s *oauthStore) userPageKeys(userID string) (index, version string) {
	t := tagOfOwner(userID)
	return s.db.key(oauthUserPages, t, userID), s.db.key(oauthUserPageVer, t, userID)
}

// AddInteraction implements [server.Store].
func (s *oauthStore) AddInteraction(ctx context.Context, interaction *server.Interaction, limit int) error {
	row, digest := pageRowOf(interaction), interaction.Digest
	t, ttl := pageTagOf(row.UserID, digest), ttlUntil(interaction.ExpiresAt, interaction.Created)
	if err := s.db.storeTag(ctx, oauthPages, oauthPagePlaces, digest, t, ttl); err != nil {
		return err
	}
	if row.UserID == "" { // storeTag has not looked
		if _, ok, err := s.pageTag(ctx, digest); err != nil || ok {
			return cmp.Or(err, errDigestExists)
		}
	}
	return s.db.transact(ctx, cmp.Or(row.UserID, digest), func(ctx context.Context, c *change) error {
		key := s.db.key(oauthPages, t, digest)
		if err := c.read(ctx, key); err != nil {
			return err
		}
		if c.exists(key) {
			return errDigestExists
		}
		if row.UserID != "" {
			if err := s.makePageRoom(ctx, c, row.UserID, limit); err != nil {
				return err
			}
		}
		s.putPage(c, t, interaction, interaction.Created)
		return nil
	})
}

// putPage writes a new interaction.
func (s *oauthStore) putPage(c *change, t tag, page *server.Interaction, now time.Time) {
	ttl := ttlUntil(page.ExpiresAt, now)
	if page.UserID != "" {
		index, version := s.userPageKeys(page.UserID)
		c.addMember(index, listed(page.ID, page.Digest), ttl)
		c.changeVersion(version)
	}
	c.set(s.db.key(oauthPages, t, page.Digest), pageRowOf(page), ttl)
	c.addExpiring(s.db.key(oauthPageExpiry, t, ""), page.Digest, page.ExpiresAt, ttl)
}

// makePageRoom removes a user's interactions with the least IDs, until one more makes limit.
func (s *oauthStore) makePageRoom(ctx context.Context, c *change, userID string, limit int) error {
	if limit <= 0 {
		return nil
	}
	t := tagOfOwner(userID)
	index, version := s.userPageKeys(userID)
	digests, err := c.digestsOf(ctx, index, version, func(digest string) []string {
		return []string{s.db.key(oauthPages, t, digest)}
	})
	if err != nil {
		return err
	}
	digests = slices.DeleteFunc(digests, func(digest string) bool { return !c.exists(s.db.key(oauthPages, t, digest)) })
	for _, digest := range digests[:max(0, len(digests)-limit+1)] {
		row, err := s.loadPage(ctx, c, t, digest)
		if err != nil {
			return err
		}
		s.removePage(c, t, digest, row)
	}
	return nil
}

// pageTag returns the tag of an interaction that was placed. Usually that is the one of its digest, and ok is false.
func (s *oauthStore) pageTag(ctx context.Context, digest string) (t tag, ok bool, err error) {
	return s.storedTag(ctx, oauthPages, oauthPagePlaces, digest)
}

// storedTag returns the tag of a record that storeTag wrote, if the record is there.
func (s *oauthStore) storedTag(ctx context.Context, records, places kind, digest string) (t tag, ok bool, err error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	t, ok, err = s.db.tagOfRecord(ctx, places, digest)
	if err != nil || !ok {
		return "", false, err
	}
	texts, err := s.db.getAll(ctx, []string{s.db.key(records, t, digest)})
	return t, err == nil && texts[0] != nil, err
}

// loadPage reads an interaction in a change. It is nil if it is not there. It may have expired.
func (s *oauthStore) loadPage(ctx context.Context, c *change, t tag, digest string) (*pageRow, error) {
	var row pageRow
	found, err := c.get(ctx, s.db.key(oauthPages, t, digest), &row)
	if err != nil || !found {
		return nil, err
	}
	return &row, nil
}

// removePage removes an interaction.
func (s *oauthStore) removePage(c *change, t tag, digest string, row *pageRow) {
	c.remove(s.db.key(oauthPages, t, digest))
	c.removeMember(s.db.key(oauthPageExpiry, t, ""), digest)
	if row.UserID != "" {
		index, _ := s.userPageKeys(row.UserID)
		c.removeMember(index, listed(row.ID, digest))
	}
}

// Interaction implements [server.Store].
func (s *oauthStore) Interaction(ctx context.Context, digest string, now time.Time) (*server.Interaction, error) {
	var row pageRow
	found, err := s.db.get(ctx, s.db.key(oauthPages, tagOfDigest(digest), digest), &row)
	if err == nil && !found {
		var t tag
		if t, found, err = s.pageTag(ctx, digest); err == nil && found {
			found, err = s.db.get(ctx, s.db.key(oauthPages, t, digest), &row)
		}
	}
	if err != nil || !found || !now.Before(row.Expires.time()) {
		return nil, err
	}
	return row.interaction(digest), nil
}

// ConsumeInteraction implements [server.Store].
func (s *oauthStore) ConsumeInteraction(ctx context.Context, digest string,
	now time.Time) (*server.Interaction, error) {
	var consumed *server.Interaction
	err := s.db.atDigest(ctx, oauthPagePlaces, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		consumed = nil
		row, err := s.loadPage(ctx, c, t, digest)
		if err != nil || row == nil {
			return false, err
		}
		if now.Before(row.Expires.time()) {
			s.removePage(c, t, digest, row)
			consumed = row.interaction(digest)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return consumed, nil
}
