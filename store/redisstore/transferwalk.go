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

// spot is a member of an index. The zero spot is before all members.
type spot struct {
	index  string
	score  int64
	member string
}

// text returns the spot as printable text, for a caller that keeps it.
func (s spot) text() string {
	if s.index == "" {
		return ""
	}
	plain := s.index + separator + strconv.FormatInt(s.score, 10) + separator + s.member
	return base64.RawURLEncoding.EncodeToString([]byte(plain))
}

// spotIn reads what text returned.
func spotIn(text string) (spot, error) {
	if text == "" {
		return spot{}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	index, rest, one := strings.Cut(string(plain), separator)
	number, member, two := strings.Cut(rest, separator)
	score, wrong := strconv.ParseInt(number, 10, 64)
	if err != nil || wrong != nil || !one || !two {
		return spot{}, fmt.Errorf("redisstore: %q is not a position that Export returned", text)
	}
	return spot{index, score, member}, nil
}

// walk returns at most limit members after a spot, of indexes in rising order of their keys. Fewer than limit are there
// at the end only. The score of each is at least least, which is as Redis has it in ZRANGEBYSCORE.
func (db *DB) walk(ctx context.Context, indexes []string, least string, after spot, limit int) ([]spot, error) {
	var found []spot
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
			return nil, 0, outage("reading index "+some[i], err)
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
func (db *DB) firstOf(ctx context.Context, indexes []string, least string, limit int) ([]spot, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(indexes))
	for i, index := range indexes {
		commands[i] = db.scored(index, least, 0, limit)
	}
	if len(commands) == 0 {
		return nil, nil
	}
	var found []spot
	for i, result := range db.client.DoMulti(ctx, commands...) {
		some, err := spotsOf(indexes[i], result)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// restOf returns the members of an index after a spot. Members with the score of the spot are read again, from the
// first of them on, since Redis knows no other way to begin in the middle of them.
func (db *DB) restOf(ctx context.Context, after spot, limit int) ([]spot, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	var found []spot
	for offset := 0; len(found) < limit; offset += limit {
		command := db.scored(after.index, strconv.FormatInt(after.score, 10), offset, limit)
		some, err := spotsOf(after.index, db.client.Do(ctx, command))
		if err != nil {
			return nil, err
		}
		size := len(some)
		found = append(found, slices.DeleteFunc(some, func(s spot) bool {
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

func spotsOf(index string, result rueidis.RedisResult) ([]spot, error) {
	members, err := result.AsZScores()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, outage("reading index "+index, err)
	}
	spots := make([]spot, len(members))
	for i, m := range members {
		spots[i] = spot{index, int64(m.Score), m.Member}
	}
	return spots, nil
}

// indexesOf returns the keys of an index of each tag of users, in rising order.
func (db *DB) indexesOf(k kind) []string {
	keys := make([]string, tags)
	for n, t := range allTags() {
		keys[n] = db.key(k, t, "")
	}
	return keys
}
