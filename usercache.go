package auth

import (
	"context"
	"errors"
	"fmt"
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
}

type cachedUser struct {
	user  User
	id    string // its UserID
	until time.Time
}

// userFlight is one load in progress that several requests may wait for.
type userFlight struct {
	done  chan struct{}
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
		flights: make(map[string]*userFlight)}
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

	c.mu.Lock()
	if c.suspended > 0 {
		c.mu.Unlock()
		return c.load.Find(ctx, id)
	}
	if entry, ok := c.entries[id]; ok && now.Before(entry.until) { // since we looked
		c.mu.Unlock()
		return entry.user, nil
	}
	flight, ok := c.flights[id]
	if !ok || !now.Before(flight.until) { // what an earlier load read is too old by now
		flight = &userFlight{done: make(chan struct{}), until: now.Add(c.limits.TTL)}
		c.flights[id] = flight
		go c.fly(context.WithoutCancel(ctx), id, flight)
	}
	c.mu.Unlock()

	select {
	case <-flight.done:
		return flight.user, flight.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

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
		// Forget takes the flight away: what it brings may be old already.
		if c.flights[id] == flight {
			delete(c.flights, id)
			if flight.err == nil {
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
// under way when Forget was called. Which user that one brings is not known, so loads that
// are under way keep nothing, and later requests do not wait for them.
func (c *CachedUsers) Forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(id)
	for _, name := range slices.Clone(c.names[id]) {
		c.drop(name)
	}
	clear(c.flights)
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
}

// Suspend drops every user, and keeps none until resume is called: each Load asks the
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
