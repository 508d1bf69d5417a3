package auth_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
)

// directory is a loader that knows users by several names. It returns auth.ErrUserInactive for a user that is off.
type directory struct {
	ids map[string]string // by name
	off map[string]bool   // by UserID
}

func (d *directory) load(_ context.Context, name string) (auth.User, error) {
	id, ok := d.ids[name]
	switch {
	case !ok:
		return nil, auth.ErrUserNotFound
	case d.off[id]:
		return nil, auth.ErrUserInactive
	}
	return user(id), nil
}

func TestUnitForgetDropsAUserThatWasLoadedByAnotherName(t *testing.T) {
	open := func(t *testing.T, limits auth.UserCache, names ...string) (*directory, *auth.CachedUsers) {
		d := &directory{map[string]string{"alice@example.com": "42", "CN=alice": "42", "42": "42",
			"bob@example.com": "43"},
			map[string]bool{}}
		c := auth.CacheUsers(d.load, limits)
		for _, name := range names {
			loaded(t, c, name)
		}
		return d, c
	}
	hour := auth.UserCache{TTL: time.Hour}
	in := func(t *testing.T, c *auth.CachedUsers, name string, want bool) {
		t.Helper()
		if u, err := c.Load(t.Context(), name); (err == nil) != want {
			t.Errorf("got %v, %v for %s, want that the user is in: %v", u, err, name, want)
		}
	}
	t.Run("by the UserID, under each of the names", func(t *testing.T) {
		names := []string{"alice@example.com", "CN=alice", "42", "bob@example.com"}
		d, c := open(t, hour, names...)
		d.off["42"], d.off["43"] = true, true
		for _, name := range names {
			in(t, c, name, true) // the cache says so
		}
		c.Forget("42")
		for i, name := range names {
			in(t, c, name, i == 3)
		}
	})
	t.Run("by one name, and the other names stay", func(t *testing.T) {
		d, c := open(t, hour, "alice@example.com", "CN=alice")
		d.off["42"] = true
		c.Forget("CN=alice")
		in(t, c, "CN=alice", false)
		in(t, c, "alice@example.com", true)
		c.Forget("42")
		in(t, c, "alice@example.com", false)
	})
	t.Run("and the one that has a name by now", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, c := open(t, hour, "alice@example.com")
			d.ids["alice@example.com"] = "44" // the address was given to another person
			time.Sleep(time.Hour)
			loaded(t, c, "alice@example.com")
			d.off["44"] = true
			c.Forget("42")
			in(t, c, "alice@example.com", true)
			c.Forget("44")
			in(t, c, "alice@example.com", false)
		})
	})
	t.Run("after the cache was full", func(t *testing.T) {
		d, c := open(t, auth.UserCache{TTL: time.Hour, Max: 3})
		for i := range 50 {
			name := fmt.Sprint("name ", i)
			d.ids[name] = fmt.Sprint(i % 5)
			loaded(t, c, name)
		}
		for i := range 5 {
			d.off[fmt.Sprint(i)] = true
			c.Forget(fmt.Sprint(i))
		}
		for i := range 50 {
			in(t, c, fmt.Sprint("name ", i), false)
		}
	})
	t.Run("also while it is loaded by that name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _ := open(t, hour)
			release, first := make(chan struct{}), true
			c := auth.CacheUsers(func(ctx context.Context, name string) (auth.User, error) {
				u, err := d.load(ctx, name)
				if first {
					first = false
					<-release // it has read the row, and the user is disabled now
				}
				return u, err
			}, hour)
			done := make(chan struct{})
			go func() {
				_, _ = c.Load(t.Context(), "alice@example.com")
				close(done)
			}()
			synctest.Wait()
			d.off["42"] = true
			c.Forget("42")
			for range 3 { // requests that wait for the load
				go in(t, c, "alice@example.com", false)
			}
			synctest.Wait()
			close(release)
			<-done
			synctest.Wait()
			in(t, c, "alice@example.com", false)
		})
	})
	t.Run("also a refusal, by requests that wait for its load", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _ := open(t, hour)
			d.off["42"] = true
			release, loads := make(chan struct{}), 0
			c := auth.CacheUsers(func(ctx context.Context, name string) (auth.User, error) {
				u, err := d.load(ctx, name)
				if loads++; loads == 1 {
					<-release
				}
				return u, err
			}, hour)
			go in(t, c, "alice@example.com", false)
			synctest.Wait()
			d.off["42"] = false
			c.Forget("42")
			for range 3 {
				go in(t, c, "alice@example.com", true)
			}
			synctest.Wait()
			close(release)
			synctest.Wait()
			if loads != 2 {
				t.Errorf("got %d loads, want one before Forget and one for all requests after it", loads)
			}
		})
	})
}

func TestUnitALoadIsKeptWhileOtherUsersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var loads atomic.Int64
		c := auth.CacheUsers(func(_ context.Context, name string) (auth.User, error) {
			loads.Add(1)
			time.Sleep(20 * time.Millisecond)
			return user(name), nil
		}, auth.UserCache{TTL: time.Hour})
		const users = 50
		for range 3 {
			for i := range users {
				go func() { _, _ = c.Load(t.Context(), fmt.Sprint("user ", i)) }()
			}
			synctest.Wait()
			c.Forget("mallory")
			time.Sleep(time.Second)
		}
		// A few may share the slot of mallory, each with a probability of 1 in 4096.
		if got := loads.Load(); got > users+6 {
			t.Errorf("got %d loads of %d users, want that each is loaded once", got, users)
		}
	})
}

func TestUnitARequestWaitsForNoLoadThatBeganBeforeTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{map[string]string{"alice": "alice"}, map[string]bool{}}
		c := auth.CacheUsers(func(ctx context.Context, name string) (auth.User, error) {
			u, err := d.load(ctx, name) // it has read the row
			time.Sleep(4 * time.Second)
			return u, err
		}, auth.UserCache{TTL: time.Second})
		go func() { _, _ = c.Load(t.Context(), "alice") }()
		synctest.Wait()
		d.off["alice"] = true
		time.Sleep(time.Second)
		if u, err := c.Load(t.Context(), "alice"); err == nil {
			t.Errorf("got %v, as the row was a TTL before the request began", u)
		}
	})
}

func TestUnitForgetAllDropsEveryUser(t *testing.T) {
	d := &directory{map[string]string{"alice@example.com": "42", "bob": "bob"}, map[string]bool{}}
	c := auth.CacheUsers(d.load, auth.UserCache{TTL: time.Hour})
	names := []string{"alice@example.com", "bob"}
	for _, name := range names {
		loaded(t, c, name)
	}
	d.off["42"], d.off["bob"] = true, true
	c.ForgetAll()
	for _, name := range names {
		if u, err := c.Load(t.Context(), name); err == nil {
			t.Errorf("got %v for %s, want the answer of now", u, name)
		}
	}
}

func TestUnitASuspendedCacheOfUsersAsksEachTime(t *testing.T) {
	open := func(t *testing.T) (*directory, *auth.CachedUsers) {
		d := &directory{map[string]string{"alice": "alice"}, map[string]bool{}}
		c := auth.CacheUsers(d.load, auth.UserCache{TTL: time.Hour})
		loaded(t, c, "alice")
		return d, c
	}
	in := func(t *testing.T, c *auth.CachedUsers, want bool) {
		t.Helper()
		if u, err := c.Load(t.Context(), "alice"); (err == nil) != want {
			t.Errorf("got %v, %v, want that the user is in: %v", u, err, want)
		}
	}
	t.Run("and believes nothing of before when it is resumed", func(t *testing.T) {
		d, c := open(t)
		resume := c.Suspend()
		d.off["alice"] = true
		in(t, c, false)
		d.off["alice"] = false
		in(t, c, true)
		d.off["alice"] = true
		in(t, c, false)
		resume()
		in(t, c, false)
		d.off["alice"] = false
		in(t, c, true)
		d.off["alice"] = true
		in(t, c, true) // it caches again
	})
	t.Run("until each suspension is over, however often one is resumed", func(t *testing.T) {
		d, c := open(t)
		first, second := c.Suspend(), c.Suspend()
		first()
		first()
		in(t, c, true)
		d.off["alice"] = true
		in(t, c, false)
		second()
		d.off["alice"] = false
		in(t, c, true)
		d.off["alice"] = true
		in(t, c, true)
	})
	t.Run("also a user that was being loaded when it began", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, _ := open(t)
			release, first := make(chan struct{}), true
			c := auth.CacheUsers(func(ctx context.Context, name string) (auth.User, error) {
				u, err := d.load(ctx, name)
				if first {
					first = false
					<-release // it has read the row
				}
				return u, err
			}, auth.UserCache{TTL: time.Hour})
			go func() { _, _ = c.Load(t.Context(), "alice") }()
			synctest.Wait()
			d.off["alice"] = true
			resume := c.Suspend()
			resume()
			close(release)
			synctest.Wait()
			in(t, c, false)
		})
	})
}
