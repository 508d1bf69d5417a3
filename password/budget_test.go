package password_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/password"
)

// Eight at once, as the race detector sees them, never use more than there is.
func TestWhatRunsAtOnceStaysWithinTheBudget(t *testing.T) {
	const slots, total = 3, 1000
	budget := password.NewBudget(slots, total)
	var memory, running atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(uint64(i), 1))
			for range 300 {
				need := uint64(chance.IntN(total + 1))
				// Some give up, at any moment.
				wait := []time.Duration{time.Minute, time.Minute, 0, time.Microsecond}[chance.IntN(4)]
				if err := budget.Take(context.Background(), need, wait); err != nil {
					if !errors.Is(err, password.ErrBusy) {
						t.Error(err)
					}
					continue
				}
				if sum, n := memory.Add(int64(need)), running.Add(1); sum > total || n > slots {
					t.Errorf("%d run with %d KiB, want at most %d with %d", n, sum, slots, total)
				}
				runtime.Gosched()
				memory.Add(-int64(need))
				running.Add(-1)
				budget.Give(need)
			}
		})
	}
	wg.Wait()
	if budget.Waiting() != 0 {
		t.Errorf("%d still wait", budget.Waiting())
	}
	// What was given up was given back: all slots are free, and all memory.
	for range slots - 1 {
		if err := budget.Take(t.Context(), 0, 0); err != nil {
			t.Error(err)
		}
	}
	if err := budget.Take(t.Context(), total, 0); err != nil {
		t.Error(err)
	}
	if err := budget.Take(t.Context(), 0, 0); !errors.Is(err, password.ErrBusy) {
		t.Errorf("one more than there are slots: %v", err)
	}
}

func TestBudget(t *testing.T) {
	take := func(t *testing.T, budget *password.Budget, memory uint64) {
		t.Helper()
		if err := budget.Take(t.Context(), memory, time.Second); err != nil {
			t.Error(err)
		}
	}
	t.Run("small ones do not overtake a big one for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			budget := password.NewBudget(10, 100)
			take(t, budget, 50)
			var ran atomic.Int32
			go func() { take(t, budget, 80); ran.Add(1) }()
			synctest.Wait()
			go func() { take(t, budget, 10); ran.Add(1) }()
			synctest.Wait()
			if ran.Load() != 0 {
				t.Error("one came before its turn")
			}
			budget.Give(50)
			synctest.Wait()
			if ran.Load() != 2 {
				t.Errorf("%d ran, want both", ran.Load())
			}
		})
	})
	t.Run("one that gives up lets the next one in", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			budget := password.NewBudget(10, 100)
			take(t, budget, 50)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if err := budget.Take(ctx, 80, time.Hour); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}()
			synctest.Wait()
			go func() { take(t, budget, 50) }()
			synctest.Wait()
			cancel()
			synctest.Wait()
			if budget.Waiting() != 0 {
				t.Error("the next one still waits")
			}
		})
	})
	t.Run("more than there is takes all of it", func(t *testing.T) {
		budget := password.NewBudget(2, 100)
		take(t, budget, 101)
		if err := budget.Take(t.Context(), 1, 0); !errors.Is(err, password.ErrBusy) {
			t.Error(err)
		}
		budget.Give(101)
		take(t, budget, 100)
	})
	t.Run("a context that has ended takes nothing", func(t *testing.T) {
		budget := password.NewBudget(1, 100)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := budget.Take(ctx, 1, time.Second); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		take(t, budget, 100)
	})
}
