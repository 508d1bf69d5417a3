package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/store/redisstore"
)

// openPlaceRedis opens a Redis. Only a target may be without users.
func openPlaceRedis(ctx context.Context, c *call, mustExist bool) (copyStore, error) {
	db, err := database.OpenRedis(ctx, c.db, redisstore.Config{MaxCached: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return copyStore{}, err
	}
	if mustExist {
		if err := (redisUsers{db}).check(ctx); err != nil {
			return copyStore{}, errors.Join(err, db.Close())
		}
	}
	return copyStore{redisstore.Transfer(db.DB), redisPeople{db}, db}, nil
}

// redisPeople are users in the keys of the demo.
type redisPeople struct{ *database.RedisDB }

// personRow is a user as the demo has it in Redis.
type personRow struct {
	Encoded string `json:"encoded"`
	Active  bool   `json:"active"`
	Admin   bool   `json:"admin"`
}

func (d redisPeople) keyOf(p person) string {
	if p.signUp != "" {
		return d.Key("signup:" + p.signUp)
	}
	return d.Key("user:" + p.name)
}

func (d redisPeople) read(ctx context.Context) (map[string]person, error) {
	all := make(map[string]person)
	for _, node := range d.Client.Nodes() {
		for _, kind := range []string{"user:", "signup:"} {
			if err := d.readInto(ctx, all, node, d.Key(kind)); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// readInto reads the users of a node whose keys have a prefix. SCAN may return a key twice.
func (d redisPeople) readInto(ctx context.Context, all map[string]person, node rueidis.Client, prefix string) error {
	const atOnce = 1000
	var cursor uint64
	for {
		command := node.B().Scan().Cursor(cursor).Match(escaped(prefix) + "*").Count(atOnce).Build()
		entry, err := node.Do(ctx, command).AsScanEntry()
		if err != nil {
			return err
		}
		for _, key := range entry.Elements {
			p, found, err := d.readKey(ctx, key, prefix)
			if err != nil {
				return err
			}
			if found {
				all[p.key()] = p
			}
		}
		if cursor = entry.Cursor; cursor == 0 {
			return nil
		}
	}
}

// readKey reads the user of a key. It reports false if the key was removed since it was found.
func (d redisPeople) readKey(ctx context.Context, key, prefix string) (p person, found bool, err error) {
	text, err := d.Client.Do(ctx, d.Client.B().Get().Key(key).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return person{}, false, nil
	}
	if err != nil {
		return person{}, false, fmt.Errorf("key %q: %w", key, err)
	}
	p, err = personOf(strings.TrimPrefix(key, prefix), text, strings.HasSuffix(prefix, "signup:"))
	if err != nil {
		return person{}, false, fmt.Errorf("key %q cannot be read: %w", key, err)
	}
	return p, true, nil
}

func personOf(name, text string, signUp bool) (person, error) {
	if signUp {
		return person{signUp: name, name: text}, nil
	}
	var row personRow
	err := json.Unmarshal([]byte(text), &row)
	return person{name: name, encoded: row.Encoded, active: row.Active, admin: row.Admin}, err
}

// escaped is a text that a pattern of SCAN finds as it is.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// write also notes that the users are made, so that the demo makes no first ones.
func (d redisPeople) write(ctx context.Context, all []person) error {
	commands := rueidis.Commands{d.Client.B().Set().Key(d.Key("users-made")).Value("1").Build()}
	for _, p := range all {
		text := p.name
		if p.signUp == "" {
			row, _ := json.Marshal(personRow{p.encoded, p.active, p.admin}) // never fails
			text = string(row)
		}
		commands = append(commands, d.Client.B().Set().Key(d.keyOf(p)).Value(text).Build())
	}
	return d.inBatches(ctx, commands)
}

func (d redisPeople) remove(ctx context.Context, all []person) error {
	var commands rueidis.Commands
	for _, p := range all {
		commands = append(commands, d.Client.B().Del().Key(d.keyOf(p)).Build())
	}
	return d.inBatches(ctx, commands)
}

// inBatches runs commands, a few hundred in a round trip.
func (d redisPeople) inBatches(ctx context.Context, commands rueidis.Commands) error {
	const atOnce = 500
	for len(commands) > 0 {
		part := commands[:min(len(commands), atOnce)]
		commands = commands[len(part):]
		for _, result := range d.Client.DoMulti(ctx, part...) {
			if err := result.Error(); err != nil {
				return err
			}
		}
	}
	return nil
}
