package auth

import (
	"context"
	"log/slog"
	"time"
)

// slowPurgeLog tells the log while the turn of one purger takes longer than the interval between
// two. More may expire than
// is removed, or a purge that did not run for days makes up for it. Nothing else would say so: each request works, and
// the tables grow.
type slowPurgeLog struct {
	logger *slog.Logger
	purger Purger
	every  time.Duration // between two lines, at least a minute
	began  time.Time
	next   time.Time // when the next line is due
}

func newSlowPurgeLog(logger *slog.Logger, purger Purger, interval time.Duration) *slowPurgeLog {
	now, every := time.Now(), max(interval, time.Minute)
	return &slowPurgeLog{logger: logger, purger: purger, every: every, began: now, next: now.Add(every)}
}

// afterBatch is called after each full batch with what was removed so far.
func (l *slowPurgeLog) afterBatch(ctx context.Context, removed int) {
	now := time.Now()
	if now.Before(l.next) {
		return
	}
	l.next = now.Add(l.every)
	l.logger.WarnContext(ctx, "auth: a purge takes longer than the time between two, and goes on",
		"purger", purgerName(l.purger), "records", removed, "took", now.Sub(l.began).Round(time.Second))
}
