package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// transferTokens moves knox tokens.
type transferTokens struct {
	typed[transfer.KnoxToken]
	*knoxStore
	names *names
}

func (m transferTokens) own() kind { return knoxTokens }

func (m transferTokens) refOf(record transfer.Record) ref {
	r := record.(transfer.KnoxToken)
	return ref{tagOfOwner(r.UserID), r.Digest}
}

// page goes by the index of what expires. Before it come the lists of users which live for ever, since only they may
// have tokens that never expire.
func (m transferTokens) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	from, err := parsePosition(after)
	if err != nil {
		return nil, "", err
	}
	if from.index > m.db.config.Prefix+string(knoxExpiry) { // which is less than the key of any such index
		return m.pageOfExpiring(ctx, after, limit, now)
	}
	lists, err := m.names.of(ctx, knoxLists, after == "", withoutEnd)
	if err != nil {
		return nil, "", err
	}
	records, next, err := m.db.pageOf(ctx, lists, anyScore, after, limit, listedRef, m.load)
	for i, record := range records {
		if record != nil && !record.(transfer.KnoxToken).ExpiresAt.IsZero() {
			records[i] = nil // it comes later
		}
	}
	var unreadable *transfer.UnreadableError
	if err != nil && !errors.As(err, &unreadable) || next != "" {
		return records, next, err
	}
	m.names.forget(knoxLists)
	rest, next, err := m.pageOfExpiring(ctx, "", limit-len(records), now)
	var more *transfer.UnreadableError
	switch {
	case unreadable == nil:
	case err == nil:
		err = unreadable
	case errors.As(err, &more):
		err = &transfer.UnreadableError{Errs: append(unreadable.Errs, more.Errs...)}
	}
	return append(records, rest...), next, err
}

func (m transferTokens) pageOfExpiring(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(knoxExpiry), expiring(now), after, limit, memberRef, m.load)
}

// count reads those lists too, and the records in them.
func (m transferTokens) count(ctx context.Context, now time.Time) (int, error) {
	n, err := m.db.countOf(ctx, knoxTokens, m.db.indexesOf(knoxExpiry), expiring(now), memberRef)
	if err != nil {
		return 0, err
	}
	lists, err := m.db.scan(ctx, knoxLists, withoutEnd)
	if err != nil {
		return 0, err
	}
	for after := ""; ; {
		records, next, err := m.db.pageOf(ctx, lists, anyScore, after, countAtOnce, listedRef, m.load)
		if err != nil {
			return 0, err
		}
		for _, record := range records {
			if record != nil && record.(transfer.KnoxToken).ExpiresAt.IsZero() {
				n++
			}
		}
		if after = next; after == "" {
			return n, nil
		}
	}
}

// listedRef returns the ref of a record whose digest is in the member of an index of a user's records.
func listedRef(s position) ref {
	t, _ := nameIn(s.index)
	return ref{t, digestIn(s.member)}
}

func (m transferTokens) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	return m.db.findPlaced(ctx, m, knoxPlaces, like, tagOfDigest)
}

func (m transferTokens) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	uses, err := rowsOf[useRow](ctx, m.db, knoxUses, at) // first: see readRecord
	if err != nil {
		return nil, err
	}
	rows, err := rowsOf[knoxRow](ctx, m.db, knoxTokens, at)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, row := range rows {
		if row != nil {
			records[i] = transfer.KnoxToken{Record: row.record(at[i].name, useOf(uses[i]))}
		}
	}
	return records, nil
}

// useOf returns the use, where one that is not there is the zero one.
func useOf(use *useRow) useRow {
	if use == nil {
		return useRow{}
	}
	return *use
}

func (m transferTokens) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(transfer.KnoxToken).Record
		if err := m.db.storeTag(ctx, knoxTokens, knoxPlaces, r.Digest, t, ttlUntil(r.ExpiresAt, now)); err != nil {
			return err
		}
		m.write(c, t, r, now)
	}
	return nil
}

func (m transferTokens) remove(ctx context.Context, c *change, t tag, names []string) error {
	var keys []string
	for _, digest := range names {
		keys = append(keys, m.db.key(knoxTokens, t, digest), m.db.key(knoxUses, t, digest))
	}
	if err := c.read(ctx, keys...); err != nil {
		return err
	}
	for _, digest := range names {
		r, err := m.knoxStore.load(ctx, c, t, digest)
		if err != nil {
			return err
		}
		if r != nil {
			m.end(c, t, r, knox.Ending{})
		}
	}
	return nil
}

// transferEnded moves what is kept of knox tokens that ended. A name is a member of knoxEndings.
type transferEnded struct {
	typed[transfer.KnoxEndedToken]
	*knoxStore
}

// own is "", because the members of an index are the records.
func (m transferEnded) own() kind { return "" }

func (m transferEnded) page(ctx context.Context, after string, limit int,
	_ time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(knoxEndings), anyScore, after, limit, memberRef, m.load)
}

// movedKept is how long what ended is kept at most if no purge removes it. An addition to an index drops what is older,
// and the copy does not know for how long a service keeps it.
const movedKept = 10 * defaultKept

// refOf gives a record the same name each time, so that a record that comes twice is there once.
func (m transferEnded) refOf(record transfer.Record) ref {
	e := record.(transfer.KnoxEndedToken).EndedToken
	return ref{tagOfOwner(e.UserID), e.UserID + separator + endedMember(e, onceOf(e))}
}

// onceOf is a text that is the same for the same token and end.
func onceOf(e *knox.EndedToken) string {
	sum := sha256.Sum256([]byte(encode(endedRowOf(e, ""))))
	return base32.StdEncoding.EncodeToString(sum[:])[:12]
}

// find reads what is kept of the users at the instants of the ends.
func (m transferEnded) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	ctx, cancel := m.db.limit(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(like))
	indexes := make([]string, len(like))
	for i, record := range like {
		e := record.(transfer.KnoxEndedToken)
		at := strconv.FormatInt(int64(microsOf(e.EndedAt)), 10)
		indexes[i] = m.db.key(knoxEnded, tagOfOwner(e.UserID), e.UserID)
		commands[i] = m.db.client.B().Zrangebyscore().Key(indexes[i]).Min(at).Max(at).Build()
	}
	refs := make([]ref, len(like))
	for i, result := range m.db.client.DoMulti(ctx, commands...) {
		members, err := listOf(indexes[i], result)
		if err != nil {
			return nil, err
		}
		e := like[i].(transfer.KnoxEndedToken)
		for _, member := range members {
			if strings.HasPrefix(member, e.ID+separator) {
				refs[i] = ref{tagOfOwner(e.UserID), e.UserID + separator + member}
				break
			}
		}
	}
	return refs, nil
}

// load decodes the members. It asks nothing.
func (m transferEnded) load(_ context.Context, at []ref) ([]transfer.Record, error) {
	records := make([]transfer.Record, len(at))
	for i, r := range at {
		if r.name == "" {
			continue
		}
		userID, member, _ := strings.Cut(r.name, separator)
		e, err := decodeEnded(m.db.key(knoxEndings, r.t, ""), userID, member)
		if err != nil {
			return nil, err
		}
		records[i] = transfer.KnoxEndedToken{EndedToken: e}
	}
	return records, nil
}

func (m transferEnded) add(_ context.Context, c *change, t tag, records []transfer.Record, _ time.Time) error {
	for _, record := range records {
		e := record.(transfer.KnoxEndedToken).EndedToken
		m.note(c, t, e, onceOf(e), movedKept)
	}
	return nil
}

func (m transferEnded) remove(_ context.Context, c *change, t tag, names []string) error {
	for _, name := range names {
		userID, member, _ := strings.Cut(name, separator)
		c.removeMember(m.db.key(knoxEndings, t, ""), name)
		c.removeMember(m.db.key(knoxEnded, t, userID), member)
	}
	return nil
}
