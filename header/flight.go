package header

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gatewarden/auth"
)

// flights are the checks of passwords that are under way. Requests that wait for the same
// check share it. The zero value is empty.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight
}

// flightKey is what requests must have in common to share a check. The address and the host
// are part of it, because Check may count failures by the one and tell tenants
// apart by the other.
type flightKey struct {
	digest [sha256.Size]byte // of username and password, under a key of this process
	addr   netip.Addr
	host   string
}

// flight is one check. Its outcome is set before done is closed.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int

	user     auth.User
	at       time.Time // before the check, so that a password changed meanwhile is not newer
	err      error
	panicked any
}

var errCheckExited = errors.New("header: BasicConfig.Check ended its goroutine")

// join waits for the check of key, and starts it if it is not under way. joined reports a check that
// another request started. The check goes on for as long as anybody waits for it.
func (f *flights) join(
	r *http.Request, key flightKey, check func(r *http.Request, c *flight),
) (c *flight, joined bool, err error) {
	f.mu.Lock()
	c, joined = f.all[key]
	if !joined {
		c = f.start(r, key, check)
	}
	c.waiting++
	f.mu.Unlock()
	select {
	case <-c.done:
	case <-r.Context().Done():
		f.mu.Lock()
		if c.waiting--; c.waiting == 0 {
			c.cancel()
			f.remove(key, c) // or the next request would wait for a check that was ended
		}
		f.mu.Unlock()
		return nil, joined, &auth.Error{Cause: r.Context().Err()}
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c, joined, nil
}

// start runs a check with a request of its own, which outlives r.
func (f *flights) start(r *http.Request, key flightKey, check func(r *http.Request, c *flight)) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	asked := r.Clone(ctx)
	asked.Body = http.NoBody
	c := &flight{done: make(chan struct{}), cancel: cancel, at: time.Now(), err: errCheckExited}
	if f.all == nil {
		f.all = make(map[flightKey]*flight)
	}
	f.all[key] = c
	go func() {
		defer func() {
			c.panicked = recover() // the requests panic in its place
			cancel()
			f.mu.Lock()
			f.remove(key, c)
			f.mu.Unlock()
			close(c.done)
		}()
		check(asked, c)
	}()
	return c
}

func (f *flights) remove(key flightKey, c *flight) {
	if f.all[key] == c {
		delete(f.all, key)
	}
}

// shared checks a username and password, together with the requests that wait for the same.
func (b *Basic) shared(
	r *http.Request, digest [sha256.Size]byte, username, password string,
) (auth.User, time.Time, error) {
	if b.config.Remember < 0 {
		now := time.Now()
		user, err := b.check(r, username, password)
		return user, now, err
	}
	key := flightKey{digest, auth.ClientIP(r), hostOf(r)}
	c, joined, err := b.flights.join(r, key, func(r *http.Request, c *flight) {
		if c.user, c.err = b.check(r, username, password); c.err == nil {
			b.remember(digest, c.user, c.at)
		}
	})
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case c.err != nil || !joined:
		return c.user, c.at, c.err
	}
	return b.confirm(r, c, username, password)
}

// confirm judges a user that another request proved: this one may have come after the
// password was changed or the user disabled. A user without a stamp is taken as proved.
func (b *Basic) confirm(r *http.Request, c *flight, username, password string) (auth.User, time.Time, error) {
	stamp, ok := stampOf(c.user)
	if !ok {
		return c.user, c.at, nil
	}
	user, err := b.load(r.Context(), c.user.UserID())
	if err != nil {
		return nil, time.Time{}, err
	}
	if now, ok := stampOf(user); ok && now == stamp {
		return user, c.at, nil
	}
	now := time.Now()
	user, err = b.check(r, username, password)
	return user, now, err
}
