package once_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatewarden/auth/internal/once"
)

func TestSet(t *testing.T) {
	t.Run("of many at once one is the first", func(t *testing.T) {
		var set once.Set
		var wg sync.WaitGroup
		var first atomic.Int32
		for range 20 {
			wg.Go(func() {
				if set.First("alice") {
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
		var set once.Set
		for i := range once.Max {
			if !set.First(strconv.Itoa(i)) {
				t.Fatalf("%d is known", i)
			}
		}
		if set.First("0") {
			t.Error("a key was forgotten before the set was full")
		}
		if !set.First("one more") || !set.First("0") {
			t.Error("a full set did not start again")
		}
	})
}
