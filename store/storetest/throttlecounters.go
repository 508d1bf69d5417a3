package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// throttleCounters checks what Update reads and writes.
func throttleCounters(t *testing.T, open openFunc[throttleStore]) {
	check(t, open, "a counter is read as it was written", throttleReads)
	check(t, open, "a key nothing is known of has the zero counter", throttleUnknown)
	check(t, open, "a zero counter deletes, and one that stays zero adds nothing", throttleZero)
	check(t, open, "a counter is there until the instant it expires", throttleExpires)
	check(t, open, "an expired counter that stays zero is gone or left to Purge", throttleExpiredZero)
	check(t, open, "long keys are told apart to the last character", throttleLongKeys)
	check(t, open, "an error means that nothing was written", throttleCancelled)
}

func throttleReads(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	want := []password.Counter{
		{Failures: 3, Until: noon.Add(1500 * time.Millisecond), ExpiresAt: inAnHour},
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
}

func throttleUnknown(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: inAnHour}}, "a")
	s.update(noon, func(counters []password.Counter) {
		if len(counters) != 2 || counters[0] != (password.Counter{}) || counters[1].Failures != 1 {
			t.Errorf("Update of a new and a known key: got %+v, want a zero counter and one with 1 failure", counters)
		}
	}, "b", "a")
}

// throttleZero writes zero counters to a stored key and to a new key. Then only b has a row.
func throttleZero(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: inAnHour}, {Failures: 2, ExpiresAt: inAnHour}}, "a", "b")
	s.write(noon, []password.Counter{{}, {}}, "a", "c")
	s.expect(noon, "a", password.Counter{})
	s.expect(noon, "b", password.Counter{Failures: 2, ExpiresAt: inAnHour})
	if n := s.purge(inAnHour, 0); n != 1 {
		t.Errorf("%d rows were there, want 1", n)
	}
}

func throttleExpires(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	c := password.Counter{Failures: 7, Until: inAnHour.Add(time.Hour), ExpiresAt: inAnHour}
	s.write(noon, []password.Counter{c}, "a")
	s.expect(inAnHour.Add(-time.Microsecond), "a", c)
	s.expect(inAnHour, "a", password.Counter{})
	again := password.Counter{Failures: 1, ExpiresAt: inAnHour.Add(time.Hour)}
	s.write(inAnHour, []password.Counter{again}, "a")
	s.expect(inAnHour, "a", again)
}

func throttleExpiredZero(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	s.write(noon, []password.Counter{{Failures: 7, ExpiresAt: inAnHour}}, "a")
	s.update(inAnHour, func([]password.Counter) {}, "a")
	s.expect(inAnHour, "a", password.Counter{})
}

func throttleLongKeys(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	one, two := fmt.Sprintf("%064d", 1), fmt.Sprintf("%064d", 2)
	s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: inAnHour}, {Failures: 2, ExpiresAt: inAnHour}}, one, two)
	s.expect(noon, one, password.Counter{Failures: 1, ExpiresAt: inAnHour})
	s.expect(noon, two, password.Counter{Failures: 2, ExpiresAt: inAnHour})
}

func throttleCancelled(t *testing.T, open openFunc[throttleStore]) {
	// A store that heeds its context fails here, one in memory may not.
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := password.Counter{Failures: 1, ExpiresAt: inAnHour}
	err := s.Update(ctx, []string{"a"}, noon, func(counters []password.Counter) { counters[0] = c })
	if err == nil {
		s.expect(noon, "a", c)
		return
	}
	s.expect(noon, "a", password.Counter{})
}

// throttleRaces checks many that Update at once.
func throttleRaces(t *testing.T, open openFunc[throttleStore]) {
	check(t, open, "of 32 at once each sees what the others wrote", throttleUpdateRace)
	check(t, open, "of 32 at once as many pass a limit as it allows", throttleLimitRace)
}

func throttleUpdateRace(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	atOnce(32, func(i int) {
		// Shared keys in opposite orders must not lock each other out.
		keys := []string{"a", "b", fmt.Sprint("own", i)}
		if i%2 == 0 {
			keys[0], keys[1] = keys[1], keys[0]
		}
		err := s.Update(t.Context(), keys, noon, func(counters []password.Counter) {
			for i := range counters {
				counters[i].Failures++
				counters[i].ExpiresAt = inAnHour
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	s.expect(noon, "a", password.Counter{Failures: 32, ExpiresAt: inAnHour})
	s.expect(noon, "b", password.Counter{Failures: 32, ExpiresAt: inAnHour})
	s.expect(noon, "own7", password.Counter{Failures: 1, ExpiresAt: inAnHour})
}

func throttleLimitRace(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	passed := make(chan bool, 32)
	atOnce(32, func(int) {
		var pass bool
		err := s.Update(t.Context(), []string{"a"}, noon, func(counters []password.Counter) {
			if pass = counters[0].Failures < 5; pass {
				counters[0].Failures++
				counters[0].ExpiresAt = inAnHour
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
}

// throttlePurging checks Purge.
func throttlePurging(t *testing.T, open openFunc[throttleStore]) {
	check(t, open, "Purge deletes what is expired, at most limit, and counts it", throttlePurges)
}

func throttlePurges(t *testing.T, open openFunc[throttleStore]) {
	s := open(t)
	for i := range 5 {
		s.write(noon, []password.Counter{{Failures: 1, ExpiresAt: noon.Add(time.Minute)}}, fmt.Sprint("old", i))
	}
	s.write(noon, []password.Counter{{ExpiresAt: inAnHour}}, "new")
	now := noon.Add(time.Minute)
	for i, want := range []int{2, 2, 1, 0} {
		if got := s.purge(now, 2); got != want {
			t.Errorf("batch %d: %d, want %d", i, got, want)
		}
	}
	s.expect(now, "new", password.Counter{ExpiresAt: inAnHour})
	if got := s.purge(inAnHour, 0); got != 1 {
		t.Errorf("without limit: %d, want 1", got)
	}
}

// inAnHour is when most counters expire.
var inAnHour = noon.Add(time.Hour)
