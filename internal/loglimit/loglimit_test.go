package loglimit_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/loglimit"
)

var (
	start = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	knox  = loglimit.Key{Backend: "knox", Status: 401}
)

// count takes n lines at one instant, and returns how many were allowed.
func count(l *loglimit.Limit, key loglimit.Key, at time.Time, n int) (allowed int, suppressed int64) {
	for range n {
		ok, left := l.Allow(key, at)
		if ok {
			allowed++
		}
		suppressed += left
	}
	return allowed, suppressed
}

func TestUnitLimit(t *testing.T) {
	t.Run("allows a burst, and then one line for each interval", func(t *testing.T) {
		var l loglimit.Limit
		if n, _ := count(&l, knox, start, 1000); n != loglimit.Burst {
			t.Errorf("allowed %d at once, want %d", n, loglimit.Burst)
		}
		n, left := count(&l, knox, start.Add(10*loglimit.Interval), 1000)
		if n != 10 {
			t.Errorf("allowed %d after 10 intervals, want 10", n)
		}
		if want := int64(1000 - loglimit.Burst); left != want {
			t.Errorf("told of %d left out, want %d", left, want)
		}
	})
	t.Run("allows a burst again after a pause, and no more", func(t *testing.T) {
		var l loglimit.Limit
		count(&l, knox, start, 1000)
		if n, _ := count(&l, knox, start.Add(time.Hour), 1000); n != loglimit.Burst {
			t.Errorf("allowed %d, want %d", n, loglimit.Burst)
		}
	})
	t.Run("bounds each key by itself", func(t *testing.T) {
		var l loglimit.Limit
		count(&l, knox, start, 1000)
		if ok, left := l.Allow(loglimit.Key{Backend: "knox", Status: 503}, start); !ok || left != 0 {
			t.Errorf("an outage was left out because of bad tokens, or told of %d", left)
		}
	})
	t.Run("takes an instant that comes a little late for no clock that was set back", func(t *testing.T) {
		var l loglimit.Limit
		for i := range 1000 {
			count(&l, knox, start.Add(-time.Duration(i)*time.Millisecond), 100)
		}
		if n, _ := count(&l, knox, start.Add(-time.Second), 100); n != 0 {
			t.Errorf("allowed %d lines more than a burst", n)
		}
	})
	t.Run("goes on after the clock was set back", func(t *testing.T) {
		var l loglimit.Limit
		count(&l, knox, start, 1000)
		if ok, _ := l.Allow(knox, start.Add(-time.Hour)); !ok {
			t.Error("no line for an hour")
		}
	})
	t.Run("has no bound if it is nil", func(t *testing.T) {
		if n, _ := count(nil, knox, start, 1000); n != 1000 {
			t.Errorf("allowed %d", n)
		}
	})
	t.Run("bounds any number of keys", func(t *testing.T) {
		var l loglimit.Limit
		allowed := 0
		for i := range 3000 {
			if ok, _ := l.Allow(loglimit.Key{Backend: strconv.Itoa(i)}, start); ok {
				allowed++
			}
		}
		if allowed != 1000+loglimit.Burst {
			t.Errorf("allowed %d, want 1,000 keys and a burst of those that share", allowed)
		}
	})
}

func TestUnitLimitUnderRace(t *testing.T) {
	var l loglimit.Limit
	var all sync.WaitGroup
	var allowed, left atomic.Int64
	for range 8 {
		all.Go(func() {
			for range 500 {
				ok, n := l.Allow(knox, start)
				if ok {
					allowed.Add(1)
				}
				left.Add(n)
			}
		})
	}
	all.Wait()
	_, n := l.Allow(knox, start.Add(time.Hour))
	if allowed.Load() != loglimit.Burst || left.Load()+n != 4000-loglimit.Burst {
		t.Errorf("allowed %d and left out %d of 4,000", allowed.Load(), left.Load()+n)
	}
}
