package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/password"
)

// redisUsers are users in Redis. Each has a key with a userRow, which lives for ever.
type redisUsers struct{ db *database.RedisDB }

// userRow is a user as JSON. The program authctl reads it, too.
type userRow struct {
	Encoded string `json:"encoded"`
	Active  bool   `json:"active"`
	Admin   bool   `json:"admin"`
}

func (us *redisUsers) key(name string) string { return us.db.Key("user:" + name) }

// madeKey is there once the first users are.
func (us *redisUsers) madeKey() string { return us.db.Key("users-made") }

// open makes the users of a fresh store. Several demos may start at once.
func (us *redisUsers) open(ctx context.Context, hasher *password.Hasher) error {
	client := us.db.Client
	made, err := client.Do(ctx, client.B().Exists().Key(us.madeKey()).Build()).AsBool()
	if err != nil || made {
		return err
	}
	first, err := firstUsers(ctx, hasher)
	if err != nil {
		return err
	}
	for _, u := range first {
		command := client.B().Set().Key(us.key(u.name)).Value(textOf(u)).Nx().Build()
		// nil: another demo was first
		if err := client.Do(ctx, command).Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
	}
	return client.Do(ctx, client.B().Set().Key(us.madeKey()).Value("1").Build()).Error()
}

func textOf(u *user) string {
	text, _ := json.Marshal(userRow{u.encoded, u.active, u.admin}) // never fails
	return string(text)
}

// read returns a user, and the text that the user is stored as.
func (us *redisUsers) read(ctx context.Context, name string) (*user, string, error) {
	text, err := us.db.Client.Do(ctx, us.db.Client.B().Get().Key(us.key(name)).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return nil, "", auth.ErrUserNotFound
	}
	if err != nil {
		return nil, "", err
	}
	var row userRow
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		return nil, "", fmt.Errorf("user %q cannot be read: %w", name, err)
	}
	return &user{name, row.Encoded, row.Active, row.Admin}, text, nil
}

func (us *redisUsers) find(ctx context.Context, name string) (*user, error) {
	u, _, err := us.read(ctx, name)
	return u, err
}

// replaceScript replaces a value that is as it was read.
var replaceScript = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`)

// change changes a user, as often as another change comes between. It ends with the first error of edit.
func (us *redisUsers) change(ctx context.Context, name string, edit func(u *user) error) error {
	for {
		u, before, err := us.read(ctx, name)
		if err == nil {
			err = edit(u)
		}
		if err != nil {
			return err
		}
		done, err := replaceScript.Exec(ctx, us.db.Client, []string{us.key(name)}, []string{before, textOf(u)}).AsBool()
		if err != nil || done {
			return err
		}
	}
}

func (us *redisUsers) setActive(ctx context.Context, name string, active bool) (bool, error) {
	err := us.change(ctx, name, func(u *user) error {
		u.active = active
		return nil
	})
	if errors.Is(err, auth.ErrUserNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (us *redisUsers) setPassword(ctx context.Context, u auth.User, encoded string) error {
	err := us.change(ctx, u.UserID(), func(stored *user) error {
		if stored.encoded != u.(*user).encoded {
			return password.ErrChanged
		}
		stored.encoded = encoded
		return nil
	})
	if errors.Is(err, auth.ErrUserNotFound) {
		return password.ErrChanged
	}
	return err
}

// signUpScript makes a user with an id. It returns the name, or "" if that is taken. A user that the id leads to
// already is not made again.
var signUpScript = rueidis.NewLuaScript(`
local name = redis.call('GET', KEYS[1])
if name then return name end
if redis.call('EXISTS', KEYS[2]) == 1 then return '' end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`)

func (us *redisUsers) signUp(ctx context.Context, id, wanted string) (auth.User, error) {
	for name := range names(wanted) {
		keys := []string{us.db.Key("signup:" + id), us.key(name)}
		made, err := signUpScript.Exec(ctx, us.db.Client, keys, []string{name, textOf(&user{active: true})}).ToString()
		if err != nil {
			return nil, err
		}
		if made != "" {
			return us.find(ctx, made)
		}
	}
	return nil, errNoName
}
