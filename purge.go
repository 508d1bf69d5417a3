package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// Purger keeps records that expire. What has expired is refused whether or not it is
// still stored, so purging only makes room.
//
// Purge removes at most limit expired records, where limit is positive, and returns
// how many it removed, also with an error. If there are fewer than limit, nothing is
// left to remove. Records that belong to a removed one, such as the tokens of a
// grant, go with it and are not counted.
//
// Do not call Purge in a loop of your own. [PurgeEvery] and [PurgeAll] pause between
// two calls. Without a pause, requests that write to the same store wait for the
// whole purge.
type Purger interface {
	Purge(ctx context.Context, limit int) (int, error)
}

const (
	// purgeBatch is how many records go at once, and purgePause is how many times as long as a batch the pause after it
	// takes. Requests that meet a batch wait for it, so there must be few of them, and batches must be short. With 100
	// records and a pause of once the time, the slowest hundredth of checks took 3 to 6 times as long in Redis as
	// without a purge. A purge goes on at some 1,000 records a second, which is 90 million a day. See the figures in
	// docs/benchmarks.md.
	purgeBatch    = 20
	purgePause    = 3
	maxPurgePause = 5 * time.Second // between batches
)

// PurgeEvery removes what has expired, at once and then every interval, until ctx ends.
// It blocks. Run it in a goroutine of its own, which ends with ctx:
//
//	go auth.PurgeEvery(ctx, time.Minute, logger, tokens, sessions, pairs)
//
// Each purger works in small batches, with a pause of three times as long as the batch took, so that
// requests get their turn at the store. What was removed is logged at Debug, and an
// error at Warn, under the name of the purger: see [Named]. So is a turn that takes longer
// than the interval, once an interval and at most once a minute. A purger that is not done after that time goes
// on in its next turn, so that it does not keep the others from theirs. After an error the next
// purger has its turn. A panic of a purger is not recovered.
//
// An interval that is not positive is a minute. If logger is nil, slog.Default is used.
func PurgeEvery(ctx context.Context, interval time.Duration, logger *slog.Logger, purgers ...Purger) {
	logger, interval = cmp.Or(logger, slog.Default()), cmp.Or(max(interval, 0), time.Minute)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var turn time.Duration
	if len(purgers) > 1 {
		turn = max(interval, time.Minute)
	}
	for {
		for _, purger := range purgers {
			removed, err := purge(ctx, purger, turn, newSlowPurgeLog(logger, purger, interval).afterBatch)
			if removed > 0 {
				logger.DebugContext(ctx, "auth: purged", "purger", purgerName(purger), "records", removed)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				logger.WarnContext(ctx, "auth: cannot purge", "purger", purgerName(purger), "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// PurgeAll removes what has expired, once, and returns how many records it removed. It
// works as a run of [PurgeEvery] does, with the same pauses. An error of one purger keeps no other one from
// its turn, and all errors are returned, each with the name of its purger.
func PurgeAll(ctx context.Context, purgers ...Purger) (int, error) {
	total := 0
	var errs []error
	for _, purger := range purgers {
		removed, err := purge(ctx, purger, 0, func(context.Context, int) {})
		if total += removed; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", purgerName(purger), err))
		}
	}
	return total, errors.Join(errs...)
}

var errNilPurger = errors.New("auth: a purger is nil")

// purge is the turn of one purger. A batch that is not full ends it, and so does the end of turn if that is positive.
// After each full batch, full is called with what was removed so far.
func purge(ctx context.Context, purger Purger, turn time.Duration, full func(context.Context, int)) (
	total int, err error) {
	if purger == nil {
		return 0, errNilPurger
	}
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		began := time.Now()
		removed, err := purger.Purge(ctx, purgeBatch)
		if total += removed; err != nil {
			return total, err
		}
		pause(ctx, purgePause*time.Since(began))
		if removed < purgeBatch {
			return total, nil
		}
		if full(ctx, total); turn > 0 && time.Since(start) >= turn {
			return total, nil
		}
	}
}

// pause lets others work for so long. It ends early if ctx ends.
func pause(ctx context.Context, wait time.Duration) {
	runtime.Gosched()
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(min(wait, maxPurgePause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func purgerName(purger Purger) string {
	if named, ok := As[Named](purger); ok {
		return named.Backend()
	}
	return fmt.Sprintf("%T", purger)
}
