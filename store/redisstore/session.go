package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
)

// The kinds of keys of sessions.
const (
	sessionRecords kind = "st" // a record or a tombstone, by digest
	sessionUses    kind = "sl" // its last use, beside it, so that a use drops nothing from caches
	sessionLists   kind = "su" // index of a user's records: see listed. It has no tombstones
	sessionVersion kind = "sv" // version of that index
	sessionExpiry  kind = "sx" // index of the digests of a tag by expiry, with those of tombstones
	sessionPlaces  kind = "sd" // the tag of a digest that names another one: see tagOfRecord
)

// sessionRow is a record as Redis has it. A tombstone has no user.
type sessionRow struct {
	Version    int      `json:"v"`
	ID         string   `json:"i"`
	UserID     string   `json:"u,omitempty"`
	Owner      string   `json:"w,omitempty"`
	Scopes     []string `json:"s,omitempty"`
	Limited    bool     `json:"l,omitempty"`
	Remembered bool     `json:"b,omitempty"`
	Created    micros   `json:"c"`
	Expires    micros   `json:"e"`
	MaxExpiry  micros   `json:"m,omitempty"`
	Idle       int64    `json:"d,omitempty"` // in nanoseconds
	LastUsed   micros   `json:"t,omitempty"`
	Stamp      string   `json:"a,omitempty"`
	IP         string   `json:"p,omitempty"`
	UserAgent  string   `json:"g,omitempty"`
	Login      loginRow `json:"o"`
}

func sessionRowOf(r *session.Record) sessionRow {
	return sessionRow{Version: 1, ID: r.ID, UserID: r.UserID, Owner: r.Owner, Scopes: r.Scopes, Limited: r.Limited,
		Remembered: r.Remembered, Created: microsOf(r.Created), Expires: microsOf(r.ExpiresAt),
		MaxExpiry: microsOf(r.MaxExpiresAt), Idle: int64(r.Idle), LastUsed: microsOf(
			r.LastUsed), Stamp: r.Stamp, IP: r.IP,
		UserAgent: r.UserAgent, Login: loginRowOf(r.AuthInfo)}
}

// record returns the record with its last use, where a use that is not there is the zero one.
func (r sessionRow) record(digest string, use useRow) *session.Record {
	return &session.Record{Digest: digest, ID: r.ID, UserID: r.UserID, Owner: r.Owner, Scopes: r.Scopes,
		Limited: r.Limited, Remembered: r.Remembered, Created: r.Created.time(),
		ExpiresAt: max(r.Expires, use.Expires).time(), MaxExpiresAt: r.MaxExpiry.time(), Idle: time.Duration(r.Idle),
		LastUsed: max(r.LastUsed, use.LastUsed).time(), Stamp: r.Stamp, IP: r.IP, UserAgent: r.UserAgent,
		AuthInfo: r.Login.info()}
}

// sessionTTL returns how long the keys of a session live. A tombstone does not slide.
func sessionTTL(r *session.Record, now time.Time) time.Duration {
	return slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Idle, now)
}

// Sessions returns the store of package session. Its look-ups are cached: see Config.MaxCached.
func Sessions(db *DB) session.Store {
	s := &sessionStore{db: db}
	config, ok := db.cacheConfig()
	if !ok {
		return s
	}
	cache, err := cached.Sessions(s, config)
	if err != nil {
		panic(err) // the configuration is ours
	}
	db.watch.add(cache, func(_ kind, digest string) { cache.ForgetToken(digest) }, sessionRecords)
	return &cachedSessions{cache, s}
}

// cachedSessions asks the cache while changes are heard.
type cachedSessions struct {
	*cached.SessionStore
	store *sessionStore
}

// Find implements [session.Store].
func (s *cachedSessions) Find(ctx context.Context, digest string) (*session.Record, error) {
	if s.store.db.watch.believed() {
		return s.SessionStore.Find(ctx, digest)
	}
	return s.store.Find(ctx, digest)
}

// sessionStore is the store without its cache.
type sessionStore struct{ db *DB }

var (
	_ session.Store = (*sessionStore)(nil)
	_ session.Store = (*cachedSessions)(nil)
)

// keys returns the keys of a record.
func (s *sessionStore) keys(t tag, digest string) (record, use string) {
	return s.db.key(sessionRecords, t, digest), s.db.key(sessionUses, t, digest)
}

// Find implements [session.Store].
func (s *sessionStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	var row sessionRow
	var use useRow
	found, err := s.db.findRecord(ctx, sessionRecords, sessionUses, sessionPlaces, digest, &row, &use)
	if err != nil || !found {
		return nil, err
	}
	return row.record(digest, use), nil
}

// load reads a record in a change, or nil.
func (s *sessionStore) load(ctx context.Context, c *change, t tag, digest string) (*session.Record, error) {
	var row sessionRow
	var use useRow
	key, useKey := s.keys(t, digest)
	found, err := c.record(ctx, key, useKey, &row, &use)
	if err != nil || !found {
		return nil, err
	}
	return row.record(digest, use), nil
}

// loadAll is load for many, in one round trip. What is not there is nil.
func (s *sessionStore) loadAll(ctx context.Context, c *change, t tag, digests []string) ([]*session.Record, error) {
	var keys []string
	for _, digest := range digests {
		key, useKey := s.keys(t, digest)
		keys = append(keys, key, useKey)
	}
	if err := c.read(ctx, keys...); err != nil {
		return nil, err
	}
	records := make([]*session.Record, len(digests))
	for i, digest := range digests {
		var err error
		if records[i], err = s.load(ctx, c, t, digest); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// ofUser reads all records of a user in a change, in order of ID.
func (s *sessionStore) ofUser(ctx context.Context, c *change, userID string) ([]*session.Record, error) {
	t := tagOfOwner(userID)
	digests, err := c.digestsOf(ctx, s.db.key(sessionLists, t, userID), s.db.key(sessionVersion, t, userID),
		func(digest string) []string {
			key, useKey := s.keys(t, digest)
			return []string{key, useKey}
		})
	if err != nil {
		return nil, err
	}
	found, err := s.loadAll(ctx, c, t, digests)
	if err != nil {
		return nil, err
	}
	var all []*session.Record
	for _, r := range found {
		if r != nil && r.UserID == userID {
			all = append(all, r)
		}
	}
	return all, nil
}

// Touch implements [session.Store]. The use is written at once.
func (s *sessionStore) Touch(ctx context.Context, touch session.Touch) error {
	return s.db.atDigest(ctx, sessionPlaces, touch.Digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		r, err := s.load(ctx, c, t, touch.Digest)
		if err != nil || r == nil {
			return false, err
		}
		if !r.Live(touch.Used) || r.IsTombstone() {
			return true, nil
		}
		use := useRow{1, max(microsOf(r.LastUsed), microsOf(touch.Used)), microsOf(r.ExpiresAt)}
		moved := touch.ExpiresAt.After(r.ExpiresAt)
		if moved {
			use.Expires = microsOf(touch.ExpiresAt)
			r.ExpiresAt = touch.ExpiresAt
			s.extend(c, t, r, touch.Used)
		}
		if use.LastUsed != microsOf(r.LastUsed) || moved {
			_, useKey := s.keys(t, touch.Digest)
			c.set(useKey, use, sessionTTL(r, touch.Used))
		}
		return true, nil
	})
}

// extend moves the expiry of a record in the indexes. Its key lives long enough already, unless most of its time is
// over: see slidingTTL.
func (s *sessionStore) extend(c *change, t tag, r *session.Record, now time.Time) {
	key, _ := s.keys(t, r.Digest)
	ttl := sessionTTL(r, now)
	c.addExpiring(s.db.key(sessionExpiry, t, ""), r.Digest, r.ExpiresAt, ttl)
	c.addMember(s.db.key(sessionLists, t, r.UserID), listed(r.ID, r.Digest), ttl)
	c.keepFor(key, ttlUntil(r.ExpiresAt, now), ttl)
}

// List implements [session.Store].
func (s *sessionStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*session.Record, error) {
	t := tagOfOwner(userID)
	var page []*session.Record
	err := s.db.page(ctx, s.db.key(sessionLists, t, userID), after, limit, func(digests []string) (int, error) {
		found, err := s.loadAll(ctx, newChange(s.db), t, digests)
		if err != nil {
			return 0, err
		}
		for _, r := range found {
			if r != nil && r.UserID == userID && r.Live(now) && len(page) < limit {
				page = append(page, r)
			}
		}
		return len(page), nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}
