package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWT returns the store of the refresh tokens of package jwt. Nothing of it is cached. Package cached can do that.
func JWT(db *DB) jwt.Store { return &jwtStore{db} }

type jwtStore struct{ db *DB }

var _ jwt.Store = (*jwtStore)(nil)

var (
	errFamilyExists = errors.New("redisstore: there is a family with this identifier")
	errOtherFamily  = errors.New("redisstore: the token is not of this session")
)

// starting is a call of Start.
type starting struct {
	family  *jwt.Session
	first   *jwt.Refresh
	adopted *jwt.Refresh
	limit   int
	evict   bool
	kept    bool // the adopted token stays good
	full    bool // the memory of the server is full
}

// Start implements [jwt.Store].
func (s *jwtStore) Start(ctx context.Context, family *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	call := starting{family: family, first: first, adopted: adopted, limit: limit, evict: evict,
		kept: adopted != nil && adopted.Digest == first.Digest}
	elsewhere, err := s.placeAll(ctx, call)
	if err != nil {
		return jwt.Started{}, err
	}
	if elsewhere {
		return s.seenElsewhere(ctx, call)
	}
	var started jwt.Started
	err = retryOutOfMemory(func(full bool) error { // since a token that was seen before ends its family
		call.full = full
		return s.db.transact(ctx, family.UserID, func(ctx context.Context, c *change) (err error) {
			started, err = s.start(ctx, c, call)
			return err
		})
	})
	if err != nil {
		return jwt.Started{}, err
	}
	return started, nil
}

// placeAll notes the tag of the tokens that are about to be added, if their digests do not name it. It reports whether
// the adopted token is there with another tag.
func (s *jwtStore) placeAll(ctx context.Context, call starting) (elsewhere bool, err error) {
	place := func(r *jwt.Refresh) error {
		ttl := ttlUntil(r.ExpiresAt.Add(jwt.KeepExpired), call.family.Created)
		return s.db.storeTag(ctx, jwtTokens, jwtPlaces, r.Digest, tagOfOwner(call.family.UserID), ttl)
	}
	if call.adopted != nil {
		switch err := place(call.adopted); {
		case errors.Is(err, errDigestExists):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	if call.kept { // the first token is the adopted one
		return false, nil
	}
	return false, place(call.first)
}

// seenElsewhere ends the family of an adopted token that is there with another tag, as start does.
func (s *jwtStore) seenElsewhere(ctx context.Context, call starting) (jwt.Started, error) {
	var void revokedBeforeRow
	owner := s.db.key(jwtOwners, tagOfOwner(call.family.UserID), call.family.UserID)
	if _, err := s.db.get(ctx, owner, &void); err != nil {
		return jwt.Started{}, err
	}
	digest := call.adopted.Digest
	err := s.db.atDigest(ctx, jwtPlaces, digest, func(ctx context.Context, c *change, t tag) (bool, error) {
		return s.endSeen(ctx, c, t, call)
	})
	return jwt.Started{Seen: err == nil, Generation: void.Generation}, err
}

// endSeen reports whether an adopted token is there. Then it ends its family, unless the token stays good.
func (s *jwtStore) endSeen(ctx context.Context, c *change, t tag, call starting) (bool, error) {
	if call.adopted == nil {
		return false, nil
	}
	var row refreshRow
	found, err := c.get(ctx, s.db.key(jwtTokens, t, call.adopted.Digest), &row)
	if err != nil || !found || call.kept {
		return found, err
	}
	l, err := s.login(ctx, c, t, row.FamilyID)
	if err == nil && l != nil {
		s.end(c, t, l, call.family.Created, call.full)
	}
	return true, err
}

func (s *jwtStore) start(ctx context.Context, c *change, call starting) (started jwt.Started, err error) {
	family, t := call.family, tagOfOwner(call.family.UserID)
	firstKey, familyKey := s.db.key(jwtTokens, t, call.first.Digest), s.db.key(jwtFamilies, t, family.ID)
	keys := []string{firstKey, familyKey, s.db.key(jwtOwners, t, family.UserID), s.db.key(jwtVersion, t, family.UserID)}
	if call.adopted != nil {
		keys = append(keys, s.db.key(jwtTokens, t, call.adopted.Digest))
	}
	if err := c.read(ctx, keys...); err != nil {
		return started, err
	}
	void, err := s.loadRevokedBefore(ctx, c, t, family.UserID)
	if err != nil {
		return started, err
	}
	started.Generation = void.Generation
	if started.Seen, err = s.endSeen(ctx, c, t, call); err != nil || started.Seen {
		return started, err
	}
	switch {
	case c.exists(familyKey):
		return started, errFamilyExists
	case c.exists(firstKey):
		return started, errDigestExists
	case call.first.SessionID != family.ID:
		return started, errOtherFamily
	}
	if err := s.makeRoom(ctx, c, &started, call); err != nil || started.OverLimit {
		return started, err
	}
	s.add(c, t, call)
	return started, s.db.sweep(ctx, c, s.db.key(jwtLists, t, family.UserID), func(id string) string {
		return s.db.key(jwtFamilies, t, id)
	})
}

// makeRoom ends the oldest families of a user until one more makes at most limit, and writes into started what became
// of it.
func (s *jwtStore) makeRoom(ctx context.Context, c *change, started *jwt.Started, call starting) error {
	if call.limit <= 0 {
		return nil
	}
	now := call.family.Created
	live, err := s.live(ctx, c, call.family.UserID, now)
	if err != nil || len(live) < call.limit {
		return err
	}
	if !call.evict {
		started.OverLimit = true
		return nil
	}
	slices.SortFunc(live, func(a, b *login) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, oldest := range live[:len(live)-call.limit+1] {
		s.end(c, tagOfOwner(oldest.UserID), oldest, now, false)
		started.Evicted = append(started.Evicted, oldest.ID)
	}
	return nil
}

// live reads the families of a user that are live, in order of ID. It also takes a family without its key
// from the list.
func (s *jwtStore) live(ctx context.Context, c *change, userID string, now time.Time) ([]*login, error) {
	t := tagOfOwner(userID)
	index := s.db.key(jwtLists, t, userID)
	if err := c.read(ctx, s.db.key(jwtVersion, t, userID)); err != nil {
		return nil, err
	}
	ids, err := s.db.all(ctx, index)
	if err != nil {
		return nil, err
	}
	if err := c.read(ctx, s.keysOf(t, ids)...); err != nil {
		return nil, err
	}
	var live []*login
	for _, id := range ids {
		l, err := s.login(ctx, c, t, id)
		switch {
		case err != nil:
			return nil, err
		case l == nil:
			c.removeMember(index, id)
		case l.Live(now):
			live = append(live, l)
		}
	}
	return live, nil
}

// keysOf returns the keys of families.
func (s *jwtStore) keysOf(t tag, ids []string) []string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.db.key(jwtFamilies, t, id)
	}
	return keys
}

// add writes a family, its first token and the token that it adopts, if any.
func (s *jwtStore) add(c *change, t tag, call starting) {
	now, family := call.family.Created, *call.family
	l := &login{Session: &family}
	first := *call.first
	first.Adopted = call.kept
	s.putToken(c, t, l, &first, now)
	if call.adopted != nil && !call.kept {
		used := *call.adopted
		used.SessionID, used.Rotated, used.Successor, used.Adopted = family.ID, now, first.Digest, true
		s.putToken(c, t, l, &used, now)
	}
	s.putLogin(c, t, l, now)
	c.changeVersion(s.db.key(jwtVersion, t, family.UserID))
}

// Find implements [jwt.Store].
func (s *jwtStore) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	row, t, _, err := s.token(ctx, digest)
	if err != nil || row == nil {
		return nil, nil, err
	}
	l, err := s.family(ctx, t, row.FamilyID)
	if err != nil || l == nil {
		return nil, nil, err
	}
	return row.refresh(digest), l.Session, nil
}

// token reads a token and its tag, and in the same round trip the texts of other keys. The row of a token that is not
// there is nil.
func (s *jwtStore) token(ctx context.Context, digest string, others ...string) (*refreshRow, tag, []*string, error) {
	t := tagOfDigest(digest)
	key, placeKey := s.db.key(jwtTokens, t, digest), s.db.key(jwtPlaces, t, digest)
	texts, err := s.db.getAll(ctx, append([]string{key, placeKey}, others...))
	if err != nil {
		return nil, "", nil, err
	}
	text, place, rest := texts[0], texts[1], texts[2:]
	if text == nil && place != nil {
		if t, err = namedTag(placeKey, *place); err != nil {
			return nil, "", nil, err
		}
		key = s.db.key(jwtTokens, t, digest)
		again, err := s.db.getAll(ctx, []string{key})
		if err != nil {
			return nil, "", nil, err
		}
		text = again[0]
	}
	if text == nil {
		return nil, t, rest, nil
	}
	var row refreshRow
	return &row, t, rest, decode(key, *text, &row)
}

// family reads a family. It returns nil if the key is not there.
func (s *jwtStore) family(ctx context.Context, t tag, id string) (*login, error) {
	var row familyRow
	found, err := s.db.get(ctx, s.db.key(jwtFamilies, t, id), &row)
	if err != nil || !found {
		return nil, err
	}
	return row.login(id), nil
}
