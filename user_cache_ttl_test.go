package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
)

// versioned is a loader of users that are all new: "alice#1", "alice#2", …
func versioned() (auth.UserLoader, *atomic.Int64) {
	var loads atomic.Int64
	return func(_ context.Context, id string) (auth.User, error) {
		return user(fmt.Sprintf("%s#%d", id, loads.Add(1))), nil
	}, &loads
}

func loaded(t *testing.T, c *auth.CachedUsers, id string) string {
	t.Helper()
	u, err := c.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u.UserID()
}

func TestAUserIsKeptForTheTTLAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load, _ := versioned()
		c := auth.CacheUsers(load, auth.UserCache{TTL: time.Minute})
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "a#1"}, {59 * time.Second, "a#1"}, {time.Second - 1, "a#1"}, {1, "a#2"}, {time.Minute, "a#3"}} {
			time.Sleep(step.wait) // of the bubble
			if got := loaded(t, c, "a"); got != step.want {
				t.Errorf("%s, want %s", got, step.want)
			}
		}
	})
}

func TestTheTTLCountsFromTheStartOfTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, _ := versioned()
		c := auth.CacheUsers(func(ctx context.Context, id string) (auth.User, error) {
			u, err := next(ctx, id) // read now, delivered late
			time.Sleep(8 * time.Second)
			return u, err
		}, auth.UserCache{TTL: 10 * time.Second})
		if got := loaded(t, c, "a"); got != "a#1" {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		if got := loaded(t, c, "a"); got != "a#2" {
			t.Errorf("%s: a user read 10 s ago stays in", got)
		}
	})
}

func TestWithoutATTLNothingIsKept(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Second} {
		load, loads := versioned()
		c := auth.CacheUsers(load, auth.UserCache{TTL: ttl})
		loaded(t, c, "a")
		loaded(t, c, "a")
		if loads.Load() != 2 {
			t.Errorf("TTL %v: %d loads", ttl, loads.Load())
		}
	}
}

func TestForgetDropsOneUser(t *testing.T) {
	load, _ := versioned()
	c := auth.CacheUsers(load, auth.UserCache{TTL: time.Hour})
	a, b := loaded(t, c, "a"), loaded(t, c, "b")
	c.Forget("a")
	if loaded(t, c, "a") == a || loaded(t, c, "b") != b {
		t.Error("not this one alone")
	}
}

func TestForgetDuringALoadBringsNoOldUserBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		release := make(chan struct{})
		c := auth.CacheUsers(func(context.Context, string) (auth.User, error) {
			if calls.Add(1) == 1 {
				<-release // it has read the row, and the row changes now
				return user("old"), nil
			}
			return user("new"), nil
		}, auth.UserCache{TTL: time.Hour})
		first := make(chan string)
		go func() {
			u, _ := c.Load(t.Context(), "a")
			first <- u.UserID()
		}()
		synctest.Wait()
		c.Forget("a")
		if got := loaded(t, c, "a"); got != "new" {
			t.Errorf("%s right after Forget", got)
		}
		close(release)
		<-first
		synctest.Wait()
		if got := loaded(t, c, "a"); got != "new" {
			t.Errorf("%s came back", got)
		}
	})
}

func TestConcurrentMissesAreOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		next, loads := versioned()
		c := auth.CacheUsers(func(ctx context.Context, id string) (auth.User, error) {
			<-release
			return next(ctx, id)
		}, auth.UserCache{TTL: time.Hour})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := loaded(t, c, "a"); got != "a#1" {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads", loads.Load())
		}
	})
}

func TestAClientThatGoesAwayFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := auth.CacheUsers(func(ctx context.Context, id string) (auth.User, error) {
			select {
			case <-release:
				return user(id), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, auth.UserCache{TTL: time.Hour})
		leader, leave := context.WithCancel(t.Context())
		gone, stayed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := c.Load(leader, "a"); gone <- err }()
		synctest.Wait()
		go func() { _, err := c.Load(t.Context(), "a"); stayed <- err }()
		synctest.Wait()
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
		close(release)
		if err := <-stayed; err != nil {
			t.Errorf("the one who stayed: %v", err)
		}
	})
}

func TestALoadEndsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := auth.CacheUsers(func(ctx context.Context, _ string) (auth.User, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, auth.UserCache{TTL: time.Hour})
		start := time.Now()
		_, err := c.Load(t.Context(), "a")
		if !errors.Is(err, context.DeadlineExceeded) || auth.KindOf(err) != nil {
			t.Errorf("%v, want an outage", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %v, want the 10 s of the default", took)
		}
	})
}

func TestErrorsAndPanicsAreNotKept(t *testing.T) {
	var calls int
	c := auth.CacheUsers(func(_ context.Context, id string) (auth.User, error) {
		switch calls++; calls {
		case 1:
			return nil, errors.New("down")
		case 2:
			return nil, auth.ErrUserInactive
		case 3:
			panic("nil map")
		}
		return user(id), nil
	}, auth.UserCache{TTL: time.Hour})
	if _, err := c.Load(t.Context(), "a"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("an outage became %v", err)
	}
	if _, err := c.Load(t.Context(), "a"); !errors.Is(err, auth.ErrUserInactive) {
		t.Errorf("an inactive user became %v", err)
	}
	if _, err := c.Load(t.Context(), "a"); err == nil || auth.KindOf(err) != nil ||
		!strings.Contains(err.Error(), "nil map") {
		t.Errorf("a panic became %v", err)
	}
	if got := loaded(t, c, "a"); got != "a" {
		t.Error(got)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load, loads := versioned()
		c := auth.CacheUsers(load, auth.UserCache{TTL: time.Minute, Max: 3})
		for i := range 50 {
			loaded(t, c, fmt.Sprint("u", i))
		}
		before := loads.Load()
		for i := range 50 {
			loaded(t, c, fmt.Sprint("u", i))
		}
		if kept := 50 - (loads.Load() - before); kept > 3 {
			t.Errorf("%d users kept", kept)
		}
		// Expired users make room before others do.
		c = auth.CacheUsers(load, auth.UserCache{TTL: time.Minute, Max: 3})
		loaded(t, c, "old1")
		loaded(t, c, "old2")
		time.Sleep(59 * time.Second)
		young := loaded(t, c, "young")
		time.Sleep(time.Second)
		loaded(t, c, "new")
		if loaded(t, c, "young") != young {
			t.Error("a good user left before an expired one")
		}
	})
}

func TestUnitUserCacheThatIsFull(t *testing.T) {
	t.Run("it makes room without a look at every user, for others wait meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const users = 2_000
			load, _ := versioned()
			c := auth.CacheUsers(load, auth.UserCache{TTL: time.Minute, Max: users})
			for i := range 2 * users {
				loaded(t, c, fmt.Sprint("u", i))
			}
			time.Sleep(time.Minute)
			for i := range users {
				loaded(t, c, fmt.Sprint("v", i))
			}
			if looked := c.Looked(); looked > 8*users {
				t.Errorf("got looks at %d users while %d came, want a few each", looked, 3*users)
			}
		})
	})
}

func TestCachedUsersAreSafeForConcurrentUse(t *testing.T) {
	load, _ := versioned()
	c := auth.CacheUsers(load, auth.UserCache{TTL: time.Millisecond, Max: 4})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprint("u", (worker+i)%6)
				if got := loaded(t, c, id); !strings.HasPrefix(got, id+"#") {
					t.Errorf("%s for %s", got, id)
				}
				if i%7 == 0 {
					c.Forget(id)
				}
			}
		})
	}
	wg.Wait()
}
