package expiry

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Run removes at most limit records by steps, each of which takes the lock of its store
// and lets it go, and returns how many. A step removes at most as many as it is told,
// and reports whether to call it again. If it does not, the next step has its turn.
// Between two calls others have theirs. An error of ctx is returned as long as nothing
// was removed. After that, Run goes on: an error means that nothing was changed.
func Run(ctx context.Context, limit int, steps ...func(limit int) (removed int, more bool)) (int, error) {
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

// Step returns a step of [Run]: it purges a queue while it holds the lock.
func Step[K comparable](
	mu sync.Locker, queue *Queue[K], now time.Time, remove func(key K),
) func(limit int) (removed int, more bool) {
	return func(limit int) (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		return queue.Purge(now, limit, remove)
	}
}
