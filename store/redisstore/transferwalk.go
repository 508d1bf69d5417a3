package redisstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// This file walks over the members of many indexes, in an order that stays the same: by the key of the index, then by
// score, then by the bytes of the member. A walk may stop after any member and go on later, in another process too.

// position is a member of an index. The zero position is before all members.
type position struct {
	index  string
	score  int64
	nth    int // among the members with this score, from 1 on, as the walk saw them
	member string
}

// text returns the position as printable text, for a caller that keeps it.
func (s position) text() string {
	if s.index == "" {
		return ""
	}
	plain := fmt.Sprintf("%s%s%d %d%s%s", s.index, separator, s.score, s.nth, separator, s.member)
	return base64.RawURLEncoding.EncodeToString([]byte(plain))
}

// parsePosition reads what text returned.
func parsePosition(text string) (position, error) {
	if text == "" {
		return position{}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	index, rest, _ := strings.Cut(string(plain), separator)
	numbers, member, ok := strings.Cut(rest, separator)
	s := position{index: index, member: member}
	if _, wrong := fmt.Sscanf(numbers, "%d %d", &s.score, &s.nth); err != nil || wrong != nil || !ok {
		return position{}, errPosition(text)
	}
	return s, nil
}

func errPosition(text string) error {
	return fmt.Errorf("redisstore: %q is not a position that Export returned", text)
}

// walk returns at most limit members after a position, of indexes in rising order of their keys. Fewer than limit are
// there at the end only. The score of each is at least least, which is as Redis has it in ZRANGEBYSCORE.
func (db *DB) walk(ctx context.Context, indexes []string, least string, after position, limit int) ([]position, error) {
	var found []position
	at, begun := slices.BinarySearch(indexes, after.index)
	if begun {
		rest, err := db.restOf(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, rest...)
		at++
	}
	for at < len(indexes) && len(found) < limit {
		busy, next, err := db.busy(ctx, indexes, at, limit-len(found))
		if err != nil {
			return nil, err
		}
		more, err := db.firstOf(ctx, busy, least, limit-len(found))
		if err != nil {
			return nil, err
		}
		found, at = append(found, more...), next
	}
	return found[:min(limit, len(found))], nil
}

// indexesAtOnce is how many indexes one round trip asks for their size.
const indexesAtOnce = 256

// busy returns which of the indexes from one on have members, until they have limit together. Next is the first index
// after them.
func (db *DB) busy(ctx context.Context, indexes []string, from, limit int) (busy []string, next int, err error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	some := indexes[from:min(from+indexesAtOnce, len(indexes))]
	commands := make(rueidis.Commands, len(some))
	for i, index := range some {
		commands[i] = db.client.B().Zcard().Key(index).Build()
	}
	for i, result := range db.client.DoMulti(ctx, commands...) {
		size, err := result.AsInt64()
		if err != nil {
			return nil, 0, wrapError("reading index "+some[i], err)
		}
		if size > 0 && limit > 0 {
			busy = append(busy, some[i])
		}
		if limit > 0 {
			next = from + i + 1
		}
		limit -= int(size)
	}
	return busy, next, nil
}

// firstOf returns the first members of each of some indexes, at most limit of each.
func (db *DB) firstOf(ctx context.Context, indexes []string, least string, limit int) ([]position, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(indexes))
	for i, index := range indexes {
		commands[i] = db.scored(index, least, 0, limit)
	}
	if len(commands) == 0 {
		return nil, nil
	}
	var found []position
	for i, result := range db.client.DoMulti(ctx, commands...) {
		some, err := positionsOf(position{index: indexes[i]}, 0, result)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// restOf returns the members of an index after a position. Redis does not begin in the middle of members with one
// score, but can pass over a number of them. The number is right if the position is the first that comes. Otherwise
// members came or went meanwhile, and all with the score are read.
func (db *DB) restOf(ctx context.Context, after position, limit int) ([]position, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	read := func(offset, limit int) ([]position, error) {
		command := db.scored(after.index, strconv.FormatInt(after.score, 10), offset, limit)
		return positionsOf(after, offset, db.client.Do(ctx, command))
	}
	if after.nth > 1 {
		some, err := read(after.nth-1, limit+1)
		if err != nil {
			return nil, err
		}
		if len(some) > 0 && some[0] == after {
			return some[1:], nil
		}
	}
	var found []position
	for offset := 0; len(found) < limit; offset += limit {
		some, err := read(offset, limit)
		if err != nil {
			return nil, err
		}
		size := len(some)
		found = append(found, slices.DeleteFunc(some, func(s position) bool {
			return s.score == after.score && s.member <= after.member
		})...)
		if size < limit {
			break
		}
	}
	return found[:min(limit, len(found))], nil
}

func (db *DB) scored(index, from string, offset, limit int) rueidis.Completed {
	return db.client.B().Zrangebyscore().Key(index).Min(from).Max("+inf").Withscores().
		Limit(int64(offset), int64(limit)).Build()
}

// positionsOf returns the members of an index. Offset is how many members with the score of before were passed over.
func positionsOf(before position, offset int, result rueidis.RedisResult) ([]position, error) {
	members, err := result.AsZScores()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, wrapError("reading index "+before.index, err)
	}
	last := position{index: before.index, score: before.score, nth: offset}
	spots := make([]position, len(members))
	for i, m := range members {
		if score := int64(m.Score); score != last.score {
			last.score, last.nth = score, 0
		}
		last.nth++
		last.member = m.Member
		spots[i] = last
	}
	return spots, nil
}

const (
	// countedAtOnce is how many members one step of countOf reads.
	countedAtOnce = 20_000
	// existAtOnce is how many keys one EXISTS asks for.
	existAtOnce = 500
)

// countOf returns how many records of a kind are there whose names are members of indexes.
func (db *DB) countOf(ctx context.Context, k kind, indexes []string, least string,
	refOf func(s position) ref) (int, error) {
	n := 0
	for after := (position{}); ; {
		spots, err := db.walk(ctx, indexes, least, after, countedAtOnce)
		if err != nil {
			return 0, err
		}
		some, err := db.existing(ctx, k, spots, refOf)
		if n += some; err != nil || len(spots) < countedAtOnce {
			return n, err
		}
		after = spots[len(spots)-1]
	}
}

// existing counts those records that are there. The members of one index have one tag, and so one command.
func (db *DB) existing(ctx context.Context, k kind, spots []position, refOf func(s position) ref) (int, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	var commands rueidis.Commands
	for first := 0; first < len(spots); {
		var keys []string
		index := spots[first].index
		for first < len(spots) && spots[first].index == index && len(keys) < existAtOnce {
			r := refOf(spots[first])
			keys = append(keys, db.key(k, r.t, r.name))
			first++
		}
		commands = append(commands, db.client.B().Exists().Key(keys...).Build())
	}
	if len(commands) == 0 {
		return 0, nil
	}
	n := 0
	for _, result := range db.client.DoMulti(ctx, commands...) {
		some, err := result.AsInt64()
		if err != nil {
			return 0, wrapError("counting keys", err)
		}
		n += int(some)
	}
	return n, nil
}

// indexesOf returns the keys of an index of each tag of users, in rising order.
func (db *DB) indexesOf(k kind) []string {
	keys := make([]string, tags)
	for n, t := range allTags() {
		keys[n] = db.key(k, t, "")
	}
	return keys
}
