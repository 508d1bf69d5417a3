package loglimit_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatewarden/auth/internal/loglimit"
)

func TestUnitOnce(t *testing.T) {
	t.Run("of many at once one is the first", func(t *testing.T) {
		var lines loglimit.Once
		var wg sync.WaitGroup
		var first atomic.Int32
		for range 20 {
			wg.Go(func() {
				if lines.First("alice") {
					first.Add(1)
				}
			})
		}
		wg.Wait()
		if first.Load() != 1 {
			t.Errorf("%d were the first, want 1", first.Load())
		}
	})
	t.Run("a full set forgets, so that its memory has a bound", func(t *testing.T) {
		var lines loglimit.Once
		for i := range loglimit.MaxOnce {
			if !lines.First(strconv.Itoa(i)) {
				t.Fatalf("%d is known", i)
			}
		}
		if lines.First("0") {
			t.Error("a key was forgotten before the set was full")
		}
		if !lines.First("one more") || !lines.First("0") {
			t.Error("a full set did not start again")
		}
	})
}
