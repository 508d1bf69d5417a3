package auth

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// UserCache bounds a cache of users.
type UserCache struct {
	// TTL is how long a loaded user is used again, and so the longest that a
	// user that is disabled or deleted, or has another stamp by now, stays in.
	// Zero or less caches nothing.
	TTL time.Duration
	// Max is the most users kept. 0 is 10,000.
	Max int
	// Timeout ends a load that several requests wait for. 0 is 10 seconds.
	Timeout time.Duration
}

// CachedUsers is a UserLoader with a cache in front. Its users are shared
// between requests and must not be changed. It is safe for concurrent use.
type CachedUsers struct {
	load   UserLoader
	limits UserCache

	mu          sync.RWMutex
	entries     map[string]cachedUser // by the name that was loaded
	expiry      *expiry.Queue[string] // of entries
	names       map[string][]string   // by UserID: the names of entries that are not the UserID
	sharedLoads map[string]*sharedLoad

	suspended int // calls of Suspend without their resume

	// A load may read a user before a change and end after it. So calls of Forget are counted, in the slots of the
	// names that they are given. A load notes the count when it begins, and afterwards looks whether the slot of its
	// name or of its UserID has a later one.
	seed           maphash.Seed
	forgetCount    uint64
	forgetCounts   [userSlots]uint64 // the count at the last Forget
	forgetAllCount uint64            // the count at the last ForgetAll
}

// userSlots is how many counts of Forget there are. If two users share one, a load that is under way for one of them
// is not kept when the other is forgotten.
const userSlots = 4096

type cachedUser struct {
	user  User
	id    string // its UserID
	until time.Time
}

// sharedLoad is one load in progress that several requests may wait for.
type sharedLoad struct {
	done  chan struct{}
	began uint64    // the count of Forget at its start
	until time.Time // TTL after its start
	user  User
	err   error
}

// CacheUsers returns a cache in front of load. Pass its Load method as
// UserLoader, and call Forget when the application disables or changes a user:
//
//	users := auth.CacheUsers(db.LoadUser, auth.UserCache{TTL: 30 * time.Second})
//	tokens, err := knox.New(knox.Config{LoadUser: users.Load, …})
//
// Errors are not cached.
func CacheUsers(load UserLoader, limits UserCache) *CachedUsers {
	if limits.Max <= 0 {
		limits.Max = 10_000
	}
	if limits.Timeout <= 0 {
		limits.Timeout = 10 * time.Second
	}
	c := &CachedUsers{load: load, limits: limits,
		entries: make(map[string]cachedUser), names: make(map[string][]string),
		sharedLoads: make(map[string]*sharedLoad), seed: maphash.MakeSeed()}
	c.expiry = expiry.NewOfMap(c.entries, func(entry cachedUser) time.Time { return entry.until })
	return c
}

// Load is a [UserLoader]. It checks what the loader returns as [UserLoader.Find] does,
// and a backend checks the identifier. Requests that miss the same user wait for one load,
// which ends with no single one of them: a client that goes away fails no other.
func (c *CachedUsers) Load(ctx context.Context, id string) (User, error) {
	now := time.Now()
	c.mu.RLock()
	entry, ok := c.entries[id]
	c.mu.RUnlock()
	if ok && now.Before(entry.until) {
		return entry.user, nil
	}
	if c.limits.TTL <= 0 {
		return c.load.Find(ctx, id)
	}

	user, shared, asked := c.cachedOrLoad(ctx, id, now)
	for {
		switch {
		case user != nil:
			return user, nil
		case shared == nil:
			return c.load.Find(ctx, id)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-shared.done:
		}
		if shared.began >= asked || !c.outdated(id, shared) {
			return shared.user, shared.err
		}
		// The load may have read the user before Forget, and this call began after that. A load that begins now
		// is new enough, so this happens once.
		user, shared, _ = c.cachedOrLoad(ctx, id, time.Now())
	}
}

// cachedOrLoad returns a cached user, or else the load to wait for. If both are nil, the cache is
// suspended. It also returns the count of Forget.
func (c *CachedUsers) cachedOrLoad(ctx context.Context, id string, now time.Time) (User, *sharedLoad, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suspended > 0 {
		return nil, nil, c.forgetCount
	}
	if entry, ok := c.entries[id]; ok && now.Before(entry.until) {
		return entry.user, nil, c.forgetCount
	}
	shared, ok := c.sharedLoads[id]
	if !ok || !now.Before(shared.until) { // what an earlier load read is too old by now
		shared = &sharedLoad{done: make(chan struct{}), began: c.forgetCount, until: now.Add(c.limits.TTL)}
		c.sharedLoads[id] = shared
		go c.runSharedLoad(context.WithoutCancel(ctx), id, shared)
	}
	return nil, shared, c.forgetCount
}

// outdated reports whether the user of a load by this name may be from before a call of Forget that concerns it.
func (c *CachedUsers) outdated(name string, shared *sharedLoad) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.outdatedLocked(name, shared)
}

// outdatedLocked is outdated for a caller that holds c.mu. Without a user, any call of Forget may concern the load.
func (c *CachedUsers) outdatedLocked(name string, shared *sharedLoad) bool {
	if shared.err != nil {
		return c.forgetCount > shared.began
	}
	byName, byID := c.forgetCounts[c.slot(name)], c.forgetCounts[c.slot(shared.user.UserID())]
	return max(c.forgetAllCount, byName, byID) > shared.began
}

func (c *CachedUsers) slot(id string) uint64 { return maphash.String(c.seed, id) % userSlots }

// runSharedLoad does the load. It ends at the latest after the timeout, if the loader
// heeds its context.
func (c *CachedUsers) runSharedLoad(ctx context.Context, id string, shared *sharedLoad) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Timeout)
	defer cancel()
	shared.err = errors.New("auth: user loader panicked")
	defer func() {
		if r := recover(); r != nil {
			shared.err = fmt.Errorf("auth: user loader panicked: %v", r)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		// Forget removes the load of its name, and a later load takes the place of an earlier one.
		if c.sharedLoads[id] == shared {
			delete(c.sharedLoads, id)
			if shared.err == nil && !c.outdatedLocked(id, shared) {
				// The TTL counts from before the load, because the user may be old when the load ends.
				c.storeLocked(id, shared.user, shared.until)
			}
		}
		close(shared.done)
	}()
	shared.user, shared.err = c.load.Find(ctx, id)
}

// storeLocked stores a user, and makes room first: c.mu is held. It looks at few users, for
// others wait.
func (c *CachedUsers) storeLocked(name string, user User, until time.Time) {
	c.removeLocked(name)
	if len(c.entries) >= c.limits.Max {
		if removed, _ := c.expiry.Purge(time.Now(), c.limits.Max, c.removeLocked); removed == 0 {
			for other := range c.entries { // in random order
				c.removeLocked(other)
				break
			}
		}
	}
	id := user.UserID()
	c.entries[name] = cachedUser{user, id, until}
	if name != id {
		c.names[id] = append(c.names[id], name)
	}
	c.expiry.Add(name)
}

// removeLocked removes the entry of a name, if there is one: c.mu is held.
func (c *CachedUsers) removeLocked(name string) {
	entry, ok := c.entries[name]
	if !ok {
		return
	}
	delete(c.entries, name)
	if name == entry.id {
		return
	}
	others := slices.DeleteFunc(c.names[entry.id], func(other string) bool { return other == name })
	if len(others) == 0 {
		delete(c.names, entry.id)
		return
	}
	c.names[entry.id] = others
}

// Forget drops a user from the cache: what was loaded by this name, and by any name what
// has this UserID. The next Load sees what the application says now, even if another was
// under way when Forget was called: what that one brings of this user is not kept, and a
// request that began later and waited for it loads again. Loads of other users go on.
func (c *CachedUsers) Forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(id)
	for _, name := range slices.Clone(c.names[id]) {
		c.removeLocked(name)
	}
	delete(c.sharedLoads, id)
	c.forgetCount++
	c.forgetCounts[c.slot(id)] = c.forgetCount
}

// ForgetAll drops every user, as Forget does.
func (c *CachedUsers) ForgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetAllLocked()
}

// forgetAllLocked is ForgetAll for a caller that holds c.mu.
func (c *CachedUsers) forgetAllLocked() {
	clear(c.entries)
	clear(c.names)
	clear(c.sharedLoads)
	c.forgetCount++
	c.forgetAllCount = c.forgetCount
}

// Suspend drops every user, and keeps no user until resume is called: each Load asks the
// loader, and loads are not shared. Use it while the application cannot hear of changes by
// other programs. Further calls of resume do nothing. If Suspend was called several times,
// each resume must be called.
func (c *CachedUsers) Suspend() (resume func()) {
	c.suspendBy(1)
	return sync.OnceFunc(func() { c.suspendBy(-1) })
}

func (c *CachedUsers) suspendBy(more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspended += more
	c.forgetAllLocked()
}
