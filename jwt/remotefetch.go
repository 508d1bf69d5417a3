package jwt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/internal/redact"
)

// fetchCall is a fetch that several wait for.
type fetchCall struct {
	done  chan struct{}
	err   error
	retry bool // the fetch before it failed
}

// maxWaiting is how many requests may wait at once because of the keys that their tokens
// name. Anybody can send such tokens, and a slow server must not hold them all.
const maxWaiting = 1000

var errTooManyWait = errors.New("jwt: 1,000 requests wait for keys already")

// begin starts a fetch, or joins the one that is under way. Within CoolDown of the last
// fetch it returns nil, or the error of that fetch. It reports whether the caller started
// the fetch.
func (k *RemoteKeys) begin(ctx context.Context, now time.Time) (_ *fetchCall, mine bool, _ error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetching != nil {
		return k.fetching, false, nil
	}
	if within(now, k.tried, k.config.CoolDown) {
		return nil, false, k.failure
	}
	from := k.jwksURL.Reveal()
	if k.url.Reveal() == "" && !within(now, k.located, k.config.MaxStale) {
		from = "" // the issuer may have moved, and the old place still answer
	}
	k.tried = now
	k.fetching = &fetchCall{done: make(chan struct{}), retry: k.failure != nil}
	go k.runFetch(context.WithoutCancel(ctx), k.fetching, from, now)
	return k.fetching, true, nil
}

// wait waits for a fetch, or until the client goes away. A nil fetchCall is over.
func (f *fetchCall) wait(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join waits for a fetch that tokens asked for. At most maxWaiting wait at once.
func (k *RemoteKeys) join(ctx context.Context, under *fetchCall) error {
	if under == nil {
		return nil
	}
	defer k.waiting.Add(-1)
	if k.waiting.Add(1) > maxWaiting {
		return errTooManyWait
	}
	return under.wait(ctx)
}

// runFetch does a fetch. It ends after the timeout, whatever waits for it.
func (k *RemoteKeys) runFetch(ctx context.Context, under *fetchCall, from string, now time.Time) {
	defer close(under.done)
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	set, where, maxAge, err := k.fetch(ctx, from)
	if err != nil {
		under.err = fmt.Errorf("jwt: keys of %s: %w", k.name, err)
		k.logger().ErrorContext(ctx, "jwt: cannot fetch keys", "error", under.err)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.fetching, k.failure = nil, under.err
		k.jwksURL = k.url // look where the keys are by now
		return
	}
	if before := k.current.Load(); before != nil && set.same(before.set) {
		set = before.set // what was verified stays remembered
	} else {
		k.logFetched(ctx, set)
	}
	refresh := k.config.Refresh
	if maxAge >= 0 {
		refresh = min(max(maxAge, k.config.CoolDown), refresh)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetching, k.failure, k.jwksURL = nil, nil, redact.New(where)
	if from == "" {
		k.located = now
	}
	k.current.Store(&fetched{set, now, refresh})
}

// logFetched tells of keys that changed, and of what of them is not taken.
func (k *RemoteKeys) logFetched(ctx context.Context, set *KeySet) {
	attributes := []any{"from", k.name, "keys", len(set.keys)}
	if left := set.said.leftOut.String(); left != "" {
		attributes = append(attributes, "left_out", left)
	}
	k.logger().InfoContext(ctx, "jwt: keys fetched", attributes...)
	if ignored := set.said.ignored.String(); ignored != "" {
		k.logger().WarnContext(ctx, "jwt: members of published keys are ignored", "from", k.name, "ignored", ignored)
	}
}

// fetch gets the keys, after finding out where they are if from is "".
func (k *RemoteKeys) fetch(ctx context.Context, from string) (
	set *KeySet, where string, maxAge time.Duration, err error) {
	if from == "" {
		if from, err = k.discover(ctx, k.config.Issuer); err != nil {
			return nil, "", 0, err
		}
	}
	set, maxAge, err = k.get(ctx, from)
	return set, from, maxAge, err
}
