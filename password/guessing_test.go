package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// guesses counts what an attacker learns in an hour by a guess each second.
func guesses(t *testing.T, attacker func(second int) (addr, name string), each func(second int)) (n int) {
	t.Helper()
	l := newLogin(t, nil)
	return guessesAt(t, []*password.Authenticator{l}, attacker, func(second int, _ *password.Authenticator) {
		if each != nil {
			each(second)
		}
	})
}

func guessesAt(
	t *testing.T, instances []*password.Authenticator, attacker func(second int) (addr, name string),
	each func(second int, l *password.Authenticator),
) (n int) {
	t.Helper()
	for second := range 3600 {
		l := instances[second%len(instances)]
		addr, name := attacker(second)
		if _, _, err := l.Authenticate(from(addr, name, "guess")); errors.Is(err, auth.ErrInvalid) {
			n++
		} else if !errors.Is(err, auth.ErrThrottled) {
			t.Fatal(err)
		}
		if each != nil {
			each(second, l)
		}
		time.Sleep(time.Second)
	}
	return n
}

// anywhere is another address each second.
func anywhere(second int) (addr, name string) {
	return fmt.Sprintf("10.0.%d.%d:1", second>>8, second&255), "alice"
}

func TestUnitGuessesInAnHour(t *testing.T) {
	run := func(name string, want int, f func(t *testing.T) int) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := f(t); got != want {
					t.Errorf("%d guesses were let in, want %d", got, want)
				}
			})
		})
	}
	run("at an account from everywhere, while its user is away: 17", 17, func(t *testing.T) int {
		return guesses(t, anywhere, nil)
	})
	run("at an account from everywhere, while its user logs in each minute: 17", 17, func(t *testing.T) int {
		one := []*password.Authenticator{newLogin(t, nil)}
		return guessesAt(t, one, anywhere, func(second int, l *password.Authenticator) {
			if second%60 == 0 {
				if _, _, err := l.Authenticate(from("192.0.2.1:1", "alice", "password")); err != nil && second > 0 {
					t.Fatalf("the user, in second %d: %v", second, err)
				}
			}
		})
	})
	run("at an account from everywhere, while its user logs in elsewhere each minute: 17", 17, func(t *testing.T) int {
		one := []*password.Authenticator{newLogin(t, nil)}
		return guessesAt(t, one, anywhere, func(second int, l *password.Authenticator) {
			if second%60 == 59 {
				_, _, _ = l.Authenticate(from(fmt.Sprintf("192.0.2.%d:1", second/60), "alice", "password"))
			}
		})
	})
	run("from one address at any account: 32", 32, func(t *testing.T) int {
		return guesses(t, func(second int) (string, string) {
			return "198.51.100.1:1", fmt.Sprint("user", second)
		}, nil)
	})
	run("by three instances with one store: 17, too", 17, func(t *testing.T) int {
		store := password.NewMemoryThrottle()
		shared := func(c *password.Config) { c.Throttle = store }
		three := []*password.Authenticator{newLogin(t, shared), newLogin(t, shared), newLogin(t, shared)}
		return guessesAt(t, three, anywhere, nil)
	})
}

// slow has a hash take 30 ms of a fake clock.
func slow(c *password.Config) {
	password.CountWork(c.Hasher, func(string) { time.Sleep(30 * time.Millisecond) })
}

// crowd sends so many logins at once and counts the outcomes by kind.
func crowd(t *testing.T, n int, login func(i int) error) (right, throttled, busy int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			err := login(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				right++
			case errors.Is(err, auth.ErrThrottled):
				throttled++
			case errors.Is(err, password.ErrBusy) && auth.KindOf(err) == nil:
				busy++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	return right, throttled, busy
}

func TestUnitRightPasswordsInParallel(t *testing.T) {
	any := func(c *password.Config) {
		c.Hasher = newHasher(t, password.HasherConfig{Concurrent: 1000})
		c.Account = func(_ context.Context, name string) (auth.User, string, error) { return user(name), cheap, nil }
		slow(c)
	}
	run := func(name string, f func(t *testing.T, l *password.Authenticator)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, newLogin(t, any)) }) })
	}
	login := func(l *password.Authenticator, addr, name, given string) error {
		_, _, err := l.Authenticate(from(addr, name, given))
		return err
	}
	run("12 of one user are all right", func(t *testing.T, l *password.Authenticator) {
		if right, _, _ := crowd(t, 12, func(int) error { return login(l, home, "alice", "password") }); right != 12 {
			t.Errorf("%d were, want 12", right)
		}
	})
	run("of 30 users behind one address all are right", func(t *testing.T, l *password.Authenticator) {
		right, _, _ := crowd(t, 30, func(i int) error { return login(l, home, fmt.Sprint("user", i), "password") })
		if right != 30 {
			t.Errorf("%d were, want 30", right)
		}
	})
	run("after 19 failures of the address they go one by one", func(t *testing.T, l *password.Authenticator) {
		for i := range 19 {
			_ = login(l, home, fmt.Sprint("stranger", i), "guess")
		}
		right, _, _ := crowd(t, 30, func(i int) error { return login(l, home, fmt.Sprint("user", i), "password") })
		if right != 30 {
			t.Errorf("%d were, want 30", right)
		}
	})
	run("of 2,000 at once some wait for too long, and no one is throttled",
		func(t *testing.T, l *password.Authenticator) {
			start := time.Now()
			right, throttled, busy := crowd(t, 2000, func(int) error { return login(l, home, "alice", "password") })
			if throttled != 0 || right+busy != 2000 || right < 500 || busy == 0 {
				t.Errorf("%d right, %d throttled, %d busy", right, throttled, busy)
			}
			if took := time.Since(start); took > 6*time.Second {
				t.Errorf("they took %v, more than MaxWait", took)
			}
			if err := login(l, home, "alice", "password"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	run("who gives up leaves the queue to others", func(t *testing.T, l *password.Authenticator) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var gone, right atomic.Int32
		crowd(t, 12, func(i int) error {
			r := from(home, "alice", "password")
			if i%2 == 0 {
				r = r.WithContext(ctx)
			}
			_, _, err := l.Authenticate(r)
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				gone.Add(1)
				return nil
			case err == nil:
				right.Add(1)
			}
			return err
		})
		if gone.Load() == 0 || gone.Load()+right.Load() != 12 {
			t.Errorf("%d gave up and %d were right", gone.Load(), right.Load())
		}
	})
	run("wrong ones between them are 5", func(t *testing.T, l *password.Authenticator) {
		_ = login(l, home, "alice", "password") // known there
		var wrong atomic.Int32
		crowd(t, 100, func(int) error {
			err := login(l, elsewhere, "alice", "guess")
			if errors.Is(err, auth.ErrInvalid) {
				wrong.Add(1)
				return nil
			}
			return err
		})
		if wrong.Load() != 5 {
			t.Errorf("%d guesses were answered, want 5", wrong.Load())
		}
	})
	t.Run("100 guesses at once at three instances are 5", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := password.NewMemoryThrottle()
			var all [3]*password.Authenticator
			for i := range all {
				all[i] = newLogin(t, func(c *password.Config) { any(c); c.Throttle = store })
			}
			var wrong atomic.Int32
			crowd(t, 100, func(i int) error {
				err := login(all[i%3], fmt.Sprintf("10.0.0.%d:1", i), "alice", "guess")
				if errors.Is(err, auth.ErrInvalid) {
					wrong.Add(1)
					return nil
				}
				return err
			})
			if wrong.Load() != 5 {
				t.Errorf("%d guesses were answered, want 5", wrong.Load())
			}
		})
	})
}

// spellings are names that a finder may take for one user.
func spellings(name string) (all []string) {
	for i := range name {
		wide, letter := string(rune(name[i])-0x21+0xFF01), name[i:i+1]
		for _, other := range []string{wide, letter + "\u0301", letter + "\u200b"} {
			all = append(all, name[:i]+other+name[i+1:])
		}
	}
	for i := range 40 {
		all = append(all, name+strings.Repeat("\u200d", i+1))
	}
	return all[:50]
}

func TestUnitOtherSpellingsOfAName(t *testing.T) {
	names := func(c *password.Config) {
		c.Account = func(_ context.Context, name string) (auth.User, string, error) {
			if strings.HasPrefix(name, "unknown") {
				return nil, "", auth.ErrUserNotFound
			}
			return user("7"), cheap, nil
		}
	}
	t.Run("50 of them let in as many guesses as one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, names)
			for i, name := range spellings("carol") {
				given := "guess"
				if i >= 5 {
					given = "password"
				}
				_, _, err := l.Authenticate(from(fmt.Sprintf("10.0.0.%d:1", i), name, given))
				if auth.KindOf(err) != auth.ErrInvalid {
					t.Fatalf("%d: %v, want the answer to a wrong password", i, err)
				}
				if i >= 5 && !strings.Contains(err.Error(), "account, by the user's identifier, has 5 failed logins") {
					t.Fatalf("%d: the cause is %v", i, err)
				}
			}
			time.Sleep(time.Second)
			if _, _, err := l.Authenticate(from(home, "carol", "password")); err != nil {
				t.Errorf("after the delay: %v", err)
			}
		})
	})
	t.Run("50 at once, too, and at two instances", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := password.NewMemoryThrottle()
			shared := func(c *password.Config) {
				names(c)
				c.Hasher = newHasher(t, password.HasherConfig{Concurrent: 100})
				c.Throttle = store
				slow(c)
			}
			all := [2]*password.Authenticator{newLogin(t, shared), newLogin(t, shared)}
			var judged atomic.Int32
			crowd(t, 50, func(i int) error {
				_, _, err := all[i%2].Authenticate(from(fmt.Sprintf("10.0.0.%d:1", i), spellings("carol")[i], "guess"))
				if errors.Is(err, auth.ErrInvalid) && !strings.Contains(err.Error(), "counter") {
					judged.Add(1)
				}
				if errors.Is(err, auth.ErrInvalid) {
					return nil
				}
				return err
			})
			if judged.Load() != 5 {
				t.Errorf("%d guesses were judged, want 5", judged.Load())
			}
		})
	})
	t.Run("a stranger sees the same of names of no user", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			seen := func(base string) (all []string) {
				store := &rows{ThrottleStore: password.NewMemoryThrottle()}
				work := 0
				l := newLogin(t, func(c *password.Config) {
					names(c)
					c.Throttle = store
					password.CountWork(c.Hasher, func(string) { work++ })
				})
				for round := range 3 {
					for i, name := range spellings(base) {
						_, _, err := l.Authenticate(from(fmt.Sprintf("10.0.%d.%d:1", round, i), name, "guess"))
						all = append(all, fmt.Sprint(auth.KindOf(err), detail(err), wait(err), work, store.asked))
					}
				}
				return all
			}
			known, unknown := seen("carol"), seen("unknown")
			for i := range known {
				if known[i] != unknown[i] {
					t.Fatalf("try %d: %q of a user, %q of no user", i, known[i], unknown[i])
				}
			}
		})
	})
}

// rows counts the counters that are asked for.
type rows struct {
	password.ThrottleStore
	asked int
}

func (s *rows) Update(ctx context.Context, keys []string, now time.Time, change func([]password.Counter)) error {
	s.asked += len(keys)
	return s.ThrottleStore.Update(ctx, keys, now, change)
}

func TestUnitAddressesThatShareACounter(t *testing.T) {
	try := func(l *password.Authenticator, addr string, i int) error {
		_, _, err := l.Authenticate(from(addr, fmt.Sprint("user", i), "guess"))
		return err
	}
	t.Run("the /64 of one /48 share 100 failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, nil)
			for i := range 100 {
				if err := try(l, fmt.Sprintf("[2001:db8:1:%x::1]:1", i), i); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("%d: %v", i, err)
				}
			}
			err := try(l, "[2001:db8:1:ffff::1]:1", 100)
			if wait(err) != time.Second ||
				!strings.Contains(err.Error(), "network (an IPv6 /48) has 100 failed logins") {
				t.Errorf("from another /64: %v", err)
			}
			if err := try(l, "[2001:db8:2::1]:1", 100); !errors.Is(err, auth.ErrInvalid) {
				t.Errorf("from another /48: %v", err)
			}
			time.Sleep(20 * time.Minute) // a third is forgotten
			for i := range 33 {
				if err := try(l, fmt.Sprintf("[2001:db8:1:%x::1]:1", 200+i), 200+i); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("%d after 20 minutes: %v", i, err)
				}
			}
		})
	})
	t.Run("a known address is not asked for its network", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, nil)
			at := "[2001:db8:1:aaaa::1]:1"
			if _, _, err := l.Authenticate(from(at, "alice", "password")); err != nil {
				t.Fatal(err)
			}
			for i := range 105 {
				_ = try(l, fmt.Sprintf("[2001:db8:1:%x::1]:1", i), i)
			}
			if _, _, err := l.Authenticate(from(at, "alice", "password")); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("clients without an address share 100 failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, nil)
			for i := range 100 {
				if err := try(l, []string{"@", ""}[i%2], i); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("%d: %v", i, err)
				}
			}
			err := try(l, "@", 100)
			if wait(err) != time.Second || !strings.Contains(err.Error(), "Unix socket") {
				t.Errorf("got %v, want a wait of a second, and Unix socket in the cause", err)
			}
		})
	})
}

func TestUnitAClockThatWasAheadBlocksNoLongerThanMaxDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := password.NewMemoryThrottle()
		l := newLogin(t, func(c *password.Config) { c.Throttle = &ahead{store, 365 * 24 * time.Hour} })
		for range 30 {
			_, _, _ = l.Authenticate(from(home, "alice", "guess"))
		}
		l = newLogin(t, func(c *password.Config) { c.Throttle = store })
		if _, _, err := l.Authenticate(from(home, "alice", "password")); err != nil {
			t.Errorf("%v, want no block", err)
		}
	})
}

// ahead is a store of a writer with a wrong clock.
type ahead struct {
	password.ThrottleStore
	by time.Duration
}

func (s *ahead) Update(ctx context.Context, keys []string, now time.Time, change func([]password.Counter)) error {
	return s.ThrottleStore.Update(ctx, keys, now, func(counters []password.Counter) {
		shift := func(by time.Duration) {
			for i, c := range counters {
				if c != (password.Counter{}) {
					counters[i].Until, counters[i].ExpiresAt = c.Until.Add(by), c.ExpiresAt.Add(by)
				}
			}
		}
		shift(-s.by)
		change(counters)
		shift(s.by)
	})
}

// readOnly is a store on a full disk.
type readOnly struct{ password.ThrottleStore }

func (s *readOnly) Update(ctx context.Context, keys []string, now time.Time, change func([]password.Counter)) error {
	full := errors.New("disk is full")
	err := s.ThrottleStore.Update(ctx, keys, now, func(counters []password.Counter) {
		before := slices.Clone(counters)
		change(counters)
		for i := range counters {
			if counters[i] == before[i] {
				continue
			}
			copy(counters, before)
			full = fmt.Errorf("write: %w", full)
			return
		}
	})
	if full.Error() != "disk is full" {
		return full
	}
	return err
}

func TestUnitGuessesStayBoundedWhileTheStoreIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := password.NewMemoryThrottle()
		l := newLogin(t, func(c *password.Config) { c.Throttle = store })
		if _, _, err := l.Authenticate(from(home, "alice", "password")); err != nil { // known: a login writes nothing
			t.Fatal(err)
		}
		hashes := 0
		l = newLogin(t, func(c *password.Config) {
			c.Throttle = &readOnly{store}
			c.Limits.MaxWait = time.Second
			password.CountWork(c.Hasher, func(string) { hashes++ })
		})
		for range 20 {
			if _, _, err := l.Authenticate(from(home, "alice", "guess")); err == nil || auth.KindOf(err) != nil {
				t.Fatal(err)
			}
		}
		if hashes != 5 {
			t.Errorf("%d guesses were hashed, want 5", hashes)
		}
		time.Sleep(15 * time.Minute)
		if _, _, err := l.Authenticate(from(home, "alice", "password")); err != nil {
			t.Error(err)
		}
	})
}

func TestUnitMailsOfOneUserAreCountedForAllSpellings(t *testing.T) {
	throttle, err := password.NewMailThrottle(password.MailThrottleConfig{})
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for i, name := range spellings("carol") {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", i)
		if err := throttle.Count(r, name); err != nil {
			t.Fatal(err)
		}
		switch err := throttle.CountUser(t.Context(), "7"); {
		case err == nil:
			sent++
		case wait(err) == 0 || !strings.Contains(err.Error(), "requests for a mail"):
			t.Fatal(err)
		}
	}
	if sent != 3 {
		t.Errorf("%d mails were sent, want 3", sent)
	}
}
