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

	mu      sync.RWMutex
	entries map[string]cachedUser // by the name that was loaded
	expiry  *expiry.Queue[string] // of entries
	names   map[string][]string   // by UserID: the names of entries that are not the UserID
	flights map[string]*userFlight

	suspended int // calls of Suspend without their resume

	// A load may read a user before a change and end after it. So calls of Forget are counted, in the slots of the
	// names that they are given. A load notes the count when it begins, and afterwards looks whether the slot of its
	// name or of its UserID has a later one.
	seed      maphash.Seed
	forgets   uint64
	forgotten [userSlots]uint64 // the count at the last Forget
	cleared   uint64            // the count at the last ForgetAll
}

// userSlots is how many counts of Forget there are. If two users share one, a load that is under way for one of them
// is not kept when the other is forgotten.
const userSlots = 4096

type cachedUser struct {
	user  User
	id    string // its UserID
	until time.Time
}

// userFlight is one load in progress that several requests may wait for.
type userFlight struct {
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
		flights: make(map[string]*userFlight), seed: maphash.MakeSeed()}
	c.expiry = expiry.Of(c.entries, func(entry cachedUser) time.Time { return entry.until })
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

	user, flight, asked := c.join(ctx, id, now)
	for {
		switch {
		case user != nil:
			return user, nil
		case flight == nil:
			return c.load.Find(ctx, id)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-flight.done:
		}
		if flight.began >= asked || !c.outdated(id, flight) {
			return flight.user, flight.err
		}
		// The flight may have read the user before Forget, and this call began after that. A flight that begins now
		// is new enough, so this happens once.
		user, flight, _ = c.join(ctx, id, time.Now())
	}
}

// join returns a cached user, or else the load to wait for. If both are nil, the cache is suspended. It also returns
// the count of Forget.
func (c *CachedUsers) join(ctx context.Context, id string, now time.Time) (User, *userFlight, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suspended > 0 {
		return nil, nil, c.forgets
	}
	if entry, ok := c.entries[id]; ok && now.Before(entry.until) {
		return entry.user, nil, c.forgets
	}
	flight, ok := c.flights[id]
	if !ok || !now.Before(flight.until) { // what an earlier load read is too old by now
		flight = &userFlight{done: make(chan struct{}), began: c.forgets, until: now.Add(c.limits.TTL)}
		c.flights[id] = flight
		go c.fly(context.WithoutCancel(ctx), id, flight)
	}
	return nil, flight, c.forgets
}

// outdated reports whether what a flight brought by a name may be from before a call of Forget that concerns it.
func (c *CachedUsers) outdated(name string, flight *userFlight) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.forgottenSince(name, flight)
}

// forgottenSince is outdated: c.mu is held. Without a user, any call of Forget may concern the flight.
func (c *CachedUsers) forgottenSince(name string, flight *userFlight) bool {
	if flight.err != nil {
		return c.forgets > flight.began
	}
	return max(c.cleared, c.forgotten[c.slot(name)], c.forgotten[c.slot(flight.user.UserID())]) > flight.began
}

func (c *CachedUsers) slot(id string) uint64 { return maphash.String(c.seed, id) % userSlots }

// fly does the load. It ends at the latest after the timeout, if the loader
// heeds its context.
func (c *CachedUsers) fly(ctx context.Context, id string, flight *userFlight) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Timeout)
	defer cancel()
	flight.err = errors.New("auth: user loader panicked")
	defer func() {
		if r := recover(); r != nil {
			flight.err = fmt.Errorf("auth: user loader panicked: %v", r)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		// Forget takes the flight of its name away, and a later flight takes the place of an earlier one.
		if c.flights[id] == flight {
			delete(c.flights, id)
			if flight.err == nil && !c.forgottenSince(id, flight) {
				c.keep(id, flight.user, flight.until) // from before the load: what it reads may be old when it ends
			}
		}
		close(flight.done)
	}()
	flight.user, flight.err = c.load.Find(ctx, id)
}

// keep stores a user, and makes room first: c.mu is held. It looks at few users, for
// others wait.
func (c *CachedUsers) keep(name string, user User, until time.Time) {
	c.drop(name)
	if len(c.entries) >= c.limits.Max {
		if removed, _ := c.expiry.Purge(time.Now(), c.limits.Max, c.drop); removed == 0 {
			for other := range c.entries { // in random order
				c.drop(other)
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

// drop removes the entry of a name, if there is one: c.mu is held.
func (c *CachedUsers) drop(name string) {
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
	c.drop(id)
	for _, name := range slices.Clone(c.names[id]) {
		c.drop(name)
	}
	delete(c.flights, id)
	c.forgets++
	c.forgotten[c.slot(id)] = c.forgets
}

// ForgetAll drops every user, as Forget does.
func (c *CachedUsers) ForgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
}

// clear is ForgetAll: c.mu is held.
func (c *CachedUsers) clear() {
	clear(c.entries)
	clear(c.names)
	clear(c.flights)
	c.forgets++
	c.cleared = c.forgets
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
	c.clear()
}
