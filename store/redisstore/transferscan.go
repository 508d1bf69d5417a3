package redisstore

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// A few kinds of keys never end and are in no index of their own, such as the identities of external logins. They are
// found by SCAN, which has no order. So all their names are read once, sorted, and kept in memory while an export runs.

// names keeps the sorted keys of kinds that are found by SCAN.
type names struct {
	db   *DB
	mu   sync.Mutex
	keys map[kind][]string
}

func newNames(db *DB) *names { return &names{db: db, keys: make(map[kind][]string)} }

// of returns the keys of a kind in rising order. They are read anew at the beginning of an export of it. If keep is not
// nil, it reports which of some keys are wanted.
func (n *names) of(ctx context.Context, k kind, begins bool,
	keep func(ctx context.Context, node rueidis.Client, keys []string) ([]string, error)) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys, ok := n.keys[k]
	if ok && !begins {
		return keys, nil
	}
	keys, err := n.db.scan(ctx, k, keep)
	if err != nil {
		return nil, err
	}
	n.keys[k] = keys
	return keys, nil
}

// forget frees the memory of a kind whose export has ended.
func (n *names) forget(k kind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.keys, k)
}

// scanAtOnce is how many keys of a server one SCAN looks at.
const scanAtOnce = 1000

// scan returns all keys of a kind, sorted.
func (db *DB) scan(ctx context.Context, k kind,
	keep func(ctx context.Context, node rueidis.Client, keys []string) ([]string, error)) ([]string, error) {
	var all []string
	for address, node := range db.client.Nodes() {
		limited, cancel := db.limit(ctx)
		role, err := roleOf(limited, node)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil && db.client.Mode() == rueidis.ClientModeCluster:
			continue // Ping tells whether it is a master
		case err != nil:
			return nil, wrapError(address+": INFO", err)
		case role != "master":
			continue
		}
		found, err := db.scanNode(ctx, address, node, k, keep)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), db.Ping(ctx) // without a master, some would be missing
}

// roleOf returns "master" or "slave".
func roleOf(ctx context.Context, node rueidis.Client) (string, error) {
	text, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	_, role, _ := strings.Cut(text, "role:")
	role, _, _ = strings.Cut(role, "\r\n")
	return role, err
}

// scanNode returns the keys of a kind of one server.
func (db *DB) scanNode(ctx context.Context, address string, node rueidis.Client, k kind,
	keep func(ctx context.Context, node rueidis.Client, keys []string) ([]string, error)) ([]string, error) {
	var all []string
	pattern := db.config.Prefix + string(k) + ":{*" // a prefix has no character that means more in a pattern
	for cursor := uint64(0); ; {
		limited, cancel := db.limit(ctx)
		command := node.B().Scan().Cursor(cursor).Match(pattern).Count(scanAtOnce).Build()
		entry, err := node.Do(limited, command).AsScanEntry()
		found := entry.Elements
		if err == nil && keep != nil && len(found) > 0 {
			found, err = keep(limited, node, found)
		}
		cancel()
		if err != nil {
			return nil, wrapError(address+": SCAN", err)
		}
		all = append(all, found...)
		if cursor = entry.Cursor; cursor == 0 {
			return all, nil
		}
	}
}

// withoutEnd returns those of some keys that live for ever.
func withoutEnd(ctx context.Context, node rueidis.Client, keys []string) ([]string, error) {
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = node.B().Pttl().Key(key).Build()
	}
	var kept []string
	for i, result := range node.DoMulti(ctx, commands...) {
		left, err := result.AsInt64()
		if err != nil {
			return nil, err
		}
		if left == -1 {
			kept = append(kept, keys[i])
		}
	}
	return kept, nil
}

// nameIn returns the tag and the name of a key.
func nameIn(key string) (tag, string) {
	_, rest, _ := strings.Cut(key, ":{")
	t, name, _ := strings.Cut(rest, "}")
	return tag(t), name
}
