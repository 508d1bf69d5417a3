package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/store/cached"
)

// cacheTTL is how long a record is kept in memory before it is read again. Changes are told, so this bounds only what
// an error of ours could do.
const cacheTTL = time.Minute

// cacheConfig returns the bounds of a cache. If ok is false, nothing is cached.
func (db *DB) cacheConfig() (config cached.Config, ok bool) {
	return cached.Config{TTL: cacheTTL, Max: db.config.MaxCached}, db.config.MaxCached > 0
}

// listed is a member of an index of a user's records. The index is in order of the identifiers, and members lead to the
// digests.
func listed(id, digest string) string { return id + separator + digest }

// digestIn returns the digest of a member of such an index.
func digestIn(member string) string {
	_, digest, _ := strings.Cut(member, separator)
	return digest
}

func digestsIn(members []string) []string {
	digests := make([]string, len(members))
	for i, member := range members {
		digests[i] = digestIn(member)
	}
	return digests
}

// slidingTTL is ttlUntil for a record with an expiry that moves when it is used. It lives for twice as long as it is
// good, so that few uses must prolong the key: a change of the key drops the record from all caches.
func slidingTTL(expires, maxExpires time.Time, slide time.Duration, now time.Time) time.Duration {
	if slide > 0 && !expires.IsZero() {
		expires = expires.Add(min(max(expires.Sub(now), 0), maxTTL))
		if !maxExpires.IsZero() && expires.After(maxExpires) {
			expires = maxExpires
		}
	}
	return ttlUntil(expires, now)
}

// keepFor has a key live for ttl from now on, if it would live for less than need.
func (c *change) keepFor(key string, need, ttl time.Duration) {
	c.do(key, "keep", millis(need), millis(ttl))
}

// record reads a record and its last use in a change.
func (c *change) record(ctx context.Context, key, useKey string, row, use any) (bool, error) {
	if err := c.read(ctx, useKey, key); err != nil { // see readRecord
		return false, err
	}
	found, err := c.get(ctx, key, row)
	if err != nil || !found {
		return false, err
	}
	_, err = c.get(ctx, useKey, use)
	return true, err
}

// findRecord reads a record by its digest and, beside it, its last use.
func (db *DB) findRecord(ctx context.Context, records, uses, places kind, digest string, row, use any) (bool, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	t := tagOfDigest(digest)
	found, err := db.readRecord(ctx, db.key(records, t, digest), db.key(uses, t, digest), row, use)
	if err != nil || found {
		return found, err
	}
	t, ok, err := db.tagOfRecord(ctx, places, digest)
	if err != nil || !ok {
		return false, err
	}
	return db.readRecord(ctx, db.key(records, t, digest), db.key(uses, t, digest), row, use)
}

// readRecord reads a record through a connection that tells of its changes. The use is read first: if the record is
// replaced in between, the new one with an old use is right. The old one without its use might seem to have expired.
func (db *DB) readRecord(ctx context.Context, key, useKey string, row, use any) (bool, error) {
	build := db.reader.B()
	results := db.reader.DoMulti(ctx, build.Get().Key(useKey).Build(), build.Get().Key(key).Build())
	text, err := textOf(results[1])
	if err != nil {
		return false, wrapError("reading key "+key, err)
	}
	if text == nil {
		return false, nil
	}
	used, err := textOf(results[0])
	if err != nil {
		return false, wrapError("reading key "+useKey, err)
	}
	if used != nil {
		if err := decode(useKey, *used, use); err != nil {
			return false, err
		}
	}
	return true, decode(key, *text, row)
}

// A digest of package backend names the tag of its owner. One of another form, which an application or a test made,
// does not. Then a key with the tag of the digest says where the record is.

// tagTTL is how long such a key lives at least. If the record lives for ever, the key does, too. See also extendTag.
const tagTTL = 366 * 24 * time.Hour

// tagOfRecord returns the tag of a record if its digest does not name it.
func (db *DB) tagOfRecord(ctx context.Context, places kind, digest string) (t tag, ok bool, err error) {
	key := db.key(places, tagOfDigest(digest), digest)
	texts, err := db.getAll(ctx, []string{key})
	if err != nil || texts[0] == nil {
		return "", false, err
	}
	t, err = namedTag(key, *texts[0])
	return t, err == nil, err
}

// namedTag returns the tag that the text of a key names.
func namedTag(key, text string) (tag, error) {
	if t := tag(text); slices.Contains(allTags(), t) {
		return t, nil
	}
	return "", fmt.Errorf("%w: key %q: it names no tag", ErrUnreadable, key)
}

// allTags returns the tags of users.
var allTags = sync.OnceValue(func() []tag {
	all := make([]tag, tags)
	for n := range all {
		all[n] = tagAt(n)
	}
	return all
})

// storeTag writes the tag of a record before the record is added, unless its digest names the tag. If there is a record
// of this digest with another tag, it returns errDigestExists.
func (db *DB) storeTag(ctx context.Context, records, places kind, digest string, t tag, ttl time.Duration) error {
	own := tagOfDigest(digest)
	ctx, cancel := db.limit(ctx)
	defer cancel()
	if own == t {
		return nil
	}
	other, ok, err := db.tagOfRecord(ctx, places, digest)
	if err != nil {
		return err
	}
	if !ok || other == t {
		other = own
	}
	texts, err := db.getAll(ctx, []string{db.key(records, other, digest)})
	if err != nil {
		return err
	}
	if texts[0] != nil {
		return errDigestExists
	}
	return db.setTag(ctx, db.key(places, own, digest), t, ttl)
}

// setTag writes the key that says where a record is. The record lives for ttl, and for ever if that is 0.
func (db *DB) setTag(ctx context.Context, key string, t tag, ttl time.Duration) error {
	set := db.client.B().Set().Key(key).Value(string(t))
	var command rueidis.Completed
	if ttl > 0 {
		command = set.Px(max(ttl, tagTTL)).Build()
	} else {
		command = set.Build()
	}
	if err := db.client.Do(ctx, command).Error(); err != nil {
		return wrapError("a change", err)
	}
	return nil
}

// extendTag has the key that says where a record is live for tagTTL again, since a record that is used may live for
// longer than it was expected to. It is called with each use, so it mostly reads only.
func (db *DB) extendTag(ctx context.Context, key string) error {
	left, err := db.client.Do(ctx, db.client.B().Pttl().Key(key).Build()).AsInt64()
	if err == nil && left >= 0 && left < (tagTTL/2).Milliseconds() {
		prolong := db.client.B().Pexpire().Key(key).Milliseconds(tagTTL.Milliseconds()).Build()
		err = db.client.Do(ctx, prolong).Error()
	}
	if err != nil {
		return wrapError("a change", err)
	}
	return nil
}

// atDigest makes a change of a record with a digest. The change reports whether it found the record. If not, and the
// record has another tag than its digest names, the change is made there.
func (db *DB) atDigest(ctx context.Context, places kind, digest string,
	decide func(ctx context.Context, c *change, t tag) (found bool, err error)) error {
	found := false
	at := func(t tag) error {
		return db.transact(ctx, digest, func(ctx context.Context, c *change) (err error) {
			found, err = decide(ctx, c, t)
			return err
		})
	}
	if err := at(tagOfDigest(digest)); err != nil || found {
		return err
	}
	limited, cancel := db.limit(ctx)
	defer cancel()
	t, ok, err := db.tagOfRecord(limited, places, digest)
	if err != nil || !ok {
		return err
	}
	if err := db.extendTag(limited, db.key(places, tagOfDigest(digest), digest)); err != nil {
		return err
	}
	return at(t)
}

// digestsOf returns the digests in an index of change.addMember, and reads all keys that keysOf names of each. A member
// without any of its keys is dropped from the index.
func (c *change) digestsOf(ctx context.Context, index, version string,
	keysOf func(digest string) []string) ([]string, error) {
	if err := c.read(ctx, version); err != nil {
		return nil, err
	}
	members, err := c.db.all(ctx, index)
	if err != nil {
		return nil, err
	}
	digests := digestsIn(members)
	var keys []string
	for _, digest := range digests {
		keys = append(keys, keysOf(digest)...)
	}
	if err := c.read(ctx, keys...); err != nil {
		return nil, err
	}
	for i, member := range members {
		if !slices.ContainsFunc(keysOf(digests[i]), c.exists) {
			c.removeMember(index, member)
		}
	}
	return digests, nil
}

// A list has members of records with keys that have ended by themselves, without a purge and while the user keeps
// coming. So one addition in sweepEvery looks at the first members, which are the oldest.
const (
	sweepEvery = 8
	sweepSize  = 4 * sweepEvery
)

// sweep removes members of a list if their records are not there any more, now and then. keyOf names the key of a
// member's record.
func (db *DB) sweep(ctx context.Context, c *change, list string, keyOf func(member string) string) error {
	if rand.N(sweepEvery) > 0 {
		return nil
	}
	members, err := db.membersAfter(ctx, list, "", sweepSize)
	if err != nil {
		return err
	}
	keys := make([]string, len(members))
	for i, member := range members {
		keys[i] = keyOf(member)
	}
	if err := c.read(ctx, keys...); err != nil {
		return err
	}
	for i, member := range members {
		if !c.exists(keys[i]) && len(c.entries[keys[i]].commands) == 0 {
			c.removeMember(list, member)
		}
	}
	return nil
}

// listedWith returns the digests of a user's records with an identifier, of which there is one at most unless a program
// gave it twice.
func (db *DB) listedWith(ctx context.Context, index, id string) ([]string, error) {
	members, err := db.membersWith(ctx, index, id+separator, pageSize)
	return digestsIn(members), err
}

// pageSize is how many members of an index are read at once.
const pageSize = 100

// page walks an index of change.addMember from its last member before the identifier after, until take has as many as
// limit.
func (db *DB) page(ctx context.Context, index, after string, limit int,
	take func(digests []string) (int, error)) error {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	if limit <= 0 {
		return nil
	}
	if after != "" {
		after += separator
	}
	size := min(limit, pageSize)
	for {
		members, err := db.members(ctx, index, after, size)
		if err != nil || len(members) == 0 {
			return err
		}
		taken, err := take(digestsIn(members))
		if err != nil || taken >= limit || len(members) < size {
			return err
		}
		after = members[len(members)-1]
	}
}

// until returns at most limit members of an index of change.addExpiring with an instant at or before an instant.
func (db *DB) until(ctx context.Context, index string, at time.Time, limit int) ([]string, error) {
	return listOf(index, db.client.Do(ctx, db.untilCommand(index, at, limit)))
}

func (db *DB) untilCommand(index string, at time.Time, limit int) rueidis.Completed {
	return db.client.B().Zrangebyscore().Key(index).Min("-inf").Max(strconv.FormatInt(int64(microsOf(at)), 10)).
		Limit(0, int64(limit)).Build()
}

// since returns at most limit members of an index of change.addExpiring with an instant after an instant, the last
// first.
func (db *DB) since(ctx context.Context, index string, at time.Time, limit int) ([]string, error) {
	from := "-inf"
	if !at.IsZero() {
		from = "(" + strconv.FormatInt(int64(microsOf(at)), 10)
	}
	command := db.client.B().Zrevrangebyscore().Key(index).Max("+inf").Min(from).Limit(0, int64(limit)).Build()
	return listOf(index, db.client.Do(ctx, command))
}

// purgeVersion is the kind of keys that change with each purge of an index of a tag. The name is the kind of the index.
const purgeVersion kind = "pv"

// purgeAtOnce is how many records of a tag one change removes, so that others have their turn.
const purgeAtOnce = 100

// remover notes the removal of members of an index in a change, and returns what to do when the change was made.
type remover func(ctx context.Context, c *change, t tag, members []string) (done func(), err error)

// purge visits all tags for members of an index with an instant at or before an instant, until as many as limit were
// removed. remove notes the removal of members in a change, and returns what to do when the change was made. Of
// programs that purge at once, one removes a member: a version of the tag's purges sees to it.
func (db *DB) purge(ctx context.Context, index kind, at time.Time, limit int, remove remover,
	removed func() int) error {
	const tagsAtOnce = 64
	const groups = tags / tagsAtOnce
	var errs []error
	// A purge of many records is many calls. If all began with the first tags, each would pass over those that earlier
	// calls have emptied.
	start := db.purgeStart(groups)
	for n := 0; n < groups && removed() < limit; n++ {
		busy, err := db.tagsWith(ctx, index, at, (start+n)%groups*tagsAtOnce, tagsAtOnce)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, t := range busy {
			err := db.purgeTag(ctx, index, t, at, limit, remove, removed)
			switch {
			case errors.Is(err, ErrUnreadable): // the other tags are purged nevertheless
				errs = append(errs, err)
			case err != nil:
				return errors.Join(append(errs, err)...)
			}
		}
	}
	return errors.Join(errs...)
}

// tagsWith returns those of n tags that have something to purge.
func (db *DB) tagsWith(ctx context.Context, index kind, at time.Time, first, n int) ([]tag, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	var commands rueidis.Commands
	for i := range n {
		commands = append(commands, db.untilCommand(db.key(index, tagAt(first+i), ""), at, 1))
	}
	var busy []tag
	for i, result := range db.client.DoMulti(ctx, commands...) {
		t := tagAt(first + i)
		members, err := listOf(db.key(index, t, ""), result)
		if err != nil {
			return nil, err
		}
		if len(members) > 0 {
			busy = append(busy, t)
		}
	}
	return busy, nil
}

// purgeTag removes members of one tag, many in one change.
func (db *DB) purgeTag(ctx context.Context, index kind, t tag, at time.Time, limit int, remove remover,
	removed func() int) error {
	for removed() < limit {
		var done func()
		more := false
		version := db.key(purgeVersion, t, string(index))
		err := db.transact(ctx, version, func(ctx context.Context, c *change) error {
			done, more = nil, false
			if err := c.read(ctx, version); err != nil {
				return err
			}
			size := min(limit-removed(), purgeAtOnce)
			members, err := db.until(ctx, db.key(index, t, ""), at, size)
			if err != nil || len(members) == 0 {
				return err
			}
			more = len(members) == size
			done, err = remove(ctx, c, t, members)
			c.tryChangeVersion(version) // since a purge frees memory
			return err
		})
		if err != nil || done == nil {
			return err
		}
		done()
		if !more {
			return nil
		}
	}
	return nil
}
