package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// Throttle checks a [password.ThrottleStore].
func Throttle(t *testing.T, open func(t *testing.T) password.ThrottleStore) {
	hour := noon.Add(time.Hour)
	t.Run("a counter is read as it was written", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		want := []password.Counter{
			{Failures: 3, Until: noon.Add(1500 * time.Millisecond), ExpiresAt: hour},
			{Failures: 1, ExpiresAt: noon.Add(time.Microsecond)},
			{ExpiresAt: noon.Add(30 * 24 * time.Hour)},
		}
		s.write(noon, want, "a", "b", "c")
		for i, key := range []string{"a", "b", "c"} {
			s.expect(noon, key, want[i])
		}
		// In the order of the keys, whatever order they were written in.
		s.update(noon, func(counters []password.Counter) {
			for i, j := range []int{2, 0, 1} {
				if !same(counters[i], want[j]) {
					t.Errorf("counter %d is %+v, want %+v", i, counters[i], want[j])
				}
			}
		}, "c", "a", "b")
	})
	t.Run("a key nothing is known of has the zero counter", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: hour}}, "a")
		s.update(noon, func(counters []password.Counter) {
			if len(counters) != 2 || counters[0] != (password.Counter{}) || counters[1].Failures != 1 {
				t.Errorf("%+v", counters)
			}
		}, "b", "a")
	})
	t.Run("a zero counter deletes, and one that stays zero adds nothing", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: hour}, {Failures: 2, ExpiresAt: hour}}, "a", "b")
		s.write(noon, []password.Counter{{}, {}}, "a", "c")
		s.expect(noon, "a", password.Counter{})
		s.expect(noon, "b", password.Counter{Failures: 2, ExpiresAt: hour})
		if n := s.purge(hour, 0); n != 1 {
			t.Errorf("%d rows were there, want 1", n)
		}
	})
	t.Run("a counter is there until the instant it expires", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		c := password.Counter{Failures: 7, Until: hour.Add(time.Hour), ExpiresAt: hour}
		s.write(noon, []password.Counter{c}, "a")
		s.expect(hour.Add(-time.Microsecond), "a", c)
		s.expect(hour, "a", password.Counter{})
		again := password.Counter{Failures: 1, ExpiresAt: hour.Add(time.Hour)}
		s.write(hour, []password.Counter{again}, "a")
		s.expect(hour, "a", again)
	})
	t.Run("an expired counter that stays zero is gone or left to Purge", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		s.write(noon, []password.Counter{{Failures: 7, ExpiresAt: hour}}, "a")
		s.update(hour, func([]password.Counter) {}, "a")
		s.expect(hour, "a", password.Counter{})
	})
	t.Run("long keys are told apart to the last character", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		one, two := fmt.Sprintf("%064d", 1), fmt.Sprintf("%064d", 2)
		s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: hour}, {Failures: 2, ExpiresAt: hour}}, one, two)
		s.expect(noon, one, password.Counter{Failures: 1, ExpiresAt: hour})
		s.expect(noon, two, password.Counter{Failures: 2, ExpiresAt: hour})
	})
	t.Run("of 32 at once each sees what the others wrote", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		parallel(32, func(i int) {
			// Shared keys in opposite orders must not lock each other out.
			keys := []string{"a", "b", fmt.Sprint("own", i)}
			if i%2 == 0 {
				keys[0], keys[1] = keys[1], keys[0]
			}
			err := s.Update(t.Context(), keys, noon, func(counters []password.Counter) {
				for i := range counters {
					counters[i].Failures++
					counters[i].ExpiresAt = hour
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
		s.expect(noon, "a", password.Counter{Failures: 32, ExpiresAt: hour})
		s.expect(noon, "b", password.Counter{Failures: 32, ExpiresAt: hour})
		s.expect(noon, "own7", password.Counter{Failures: 1, ExpiresAt: hour})
	})
	t.Run("of 32 at once as many pass a limit as it allows", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		passed := make(chan bool, 32)
		parallel(32, func(int) {
			var pass bool
			err := s.Update(t.Context(), []string{"a"}, noon, func(counters []password.Counter) {
				if pass = counters[0].Failures < 5; pass {
					counters[0].Failures++
					counters[0].ExpiresAt = hour
				}
			})
			if err != nil {
				t.Error(err)
			}
			passed <- pass
		})
		n := 0
		for range 32 {
			if <-passed {
				n++
			}
		}
		if n != 5 {
			t.Errorf("%d passed, want 5", n)
		}
	})
	t.Run("Purge deletes what is expired, at most limit, and counts it", func(t *testing.T) {
		s := throttleStore{t, open(t)}
		for i := range 5 {
			s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: noon.Add(time.Minute)}}, fmt.Sprint("old", i))
		}
		s.write(noon, []password.Counter{{ExpiresAt: hour}}, "new")
		now := noon.Add(time.Minute)
		for i, want := range []int{2, 2, 1, 0} {
			if got := s.purge(now, 2); got != want {
				t.Errorf("batch %d: %d, want %d", i, got, want)
			}
		}
		s.expect(now, "new", password.Counter{ExpiresAt: hour})
		if got := s.purge(hour, 0); got != 1 {
			t.Errorf("without limit: %d, want 1", got)
		}
	})
	t.Run("an error means that nothing was written", func(t *testing.T) {
		// A store that heeds its context fails here, one in memory may not.
		s := throttleStore{t, open(t)}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := password.Counter{Failures: 1, ExpiresAt: hour}
		err := s.Update(ctx, []string{"a"}, noon, func(counters []password.Counter) { counters[0] = c })
		if err == nil {
			s.expect(noon, "a", c)
			return
		}
		s.expect(noon, "a", password.Counter{})
	})
}

// throttleStore is a store with the test that uses it.
type throttleStore struct {
	t *testing.T
	password.ThrottleStore
}

func (s throttleStore) update(now time.Time, change func([]password.Counter), keys ...string) {
	s.t.Helper()
	if err := s.Update(s.t.Context(), keys, now, change); err != nil {
		s.t.Fatalf("Update: %v", err)
	}
}

func (s throttleStore) write(now time.Time, counters []password.Counter, keys ...string) {
	s.t.Helper()
	s.update(now, func(to []password.Counter) { copy(to, counters) }, keys...)
}

func (s throttleStore) expect(now time.Time, key string, want password.Counter) {
	s.t.Helper()
	s.update(now, func(counters []password.Counter) {
		if got := counters[0]; !same(got, want) {
			s.t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}, key)
}

func (s throttleStore) purge(now time.Time, limit int) int {
	s.t.Helper()
	n, err := s.Purge(s.t.Context(), now, limit)
	if err != nil {
		s.t.Fatalf("Purge: %v", err)
	}
	return n
}

func same(a, b password.Counter) bool {
	return a.Failures == b.Failures && a.Until.Equal(b.Until) && a.ExpiresAt.Equal(b.ExpiresAt)
}
