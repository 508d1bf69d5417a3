package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryThrottle(t *testing.T) {
	storetest.Throttle(t, func(*testing.T) password.ThrottleStore { return password.NewMemoryThrottle() })
}

// from returns a login of username at an address.
func from(addr, username, given string) *http.Request {
	r := byBasic(username, given)
	r.RemoteAddr = addr
	return r
}

// throttled runs f with a Login and a clock that only sleeping moves on.
func throttled(t *testing.T, name string, f func(t *testing.T, login func(addr, username, given string) error,
	hashes *int)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			hashes := 0
			l := newLogin(t, func(c *password.Config) {
				password.CountWork(c.Hasher, func(string) { mu.Lock(); hashes++; mu.Unlock() })
			})
			f(t, func(addr, username, given string) error {
				_, _, err := l.Authenticate(from(addr, username, given))
				return err
			}, &hashes)
		})
	})
}

// wait returns how long a throttled login is to wait, 0 if it is not.
func wait(err error) time.Duration {
	var stated *auth.Error
	if errors.Is(err, auth.ErrThrottled) && errors.As(err, &stated) {
		return stated.RetryAfter
	}
	return 0
}

const home, elsewhere = "192.0.2.1:1234", "198.51.100.7:1234"

func TestGuessingIsSlowedDown(t *testing.T) {
	type login = func(addr, username, given string) error
	throttled(t, "the delay of an account doubles after 5 failures, up to 15 minutes",
		func(t *testing.T, login login, hashes *int) {
			for i := range 4 {
				if err := login(home, "alice", "wrong"); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("try %d: %v", i, err)
				}
			}
			for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
				want *= time.Second
				if err := login(home, "alice", "wrong"); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("before the delay of %v: %v", want, err)
				}
				before := *hashes
				err := login(home, "alice", "password") // even the right one
				if wait(err) != want || *hashes != before {
					t.Fatalf("%v, want a delay of %v and no hash", err, want)
				}
				time.Sleep(want)
			}
			if err := login(home, "alice", "password"); err != nil {
				t.Error(err)
			}
		})
	throttled(t, "unknown users are slowed down like known ones, in any case of letters",
		func(t *testing.T, login login, _ *int) {
			for _, name := range []string{"nobody", "NOBODY", "Nobody ", "noBody", "nobodY"} {
				_ = login(elsewhere, name, "wrong")
			}
			if err := login(home, "nobody", "wrong"); wait(err) != time.Second {
				t.Error(err)
			}
		})
	throttled(t, "an address is slowed down after 20 failures, whatever the accounts",
		func(t *testing.T, login login, _ *int) {
			for i := range 20 {
				if err := login(fmt.Sprintf("[2001:db8:1:2::%x]:1", i), fmt.Sprint("user", i), "wrong"); !errors.Is(
					err, auth.ErrInvalid) {
					t.Fatal(err)
				}
			}
			if err := login("[2001:db8:1:2:ffff::1]:1", "alice", "password"); wait(err) != time.Second {
				t.Errorf("from the same /64: %v", err)
			}
			if err := login("[2001:db8:1:3::1]:1", "alice", "password"); err != nil {
				t.Errorf("from the next /64: %v", err)
			}
		})
	throttled(t, "an account of one's own does not clear the address", func(t *testing.T, login login, _ *int) {
		for i := range 20 {
			_ = login(home, fmt.Sprint("user", i), "wrong")
			if err := login(home, "alice", "password"); (err == nil) != (i < 19) {
				t.Fatalf("after %d: %v", i+1, err)
			}
		}
		time.Sleep(time.Second)
		if err := login(home, "alice", "password"); err != nil {
			t.Fatal(err)
		}
		_ = login(home, "user", "wrong")
		if err := login(home, "alice", "password"); wait(err) != 2*time.Second {
			t.Error(err)
		}
	})
	throttled(t, "failures are forgotten after an hour without one", func(t *testing.T, login login, _ *int) {
		for range 4 {
			_ = login(home, "alice", "wrong")
		}
		time.Sleep(time.Hour)
		for i := range 4 {
			if err := login(home, "alice", "wrong"); wait(err) != 0 {
				t.Fatalf("try %d: %v", i, err)
			}
		}
	})
	throttled(t, "a login forgets the account's failures", func(t *testing.T, login login, _ *int) {
		for i := range 12 {
			given := "wrong"
			if i%4 == 3 {
				given = "password"
			}
			if err := login(home, "alice", given); wait(err) != 0 {
				t.Fatalf("try %d: %v", i, err)
			}
		}
	})
	throttled(t, "nobody elsewhere can lock a user out of an address they logged in from",
		func(t *testing.T, login login, _ *int) {
			if err := login(home, "alice", "password"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(29 * 24 * time.Hour)
			for range 5 {
				_ = login(elsewhere, "alice", "wrong")
			}
			if err := login("203.0.113.9:1", "alice", "password"); wait(err) == 0 {
				t.Errorf("from an unknown address: %v", err)
			}
			for range 4 {
				if err := login(home, "alice", "wrong"); wait(err) != 0 {
					t.Errorf("a slip at home: %v", err)
				}
			}
			if err := login(home, "alice", "password"); err != nil {
				t.Errorf("at home: %v", err)
			}
			for range 5 {
				_ = login(home, "alice", "wrong")
			}
			if err := login(home, "alice", "password"); wait(err) != time.Second {
				t.Errorf("guessing at home: %v", err)
			}
			time.Sleep(31 * 24 * time.Hour)
			for range 5 {
				_ = login(elsewhere, "alice", "wrong")
			}
			if err := login(home, "alice", "password"); wait(err) != time.Second {
				t.Errorf("after a month away: %v", err)
			}
		})
	throttled(t, "100 guesses at once are 5", func(t *testing.T, login login, hashes *int) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { _ = login(home, "alice", "wrong") })
		}
		all.Wait()
		if *hashes != 5 {
			t.Errorf("%d were hashed", *hashes)
		}
	})
}

// A guard answers a throttled login with 429.
func TestTooManyTriesAre429(t *testing.T) {
	l := newLogin(t, nil)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{l}})
	if err != nil {
		t.Fatal(err)
	}
	var w *httptest.ResponseRecorder
	for range 6 {
		w = httptest.NewRecorder()
		guard.Require()(http.NotFoundHandler()).ServeHTTP(w, from(home, "alice", "wrong"))
	}
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d %v, want 429 with Retry-After 1", w.Code, w.Header())
	}
}

func TestABusyHasherCountsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, password.HasherConfig{Concurrent: 1, MaxWait: time.Millisecond})
		l := newLogin(t, func(c *password.Config) { c.Hasher = h })
		release := password.Occupy(h)
		for range 50 {
			if _, _, err := l.Authenticate(byBasic("alice", "wrong")); !errors.Is(err, password.ErrBusy) ||
				auth.KindOf(err) != nil {
				t.Fatal(err)
			}
		}
		release()
		if _, _, err := l.Authenticate(byBasic("alice", "password")); err != nil {
			t.Error(err)
		}
	})
}

// down is a store that fails from its nth Update on.
type down struct {
	password.ThrottleStore
	n int
}

func (d *down) Update(ctx context.Context, keys []string, now time.Time, change func([]password.Counter)) error {
	if d.n--; d.n < 0 {
		return fmt.Errorf("store: %w", auth.ErrNoCredentials)
	}
	return d.ThrottleStore.Update(ctx, keys, now, change)
}

func TestAThrottleStoreThatIsDown(t *testing.T) {
	login := func(n int) (int, error) {
		hashes := 0
		l := newLogin(t, func(c *password.Config) {
			c.Throttle = &down{password.NewMemoryThrottle(), n}
			password.CountWork(c.Hasher, func(string) { hashes++ })
		})
		_, _, err := l.Authenticate(byBasic("alice", "password"))
		return hashes, err
	}
	if hashes, err := login(0); err == nil || auth.KindOf(err) != nil || errors.Is(err, auth.ErrNoCredentials) ||
		hashes != 0 {
		t.Errorf("before the hash: %v after %d hashes, want an outage", err, hashes)
	}
	// Or guessing would be free while the store can be read and not written.
	if _, err := login(1); err == nil || auth.KindOf(err) != nil || errors.Is(err, auth.ErrNoCredentials) {
		t.Errorf("after the hash: %v, want an outage", err)
	}
}

func TestAClientWithoutAnAddressIsCountedByAccount(t *testing.T) {
	l := newLogin(t, nil)
	var err error
	for i := range 30 { // no shared address that could be blocked for all
		if _, _, err = l.Authenticate(from("@", fmt.Sprint("user", i), "wrong")); !errors.Is(err, auth.ErrInvalid) {
			t.Fatal(err)
		}
	}
	for range 6 {
		_, _, err = l.Authenticate(from("@", "alice", "wrong"))
	}
	if wait(err) == 0 {
		t.Error(err)
	}
}

func TestMemoryThrottleIsBounded(t *testing.T) {
	s := password.SmallMemoryThrottle(10)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	count := func(key string) (failures int) {
		err := s.Update(t.Context(), []string{key}, now, func(c []password.Counter) {
			failures = c[0].Failures
			c[0].Failures++
			c[0].ExpiresAt = now.Add(time.Hour)
		})
		if err != nil {
			t.Error(err)
		}
		return failures
	}
	for range 8 {
		count("attacked")
	}
	for i := range 1000 {
		count(fmt.Sprint("flood", i))
	}
	if got := count("attacked"); got != 8 {
		t.Errorf("a flood left the name under attack %d failures of 8", got)
	}
	if n, _ := s.Purge(t.Context(), now.Add(time.Hour), 0); n > 10 {
		t.Errorf("%d counters in room for 10", n)
	}
}
