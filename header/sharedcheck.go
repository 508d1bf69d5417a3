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

// sharedChecks are the checks of passwords that are under way. Requests with the same password share one check. The
// zero value is empty.
type sharedChecks struct {
	mu  sync.Mutex
	all map[sharedCheckKey]*sharedCheck
}

// sharedCheckKey is what requests must have in common to share a check. The address and the host
// are part of it, because Check may count failures by the one and tell tenants
// apart by the other.
type sharedCheckKey struct {
	digest [sha256.Size]byte // of username and password, under a key of this process
	addr   netip.Addr
	host   string
}

// sharedCheck is one check. Its outcome is set before done is closed.
type sharedCheck struct {
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
// another request started. The check goes on for as long as a request waits for it.
func (f *sharedChecks) join(
	r *http.Request, key sharedCheckKey, check func(r *http.Request, c *sharedCheck),
) (c *sharedCheck, joined bool, err error) {
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
func (f *sharedChecks) start(r *http.Request, key sharedCheckKey,
	check func(r *http.Request, c *sharedCheck)) *sharedCheck {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	asked := r.Clone(ctx)
	asked.Body = http.NoBody
	c := &sharedCheck{done: make(chan struct{}), cancel: cancel, at: time.Now(), err: errCheckExited}
	if f.all == nil {
		f.all = make(map[sharedCheckKey]*sharedCheck)
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

func (f *sharedChecks) remove(key sharedCheckKey, c *sharedCheck) {
	if f.all[key] == c {
		delete(f.all, key)
	}
}

// checkShared checks a username and password. Requests with the same ones at the same time share the check.
func (b *Basic) checkShared(
	r *http.Request, digest [sha256.Size]byte, username, password string,
) (auth.User, time.Time, error) {
	if b.config.Remember < 0 {
		now := time.Now()
		user, err := b.check(r, username, password)
		return user, now, err
	}
	key := sharedCheckKey{digest, auth.ClientIP(r), hostOf(r)}
	c, joined, err := b.checks.join(r, key, func(r *http.Request, c *sharedCheck) {
		if c.user, c.err = b.check(r, username, password); c.err == nil {
			b.cachePassword(digest, c.user, c.at)
		}
	})
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case c.err != nil || !joined:
		return c.user, c.at, c.err
	}
	return b.checkStillValid(r, c, username, password)
}

// checkStillValid checks a user that another request proved: this request may have come after the password was changed
// or the user disabled. If the user has no stamp, the check of the other request counts.
func (b *Basic) checkStillValid(r *http.Request, c *sharedCheck, username, password string) (auth.User, time.Time,
	error) {
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
