package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
)

// The kinds of keys of knox tokens.
const (
	knoxTokens  kind = "kt" // a record, by digest
	knoxUses    kind = "kl" // its last use, beside it, so that a use drops nothing from caches
	knoxLists   kind = "ku" // index of a user's records: see listed
	knoxVersion kind = "kv" // version of that index
	knoxExpiry  kind = "kx" // index of the digests of a tag by expiry
	knoxPlaces  kind = "kd" // the tag of a digest that names another one: see tagOfRecord
	knoxEnded   kind = "ke" // index of what is kept of a user's ended tokens, by the time of the end
	knoxEndings kind = "kf" // the same for all users of a tag
)

var errDigestExists = errors.New("redisstore: there is a record with this digest")

// knoxRow is a record as Redis has it.
type knoxRow struct {
	Version   int      `json:"v"`
	ID        string   `json:"i"`
	UserID    string   `json:"u"`
	Name      string   `json:"n,omitempty"`
	Scopes    []string `json:"s,omitempty"`
	Limited   bool     `json:"l,omitempty"`
	Created   micros   `json:"c"`
	Expires   micros   `json:"e,omitempty"`
	MaxExpiry micros   `json:"m,omitempty"`
	Slide     int64    `json:"d,omitempty"` // in nanoseconds
	LastUsed  micros   `json:"t,omitempty"`
	Stamp     string   `json:"a,omitempty"`
	IP        string   `json:"p,omitempty"`
	UserAgent string   `json:"g,omitempty"`
	Login     loginRow `json:"o"`
}

// loginRow is an auth.AuthInfo as Redis has it.
type loginRow struct {
	At  micros   `json:"t,omitempty"`
	ACR string   `json:"c,omitempty"`
	AMR []string `json:"m,omitempty"`
}

func loginRowOf(info auth.AuthInfo) loginRow {
	return loginRow{microsOf(info.AuthTime), info.ACR, info.AMR}
}

func (r loginRow) info() auth.AuthInfo {
	return auth.AuthInfo{AuthTime: r.At.time(), ACR: r.ACR, AMR: r.AMR}
}

// useRow is the last use of a record as Redis has it.
type useRow struct {
	Version  int    `json:"v"`
	LastUsed micros `json:"t"`
	Expires  micros `json:"e,omitempty"` // if the use moved the expiry
}

func knoxRowOf(r *knox.Record) knoxRow {
	return knoxRow{Version: 1, ID: r.ID, UserID: r.UserID, Name: r.Name, Scopes: r.Scopes, Limited: r.Limited,
		Created: microsOf(r.Created), Expires: microsOf(r.ExpiresAt), MaxExpiry: microsOf(r.MaxExpiresAt),
		Slide: int64(r.Slide), LastUsed: microsOf(r.LastUsed), Stamp: r.Stamp, IP: r.IP, UserAgent: r.UserAgent,
		Login: loginRowOf(r.AuthInfo)}
}

// record returns the record with its last use, where a use that is not there is the zero one.
func (r knoxRow) record(digest string, use useRow) *knox.Record {
	return &knox.Record{Digest: digest, ID: r.ID, UserID: r.UserID, Name: r.Name, Scopes: r.Scopes, Limited: r.Limited,
		Created: r.Created.time(), ExpiresAt: max(r.Expires, use.Expires).time(), MaxExpiresAt: r.MaxExpiry.time(),
		Slide: time.Duration(r.Slide), LastUsed: max(r.LastUsed, use.LastUsed).time(), Stamp: r.Stamp, IP: r.IP,
		UserAgent: r.UserAgent, AuthInfo: r.Login.info()}
}

// Knox returns the store of package knox. Its look-ups are cached: see Config.MaxCached.
func Knox(db *DB) knox.Store {
	s := &knoxStore{db: db}
	config, ok := db.cacheConfig()
	if !ok {
		return s
	}
	cache, err := cached.Knox(s, config)
	if err != nil {
		panic(err) // the configuration is ours
	}
	db.watch.add(cache, func(_ kind, digest string) { cache.ForgetToken(digest) }, knoxTokens)
	return &cachedKnox{cache, s}
}

// cachedKnox asks the cache while changes are heard.
type cachedKnox struct {
	*cached.KnoxStore
	store *knoxStore
}

// Find implements [knox.Store].
func (s *cachedKnox) Find(ctx context.Context, digest string) (*knox.Record, error) {
	if s.store.db.watch.believed() {
		return s.KnoxStore.Find(ctx, digest)
	}
	return s.store.Find(ctx, digest)
}

// knoxStore is the store without its cache.
type knoxStore struct{ db *DB }

var _ knox.Store = (*knoxStore)(nil)

// Find implements [knox.Store].
func (s *knoxStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	var row knoxRow
	var use useRow
	found, err := s.db.findRecord(ctx, knoxTokens, knoxUses, knoxPlaces, digest, &row, &use)
	if err != nil || !found {
		return nil, err
	}
	return row.record(digest, use), nil
}

// keysOf returns the keys of records, each with that of its last use before it: see readRecord.
func (s *knoxStore) keysOf(t tag, digests []string) []string {
	keys := make([]string, 0, 2*len(digests))
	for _, digest := range digests {
		keys = append(keys, s.db.key(knoxUses, t, digest), s.db.key(knoxTokens, t, digest))
	}
	return keys
}

// load reads a record in a change, or nil.
func (s *knoxStore) load(ctx context.Context, c *change, t tag, digest string) (*knox.Record, error) {
	var row knoxRow
	var use useRow
	found, err := c.record(ctx, s.db.key(knoxTokens, t, digest), s.db.key(knoxUses, t, digest), &row, &use)
	if err != nil || !found {
		return nil, err
	}
	return row.record(digest, use), nil
}

// Add implements [knox.Store].
func (s *knoxStore) Add(ctx context.Context, record *knox.Record, limit int, evict bool,
	ending knox.Ending) (knox.Added, error) {
	t := tagOfOwner(record.UserID)
	if err := s.db.storeTag(ctx, knoxTokens, knoxPlaces, record.Digest, t,
		ttlUntil(record.ExpiresAt, ending.At)); err != nil {
		return knox.Added{}, err
	}
	var added knox.Added
	err := s.db.transact(ctx, record.UserID, func(ctx context.Context, c *change) error {
		added = knox.Added{}
		if err := c.read(ctx, s.db.key(knoxTokens, t, record.Digest),
			s.db.key(knoxVersion, t, record.UserID)); err != nil {
			return err
		}
		if c.exists(s.db.key(knoxTokens, t, record.Digest)) {
			return errDigestExists
		}
		full, surplus, err := s.evictions(ctx, c, record, limit, evict, ending)
		if err != nil || full {
			added.OverLimit = full
			return err
		}
		for _, old := range surplus {
			s.end(c, t, old, ending)
			added.Evicted = append(added.Evicted, old.ID)
		}
		s.put(c, t, record, ending.At)
		return s.db.sweep(ctx, c, s.db.key(knoxLists, t, record.UserID), func(member string) string {
			return s.db.key(knoxTokens, t, digestIn(member))
		})
	})
	if err != nil {
		return knox.Added{}, err
	}
	return added, nil
}

// evictions returns the records that must go before one is added, or that there is no room.
func (s *knoxStore) evictions(ctx context.Context, c *change, record *knox.Record, limit int, evict bool,
	ending knox.Ending) (full bool, surplus []*knox.Record, err error) {
	if limit <= 0 {
		return false, nil, nil
	}
	all, err := s.ofUser(ctx, c, record.UserID)
	if err != nil {
		return false, nil, err
	}
	rivals := slices.DeleteFunc(all, func(r *knox.Record) bool { return !r.Live(ending.At) || r.Stamp != record.Stamp })
	if len(rivals) < limit || !evict {
		return len(rivals) >= limit, nil, nil
	}
	surplus = slices.Clone(rivals)
	if limit > 1 {
		surplus = slices.DeleteFunc(surplus, func(r *knox.Record) bool { return r.ID == ending.Exempt })
	}
	slices.SortFunc(surplus, func(a, b *knox.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Digest, b.Digest))
	})
	return false, surplus[:len(rivals)-limit+1], nil
}

// ofUser reads all records of a user in a change, in order of ID.
func (s *knoxStore) ofUser(ctx context.Context, c *change, userID string) ([]*knox.Record, error) {
	t := tagOfOwner(userID)
	digests, err := c.digestsOf(ctx, s.db.key(knoxLists, t, userID), s.db.key(knoxVersion, t, userID),
		func(digest string) []string {
			return []string{s.db.key(knoxTokens, t, digest), s.db.key(knoxUses, t, digest)}
		})
	if err != nil {
		return nil, err
	}
	var all []*knox.Record
	for _, digest := range digests {
		r, err := s.load(ctx, c, t, digest)
		if err != nil {
			return nil, err
		}
		if r != nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// put writes a new record of a user who logs in.
func (s *knoxStore) put(c *change, t tag, r *knox.Record, now time.Time) {
	s.write(c, t, r, now)
	c.changeVersion(s.db.key(knoxVersion, t, r.UserID))
}

// write writes a new record. What counts the records of the user meanwhile need not know of it.
func (s *knoxStore) write(c *change, t tag, r *knox.Record, now time.Time) {
	ttl := slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Slide, now)
	c.set(s.db.key(knoxTokens, t, r.Digest), knoxRowOf(r), ttl)
	c.remove(s.db.key(knoxUses, t, r.Digest))
	c.addMember(s.db.key(knoxLists, t, r.UserID), listed(r.ID, r.Digest), ttl)
	if !r.ExpiresAt.IsZero() {
		c.addExpiring(s.db.key(knoxExpiry, t, ""), r.Digest, r.ExpiresAt, ttl)
	}
}

// end removes a record, and keeps what ending says of it.
func (s *knoxStore) end(c *change, t tag, r *knox.Record, ending knox.Ending) {
	c.remove(s.db.key(knoxTokens, t, r.Digest))
	c.remove(s.db.key(knoxUses, t, r.Digest))
	c.removeMember(s.db.key(knoxLists, t, r.UserID), listed(r.ID, r.Digest))
	c.removeMember(s.db.key(knoxExpiry, t, ""), r.Digest)
	if ending.Keep {
		s.keep(c, t, ending.Of(r), ending)
	}
}

// Touch implements [knox.Store]. The use is written at once.
func (s *knoxStore) Touch(ctx context.Context, touch knox.Touch) error {
	return s.db.atDigest(ctx, knoxPlaces, touch.Digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		r, err := s.load(ctx, c, t, touch.Digest)
		if err != nil || r == nil {
			return false, err
		}
		if !r.Live(touch.Used) {
			return true, nil
		}
		use := useRow{1, max(microsOf(r.LastUsed), microsOf(touch.Used)), microsOf(r.ExpiresAt)}
		moved := !r.ExpiresAt.IsZero() && touch.ExpiresAt.After(r.ExpiresAt)
		if moved {
			use.Expires = microsOf(touch.ExpiresAt)
			r.ExpiresAt = touch.ExpiresAt
			s.extend(c, t, r, touch.Used)
		}
		if use.LastUsed != microsOf(r.LastUsed) || moved {
			c.set(s.db.key(knoxUses, t, touch.Digest), use, slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Slide,
				touch.Used))
		}
		return true, nil
	})
}

// extend moves the expiry of a record in the indexes. Its key lives long enough already, unless it slides without an
// end: see slidingTTL.
func (s *knoxStore) extend(c *change, t tag, r *knox.Record, now time.Time) {
	ttl := slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Slide, now)
	c.addExpiring(s.db.key(knoxExpiry, t, ""), r.Digest, r.ExpiresAt, ttl)
	c.addMember(s.db.key(knoxLists, t, r.UserID), listed(r.ID, r.Digest), ttl)
	c.keepFor(s.db.key(knoxTokens, t, r.Digest), ttlUntil(r.ExpiresAt, now), ttl)
}

// List implements [knox.Store].
func (s *knoxStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*knox.Record, error) {
	t := tagOfOwner(userID)
	var page []*knox.Record
	err := s.db.page(ctx, s.db.key(knoxLists, t, userID), after, limit, func(digests []string) (int, error) {
		c := newChange(s.db)
		if err := c.read(ctx, s.keysOf(t, digests)...); err != nil {
			return 0, err
		}
		for _, digest := range digests {
			r, err := s.load(ctx, c, t, digest)
			if err != nil {
				return 0, err
			}
			if r != nil && r.Live(now) && len(page) < limit {
				page = append(page, r)
			}
		}
		return len(page), nil
	})
	return page, err
}

// Revoke implements [knox.Store].
func (s *knoxStore) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	t := tagOfOwner(userID)
	found := false
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		found = false
		digests, err := s.db.listedWith(ctx, s.db.key(knoxLists, t, userID), id)
		if err != nil {
			return err
		}
		for _, digest := range digests {
			r, err := s.load(ctx, c, t, digest)
			if err != nil {
				return err
			}
			if r != nil {
				s.end(c, t, r, ending)
				found = true
			}
		}
		return nil
	})
	return found && err == nil, err
}

// RevokeAll implements [knox.Store].
func (s *knoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
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
				s.end(c, t, r, ending)
				ids = append(ids, r.ID)
			} else if r.Stamp != stamp {
				given := *r
				given.Stamp = stamp
				// With a full memory the token keeps its old stamp, and is refused for it.
				c.trySet(s.db.key(knoxTokens, t, r.Digest), knoxRowOf(&given),
					slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Slide, ending.At))
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

// Purge implements [knox.Store].
func (s *knoxStore) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	var purged []*knox.Record
	remove := func(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
		if err := c.read(ctx, s.keysOf(t, digests)...); err != nil { // all in one round trip
			return nil, err
		}
		var gone []*knox.Record
		for _, digest := range digests {
			r, err := s.load(ctx, c, t, digest)
			if err != nil {
				return nil, err
			}
			switch {
			case r == nil:
				c.removeMember(s.db.key(knoxExpiry, t, ""), digest)
			case !r.Live(ending.At):
				s.end(c, t, r, ending)
				gone = append(gone, r)
			default: // some other program moved the member, which would come again and again
				s.extend(c, t, r, ending.At)
			}
		}
		return func() { purged = append(purged, gone...) }, nil
	}
	err := s.db.purge(ctx, knoxExpiry, ending.At, limit, remove, func() int { return len(purged) })
	if len(purged) > 0 { // what was purged is told, and an error comes again with the next purge
		return purged, nil
	}
	return nil, err
}
