package redisstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/store/transfer"
)

// This file reads pages of records, and finds and decodes them.

// typed is the part of transferKind for records of one type.
type typed[R transfer.Record] struct{}

func (typed[R]) is(record transfer.Record) bool {
	_, ok := record.(R)
	return ok
}

// expiring is the least score of what has not expired at now, for an index by expiry.
func expiring(now time.Time) string { return "(" + strconv.FormatInt(int64(microsOf(now)), 10) }

// anyScore is the least score in an index by something else.
const anyScore = "-inf"

// pageOf returns a page of the records that the members of indexes name.
func (db *DB) pageOf(ctx context.Context, indexes []string, least, after string, limit int, refOf func(s position) ref,
	load func(ctx context.Context, at []ref) ([]transfer.Record, error)) ([]transfer.Record, string, error) {
	from, err := parsePosition(after)
	if err != nil {
		return nil, "", err
	}
	spots, err := db.walk(ctx, indexes, least, from, limit)
	if err != nil {
		return nil, "", err
	}
	at := make([]ref, len(spots))
	for i, s := range spots {
		at[i] = refOf(s)
	}
	records, err := loadPage(ctx, at, load)
	if len(spots) < limit {
		return records, "", err
	}
	return records, spots[len(spots)-1].text(), err
}

// loadPage is load for a page. If some records cannot be read, it returns the others and a [transfer.UnreadableError].
func loadPage(ctx context.Context, at []ref,
	load func(ctx context.Context, at []ref) ([]transfer.Record, error)) ([]transfer.Record, error) {
	records, err := load(ctx, at)
	if !isUnreadable(err) {
		return records, err
	}
	var unreadable []error
	records = nil
	for _, one := range at {
		some, err := load(ctx, []ref{one})
		switch {
		case err == nil:
			records = append(records, some...)
		case isUnreadable(err):
			unreadable = append(unreadable, err)
		default:
			return nil, err
		}
	}
	if len(unreadable) == 0 { // they went meanwhile
		return records, nil
	}
	return records, &transfer.UnreadableError{Errs: unreadable}
}

// isUnreadable reports whether an error is about what a key has, and not about the server.
func isUnreadable(err error) bool {
	if errors.Is(err, ErrUnreadable) {
		return true
	}
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(reply.Error(), "WRONGTYPE ")
}

// memberRef returns the ref of a record whose name is the member of an index.
func memberRef(s position) ref {
	t, _ := nameIn(s.index)
	return ref{t, s.member}
}

// byName reads pages of a kind of keys that is in no index.
type byName struct {
	names *names
	k     kind
}

// refs returns the refs after a position, and the next position.
func (b byName) refs(ctx context.Context, after string, limit int) (at []ref, next string, err error) {
	last, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil {
		return nil, "", errPosition(after)
	}
	keys, err := b.names.of(ctx, b.k, after == "", nil)
	if err != nil {
		return nil, "", err
	}
	i, found := slices.BinarySearch(keys, string(last))
	if found {
		i++
	}
	page := keys[i:min(i+limit, len(keys))]
	for _, key := range page {
		t, name := nameIn(key)
		at = append(at, ref{t, name})
	}
	if len(page) < limit {
		b.names.forget(b.k)
		return at, "", nil
	}
	return at, base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1])), nil
}

// pageBy is page for a kind with load.
func (b byName) pageBy(ctx context.Context, after string, limit int,
	load func(ctx context.Context, at []ref) ([]transfer.Record, error)) ([]transfer.Record, string, error) {
	at, next, err := b.refs(ctx, after, limit)
	if err != nil {
		return nil, "", err
	}
	records, err := loadPage(ctx, at, load)
	return records, next, err
}

// rowsOf reads the keys of records of a kind. The row of one that is not there is nil.
func rowsOf[R any](ctx context.Context, db *DB, k kind, at []ref) ([]*R, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	var keys []string
	for _, r := range at {
		if r.name != "" {
			keys = append(keys, db.key(k, r.t, r.name))
		}
	}
	rows := make([]*R, len(at))
	if len(keys) == 0 {
		return rows, nil
	}
	texts, err := db.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	n := 0
	for i, r := range at {
		if r.name == "" {
			continue
		}
		if text := texts[n]; text != nil {
			rows[i] = new(R)
			if err := decode(keys[n], *text, rows[i]); err != nil {
				return nil, err
			}
		}
		n++
	}
	return rows, nil
}

// loadRows reads records that have one key each.
func loadRows[R any](ctx context.Context, db *DB, k kind, at []ref,
	record func(name string, row *R) transfer.Record) ([]transfer.Record, error) {
	rows, err := rowsOf[R](ctx, db, k, at)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(rows))
	for i, row := range rows {
		if row != nil {
			records[i] = record(at[i].name, row)
		}
	}
	return records, nil
}

// allOf reads the indexes of a kind that records have. The index of one that is not there has no members.
func (db *DB) allOf(ctx context.Context, k kind, at []ref) ([][]string, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	all := make([][]string, len(at))
	var commands rueidis.Commands
	var which []int
	for i, r := range at {
		if r.name != "" {
			which = append(which, i)
			commands = append(commands, db.client.B().Zrange().Key(db.key(k, r.t, r.name)).Min("0").Max("-1").Build())
		}
	}
	if len(commands) == 0 {
		return all, nil
	}
	for n, result := range db.client.DoMulti(ctx, commands...) {
		i := which[n]
		members, err := listOf(db.key(k, at[i].t, at[i].name), result)
		if err != nil {
			return nil, err
		}
		all[i] = members
	}
	return all, nil
}

// homes returns where records belong by their own fields. It is find for kinds whose keys say where they are.
func homes(moves transferKind, like []transfer.Record) []ref {
	at := make([]ref, len(like))
	for i, record := range like {
		at[i] = moves.refOf(record)
	}
	return at
}

// findPlaced is find for records whose names mostly tell their tag, as tagOf says. The others have a key of the kind
// places.
func (db *DB) findPlaced(ctx context.Context, moves transferKind, places kind, like []transfer.Record,
	tagOf func(name string) tag) ([]ref, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	at := homes(moves, like)
	var odd []int
	var keys []string
	for i, r := range at {
		own := tagOf(r.name)
		if r.t != own {
			odd, keys = append(odd, i), append(keys, db.key(places, own, r.name))
		}
	}
	if len(odd) == 0 {
		return at, nil
	}
	texts, err := db.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	for n, i := range odd {
		at[i].t = tagOf(at[i].name)
		if texts[n] == nil {
			continue
		}
		if at[i].t = tag(*texts[n]); !slices.Contains(allTags(), at[i].t) {
			return nil, fmt.Errorf("%w: key %q: it names no tag", ErrUnreadable, keys[n])
		}
	}
	return at, nil
}
