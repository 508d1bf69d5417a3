package paired_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

var kept *[64]byte

func TestUnit(t *testing.T) {
	short := paired.Config{Rounds: 3, Round: 20 * time.Millisecond, Slice: 2 * time.Millisecond}

	// costs returns an operation that moves a clock on.
	var now time.Duration
	clock := func() time.Duration { return now }
	costs := func(d time.Duration) func() error { return func() error { now += d; return nil } }

	t.Run("the ratio is that of the CPU times, and the same in each round", func(t *testing.T) {
		r, err := paired.MeasureBy(paired.Side{Op: costs(3 * time.Microsecond)},
			paired.Side{Op: costs(time.Microsecond)}, short, clock)
		if err != nil {
			t.Fatal(err)
		}
		if r.Ratio != 3 || r.Least != 3 || r.Most != 3 || r.Entry.Min != 3000 || r.Floor.Median != 1000 {
			t.Errorf("got %+v, want a ratio of 3 everywhere, 3000 ns against 1000", r)
		}
	})

	t.Run("the median is of the rounds and the spread holds the rest", func(t *testing.T) {
		round := 0
		entry := paired.Side{Prepare: func() error { round++; return nil }, Op: func() error {
			now += time.Duration(round) * time.Microsecond
			return nil
		}}
		// The first preparation is for the count of allocations, so the rounds are 2 to 4.
		r, err := paired.MeasureBy(entry, paired.Side{Op: costs(time.Microsecond)}, short, clock)
		if err != nil {
			t.Fatal(err)
		}
		if r.Least != 2 || r.Ratio != 3 || r.Most != 4 || r.Entry.Min != 2000 {
			t.Errorf("got %+v, want ratios of 2, 3 and 4", r)
		}
	})

	t.Run("the two sides alternate in slices", func(t *testing.T) {
		var order []byte
		side := func(name byte) paired.Side {
			return paired.Side{Op: func() error {
				now += 100 * time.Microsecond
				if len(order) == 0 || order[len(order)-1] != name {
					order = append(order, name)
				}
				return nil
			}}
		}
		one := short
		one.Rounds = 1
		if _, err := paired.MeasureBy(side('e'), side('f'), one, clock); err != nil {
			t.Fatal(err)
		}
		// Both once for allocations, and then ten slices of each.
		if want := strings.Repeat("ef", 11); string(order) != want {
			t.Errorf("got the order %s, want %s", order, want)
		}
	})

	t.Run("a round ends at MaxOps, and Settle is measured", func(t *testing.T) {
		ops := 0
		entry := paired.Side{MaxOps: 50,
			Prepare: func() error { ops = 0; return nil },
			Op:      func() error { ops++; now += time.Microsecond; return nil },
			Settle: func() error {
				if ops != 50 {
					t.Errorf("got %d operations in a round, want 50", ops)
				}
				now += 50 * time.Microsecond
				return nil
			}}
		r, err := paired.MeasureBy(entry, paired.Side{Op: costs(time.Microsecond)}, short, clock)
		if err != nil {
			t.Fatal(err)
		}
		if r.Ratio != 2 {
			t.Errorf("got a ratio of %v, want 2: 50 µs of operations and 50 µs to settle", r.Ratio)
		}
	})

	t.Run("allocations are counted exactly", func(t *testing.T) {
		r, err := paired.Measure(paired.Side{Op: func() error { kept = new([64]byte); return nil }},
			paired.Side{Op: func() error { return nil }}, short)
		if err != nil {
			t.Fatal(err)
		}
		if math.Round(r.Entry.Allocs) != 1 || math.Round(r.Entry.Bytes) != 64 || math.Round(r.Floor.Allocs) != 0 {
			t.Errorf("got %+v, want 1 allocation of 64 bytes against 0", r)
		}
	})

	t.Run("an error ends the measurement and GOMAXPROCS is as before", func(t *testing.T) {
		before, bad := runtime.GOMAXPROCS(0), errors.New("refused")
		_, err := paired.Measure(paired.Side{Op: func() error { return bad }},
			paired.Side{Op: func() error { return nil }}, short)
		if !errors.Is(err, bad) || runtime.GOMAXPROCS(0) != before {
			t.Errorf("got %v and GOMAXPROCS %d, want %v and %d", err, runtime.GOMAXPROCS(0), bad, before)
		}
	})

	t.Run("CPU time goes on with work", func(t *testing.T) {
		start := paired.CPUTime()
		for paired.CPUTime() == start {
		}
	})
}
