package redisstore

import (
	"context"

	"github.com/gatewarden/auth/store/cached"
)

// userChanges is the kind of keys that change when a user does. Their values mean nothing.
const userChanges kind = "uc"

// WatchUsers has a cache of users, such as an [auth.CachedUsers], forget a user at once when any instance calls
// [DB.UserChanged], or ends everything that the user has, as after a change of the password. While Redis cannot be
// heard, the cache keeps nothing. If Config.MaxCached is negative, only the calls of this DB are told.
//
//	users := auth.CacheUsers(load, auth.UserCache{TTL: time.Minute})
//	db.WatchUsers(users)
func (db *DB) WatchUsers(users cached.Cache) {
	db.watch.add(users, func(_ kind, userID string) { users.Forget(userID) }, userChanges)
}

// UserChanged has the caches of [DB.WatchUsers] of all instances forget a user. Call it after the user was changed,
// such as disabled. An error says that other instances may not know of it, and will believe what they have for as long
// as their caches do.
func (db *DB) UserChanged(ctx context.Context, userID string) error {
	return db.transact(ctx, userID, func(_ context.Context, c *change) error {
		c.changeVersion(db.key(userChanges, tagOfOwner(userID), userID))
		return nil
	})
}
