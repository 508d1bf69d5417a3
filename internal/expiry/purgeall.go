package expiry

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// PurgeAll removes at most limit records, and returns how many. It calls the first step until that
// reports false, then the next step. Each call locks its store, removes at most limit records, and
// unlocks the store. Between two calls, other goroutines run.
//
// If ctx ends before the first record was removed, PurgeAll returns the error of ctx. After that it
// ignores ctx, because an error means to the caller that the store is unchanged.
func PurgeAll(ctx context.Context, limit int, steps ...func(limit int) (removed int, more bool)) (int, error) {
	total := 0
	for _, step := range steps {
		for more := true; more && total < limit; {
			if err := ctx.Err(); err != nil && total == 0 {
				return 0, err
			}
			var removed int
			removed, more = step(limit - total)
			total += removed
			runtime.Gosched()
		}
	}
	return total, nil
}

// Step returns a step of [PurgeAll]: it purges a queue while it holds the lock.
func Step[K comparable](
	mu sync.Locker, queue *Queue[K], now time.Time, remove func(key K),
) func(limit int) (removed int, more bool) {
	return func(limit int) (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		return queue.Purge(now, limit, remove)
	}
}
