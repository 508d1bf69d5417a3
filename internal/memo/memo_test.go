package memo_test

import (
	"sync"
	"testing"

	"github.com/gatewarden/auth/internal/memo"
)

func TestUnitMemo(t *testing.T) {
	t.Run("a value is made once, and the same one is returned from then on", func(t *testing.T) {
		var values memo.Memo[int, *int]
		first := values.Get(1, func(n int) *int { return &n })
		if again := values.Get(1, func(int) *int { t.Error("made again"); return nil }); again != first || *first != 1 {
			t.Errorf("want %p, got %p", first, again)
		}
		if other := values.Get(2, func(n int) *int { return &n }); *other != 2 {
			t.Errorf("want 2, got %d", *other)
		}
	})
	t.Run("it keeps 64 values, and starts again when it is full", func(t *testing.T) {
		var values memo.Memo[int, int]
		made := 0
		get := func(from, to, want int) {
			t.Helper()
			before := made
			for n := from; n < to; n++ {
				if got := values.Get(n, func(n int) int { made++; return -n }); got != -n {
					t.Fatalf("want %d, got %d", -n, got)
				}
			}
			if calls := made - before; calls != want {
				t.Errorf("want %d calls, got %d", want, calls)
			}
		}
		get(0, 64, 64)
		get(0, 64, 0)
		get(64, 65, 1)
		get(64, 65, 0) // what comes after 64 others is kept
		get(0, 1, 1)
	})
	t.Run("calls at once get the same value", func(t *testing.T) {
		var values memo.Memo[int, *int]
		var all [8]*int
		var group sync.WaitGroup
		for i := range all {
			group.Go(func() { all[i] = values.Get(1, func(n int) *int { return &n }) })
		}
		group.Wait()
		for _, each := range all {
			if each != all[0] {
				t.Errorf("want %p, got %p", all[0], each)
			}
		}
	})
}
