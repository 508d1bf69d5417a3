package redisstore

import (
	"context"

	"github.com/redis/rueidis"
)

// getAll reads keys in one round trip, or one to each node. The text of a key that is not there is nil.
func (db *DB) getAll(ctx context.Context, keys []string) ([]*string, error) {
	return getAll(ctx, db.client, keys)
}

func getAll(ctx context.Context, client rueidis.Client, keys []string) ([]*string, error) {
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Get().Key(key).Build()
	}
	texts := make([]*string, len(keys))
	for i, result := range client.DoMulti(ctx, commands...) {
		text, err := textOf(result)
		if err != nil {
			return nil, wrapError("reading key "+keys[i], err)
		}
		texts[i] = text
	}
	return texts, nil
}

// textOf returns the text of an answer, or nil if there is no such key.
func textOf(result rueidis.RedisResult) (*string, error) {
	text, err := result.ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &text, nil
}

// get reads one key into value, and reports whether there is the key.
func (db *DB) get(ctx context.Context, key string, value any) (bool, error) {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	texts, err := db.getAll(ctx, []string{key})
	if err != nil || texts[0] == nil {
		return false, err
	}
	return true, decode(key, *texts[0], value)
}

// members returns at most limit members of an index of change.addMember, from the last one before the member before
// or, if that is "", from the last one of all. They are in falling order.
func (db *DB) members(ctx context.Context, index, before string, limit int) ([]string, error) {
	from := "+"
	if before != "" {
		from = "(" + before
	}
	command := db.client.B().Zrevrangebylex().Key(index).Max(from).Min("-").Limit(0, int64(limit)).Build()
	return listOf(index, db.client.Do(ctx, command))
}

// membersAfter is members in rising order, from the first one after a member.
func (db *DB) membersAfter(ctx context.Context, index, after string, limit int) ([]string, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	command := db.client.B().Zrangebylex().Key(index).Min(from).Max("+").Limit(0, int64(limit)).Build()
	return listOf(index, db.client.Do(ctx, command))
}

// membersWith returns the members of an index of change.addMember that begin with prefix, at most limit, in rising
// order.
func (db *DB) membersWith(ctx context.Context, index, prefix string, limit int) ([]string, error) {
	command := db.client.B().Zrangebylex().Key(index).Min("["+prefix).Max("("+prefix+"\xff").Limit(
		0, int64(limit)).Build()
	return listOf(index, db.client.Do(ctx, command))
}

// all returns all members of an index of either kind, in rising order.
func (db *DB) all(ctx context.Context, index string) ([]string, error) {
	return listOf(index, db.client.Do(ctx, db.client.B().Zrange().Key(index).Min("0").Max("-1").Build()))
}

func listOf(index string, result rueidis.RedisResult) ([]string, error) {
	members, err := result.AsStrSlice()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, wrapError("reading index "+index, err)
	}
	return members, nil
}
