package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/password"
)

// The kinds of keys of one-time tokens.
const (
	onceRecords kind = "wt" // a record, by digest
	onceLists   kind = "wu" // index of a user's unused records, by purpose: see listed
	onceVersion kind = "wv" // version of that index
	onceExpiry  kind = "wx" // index of the digests of a tag by expiry, with those of used records
	oncePlaces  kind = "wd" // the tag of a digest that names another one: see tagOfRecord
)

// oneTimeRow is a one-time token as Redis has it.
type oneTimeRow struct {
	Version int    `json:"v"`
	UserID  string `json:"u"`
	Purpose string `json:"p"`
	About   string `json:"a,omitempty"`
	Stamp   string `json:"s,omitempty"`
	Created micros `json:"c"`
	Expires micros `json:"e"`
	Used    micros `json:"t,omitempty"`
}

func oneTimeRowOf(r *password.OneTimeRecord) oneTimeRow {
	return oneTimeRow{1, r.UserID, string(r.Purpose), r.About, r.Stamp, microsOf(r.Created), microsOf(r.ExpiresAt),
		microsOf(r.Used)}
}

func (r oneTimeRow) record(digest string) *password.OneTimeRecord {
	return &password.OneTimeRecord{Digest: digest, UserID: r.UserID, Purpose: password.Purpose(r.Purpose),
		About: r.About, Stamp: r.Stamp, Created: r.Created.time(), ExpiresAt: r.Expires.time(), Used: r.Used.time()}
}

// OneTime returns the store of one-time tokens of package password. All tokens of a user are in one slot of a Cluster.
func OneTime(db *DB) password.OneTimeStore { return &oneTimeStore{db} }

type oneTimeStore struct{ db *DB }

var _ password.OneTimeStore = (*oneTimeStore)(nil)

// Find implements [password.OneTimeStore].
func (s *oneTimeStore) Find(ctx context.Context, digest string) (*password.OneTimeRecord, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	r, err := s.load(ctx, newChange(s.db), tagOfDigest(digest), digest)
	if err != nil || r != nil {
		return r, err
	}
	t, ok, err := s.db.tagOfRecord(ctx, oncePlaces, digest)
	if err != nil || !ok {
		return nil, err
	}
	return s.load(ctx, newChange(s.db), t, digest)
}

// load reads a record in a change, or nil.
func (s *oneTimeStore) load(ctx context.Context, c *change, t tag, digest string) (*password.OneTimeRecord, error) {
	var row oneTimeRow
	found, err := c.get(ctx, s.db.key(onceRecords, t, digest), &row)
	if err != nil || !found {
		return nil, err
	}
	return row.record(digest), nil
}

// read reads the keys of records in a change, in one round trip.
func (s *oneTimeStore) read(ctx context.Context, c *change, t tag, digests []string) error {
	keys := make([]string, len(digests))
	for i, digest := range digests {
		keys[i] = s.db.key(onceRecords, t, digest)
	}
	return c.read(ctx, keys...)
}

// unused reads the unused records of a user in a change. What expired long ago is taken off the list.
func (s *oneTimeStore) unused(ctx context.Context, c *change, userID string) ([]*password.OneTimeRecord, error) {
	t := tagOfOwner(userID)
	index, version := s.db.key(onceLists, t, userID), s.db.key(onceVersion, t, userID)
	if err := c.read(ctx, version); err != nil {
		return nil, err
	}
	members, err := s.db.all(ctx, index)
	if err != nil {
		return nil, err
	}
	if err := s.read(ctx, c, t, digestsIn(members)); err != nil {
		return nil, err
	}
	var all []*password.OneTimeRecord
	for _, member := range members {
		r, err := s.load(ctx, c, t, digestIn(member))
		if err != nil {
			return nil, err
		}
		switch {
		case r == nil:
			c.removeMember(index, member)
		case r.Used.IsZero() && r.UserID == userID:
			all = append(all, r)
		}
	}
	return all, nil
}

// unusedFor returns the unused records of the user of r that have the purpose of r.
func (s *oneTimeStore) unusedFor(ctx context.Context, c *change,
	r *password.OneTimeRecord) ([]*password.OneTimeRecord, error) {
	all, err := s.unused(ctx, c, r.UserID)
	return slices.DeleteFunc(all, func(other *password.OneTimeRecord) bool { return other.Purpose != r.Purpose }), err
}

// Add implements [password.OneTimeStore].
func (s *oneTimeStore) Add(ctx context.Context, record *password.OneTimeRecord, limit int, now time.Time) error {
	t, ttl := tagOfOwner(record.UserID), ttlUntil(record.ExpiresAt, now)
	if err := s.db.storeTag(ctx, onceRecords, oncePlaces, record.Digest, t, ttl); err != nil {
		return err
	}
	key := s.db.key(onceRecords, t, record.Digest)
	return s.db.transact(ctx, record.UserID, func(ctx context.Context, c *change) error {
		if err := c.read(ctx, key, s.db.key(onceVersion, t, record.UserID)); err != nil {
			return err
		}
		if c.exists(key) {
			return errDigestExists
		}
		rivals, err := s.unusedFor(ctx, c, record)
		if err != nil {
			return err
		}
		rivals = slices.DeleteFunc(rivals, func(r *password.OneTimeRecord) bool { return !r.Live(now) })
		slices.SortFunc(rivals, func(a, b *password.OneTimeRecord) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Digest, b.Digest))
		})
		for _, oldest := range rivals[:max(len(rivals)-max(limit, 1)+1, 0)] {
			s.remove(c, t, oldest)
		}
		s.put(c, t, record, now)
		return nil
	})
}

// put writes a new record.
func (s *oneTimeStore) put(c *change, t tag, record *password.OneTimeRecord, now time.Time) {
	ttl := ttlUntil(record.ExpiresAt, now)
	c.set(s.db.key(onceRecords, t, record.Digest), oneTimeRowOf(record), ttl)
	c.addExpiring(s.db.key(onceExpiry, t, ""), record.Digest, record.ExpiresAt, ttl)
	if record.Used.IsZero() {
		c.addMember(s.db.key(onceLists, t, record.UserID), listed(string(record.Purpose), record.Digest), ttl)
		c.changeVersion(s.db.key(onceVersion, t, record.UserID))
	}
}

// remove removes a record. It takes no memory of the server.
func (s *oneTimeStore) remove(c *change, t tag, r *password.OneTimeRecord) {
	c.remove(s.db.key(onceRecords, t, r.Digest))
	c.removeMember(s.db.key(onceLists, t, r.UserID), listed(string(r.Purpose), r.Digest))
	c.removeMember(s.db.key(onceExpiry, t, ""), r.Digest)
}

// Redeem implements [password.OneTimeStore]. It compares all unused tokens of the user, so of many at once one is the
// first.
func (s *oneTimeStore) Redeem(ctx context.Context, digest string, now time.Time) (password.OneTimeVerdict, error) {
	var verdict password.OneTimeVerdict
	err := s.db.atDigest(ctx, oncePlaces, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		verdict = password.OneTimeUnknown
		r, err := s.load(ctx, c, t, digest)
		switch {
		case err != nil || r == nil:
			return false, err
		case !r.Used.IsZero():
			verdict = password.OneTimeUsed
			return true, nil
		case !r.Live(now):
			verdict = password.OneTimeExpired
			return true, nil
		}
		others, err := s.unusedFor(ctx, c, r)
		if err != nil {
			return false, err
		}
		for _, other := range others {
			if other.Digest != digest {
				s.remove(c, t, other)
			}
		}
		used := *r
		used.Used = now
		c.set(s.db.key(onceRecords, t, digest), oneTimeRowOf(&used), ttlUntil(r.ExpiresAt, now))
		c.removeMember(s.db.key(onceLists, t, r.UserID), listed(string(r.Purpose), digest))
		verdict = password.OneTimeFirst
		return true, nil
	})
	if err != nil {
		return password.OneTimeUnknown, err
	}
	return verdict, nil
}

// RemoveUnused implements [password.OneTimeStore].
func (s *oneTimeStore) RemoveUnused(ctx context.Context, userID string) (int, error) {
	n := 0
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		n = 0
		all, err := s.unused(ctx, c, userID)
		if err != nil {
			return err
		}
		for _, r := range all {
			s.remove(c, tagOfOwner(userID), r)
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Purge implements [password.OneTimeStore].
func (s *oneTimeStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	purged := 0
	remove := func(ctx context.Context, c *change, t tag, digests []string) (func(), error) {
		n := 0
		if err := s.read(ctx, c, t, digests); err != nil {
			return nil, err
		}
		for _, digest := range digests {
			r, err := s.load(ctx, c, t, digest)
			switch {
			case err != nil:
				return nil, err
			case r == nil: // Redis removed it
				c.removeMember(s.db.key(onceExpiry, t, ""), digest)
			case !now.Before(r.ExpiresAt):
				s.remove(c, t, r)
				n++
			}
		}
		return func() { purged += n }, nil
	}
	err := s.db.purge(ctx, onceExpiry, now, limit, remove, func() int { return purged })
	return purged, err
}
