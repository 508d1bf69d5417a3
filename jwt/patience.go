package jwt

import (
	"context"
	"time"
)

// maxPatience is the longest RemoteKeysConfig.Patience.
const maxPatience = 5 * time.Second

// waitForNextFetch waits until the next fetch may begin, and for that fetch. All that wait share it.
// It returns at once, without an error, if that would take longer than Patience.
func (k *RemoteKeys) waitForNextFetch(ctx context.Context, now time.Time) error {
	under := k.later(ctx, now)
	return k.join(ctx, under)
}

// later returns the fetch that begins as soon as CoolDown has passed, or nil if that takes
// longer than Patience.
func (k *RemoteKeys) later(ctx context.Context, now time.Time) *fetchCall {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.awaited != nil {
		return k.awaited
	}
	rest := k.config.CoolDown - now.Sub(k.tried)
	if k.config.Patience == 0 || rest > k.config.Patience {
		return nil
	}
	k.awaited = &fetchCall{done: make(chan struct{})}
	go k.runFetchLater(context.WithoutCancel(ctx), k.awaited, rest, now.Add(rest))
	return k.awaited
}

// runFetchLater starts a fetch at an instant that is rest ahead, and ends with it.
func (k *RemoteKeys) runFetchLater(ctx context.Context, awaited *fetchCall, rest time.Duration, at time.Time) {
	defer close(awaited.done)
	timer := time.NewTimer(rest)
	defer timer.Stop()
	<-timer.C
	k.mu.Lock()
	k.awaited = nil // a token that comes from now on joins the fetch
	k.mu.Unlock()
	under, _, err := k.begin(ctx, at)
	if err == nil {
		err = under.wait(ctx)
	}
	awaited.err = err
}
