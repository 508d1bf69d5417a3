package password

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// ThrottleStore counts failed logins. It must be safe for concurrent use. It
// reads no clock. Instants are arguments, and it must keep their microseconds.
type ThrottleStore interface {
	// Update reads the counters of keys, calls change with them in the order
	// of keys, and writes back what change made of them, as one atomic step:
	// of two Updates that share a key, one sees what the other wrote. A key
	// that has no counter, or one that is expired at now, is given as the zero
	// Counter. A zero Counter written deletes. If Update returns an error,
	// nothing was written.
	//
	// Keys are distinct, opaque strings of at most 64 characters. change only
	// looks at what it is given and may be called again (a retried
	// transaction): the last call counts.
	Update(ctx context.Context, keys []string, now time.Time, change func(counters []Counter)) error
	// Purge deletes at most limit counters that are expired at now (limit <= 0
	// is no limit) and returns how many it deleted. Call it now and then. No
	// outcome depends on it.
	Purge(ctx context.Context, now time.Time, limit int) (n int, err error)
}

// Counter is what a [ThrottleStore] keeps of a key. The zero Counter is that
// of a key nothing is known of. Every other has an ExpiresAt.
type Counter struct {
	Failures  int       // failed tries
	Until     time.Time // no try is let in before; zero or past is no block
	ExpiresAt time.Time // from then on the counter is as if it were not there
}

// throttle applies Limits with a store.
//
// A try reads its counters, waits in the queue until they have room, is hashed, and writes
// its outcome. What counts is decided as the outcome is written, in one atomic step: a
// try is refused if its counter was blocked meanwhile, right or wrong, and says nothing of
// the password. So the limits hold for any number of instances with one store, and for any
// number of tries at once.
type throttle struct {
	store  ThrottleStore
	limits Limits
	label  string // keeps what it counts apart, empty for logins
	queue  queue
}

// try is a login under way.
type try struct {
	source source
	keys   []counterKey // of the counters that are asked before anything is known of the user
	queued *queuedTry
}

// errUnwritten is the error of tries while the store can be read and not written. Guessing would be
// free otherwise.
var errUnwritten error = &auth.Error{Cause: errors.New("password: the throttle store could not write many failures " +
	"lately")}

// begin lets a try in. It returns auth.ErrThrottled if a counter forbids it, and ErrBusy
// if others were under way for too long.
func (t *throttle) begin(ctx context.Context, s source) (*try, error) {
	if t.queue.tooManyUnwritten() {
		return nil, errUnwritten
	}
	deadline := time.Now().Add(t.limits.MaxWait)
	for {
		if tr, err := t.ask(ctx, s, deadline); tr != nil || err != nil {
			return tr, err
		}
	}
}

// ask reads the counters of a try once, and waits until they have room. It returns nil and no error if
// the counters must be read again.
func (t *throttle) ask(ctx context.Context, s source, deadline time.Time) (*try, error) {
	now := storeNow()
	all, count := t.asked(s)
	read := t.queue.beginRead(all)
	defer t.queue.endRead(read)
	keys, budgets, blocks, err := t.read(ctx, all, now, count)
	switch {
	case err != nil:
		return nil, outage("throttle store", err)
	case blocks != nil:
		return nil, blocks.refusal(now)
	}
	queued, ok, err := t.queue.enter(ctx, read, keys, budgets, time.Until(deadline))
	if err != nil || !ok {
		return nil, err
	}
	return &try{s, keys, queued}, nil
}

// asked returns the keys of the counters of a try. count, if any, says which kinds count.
func (t *throttle) asked(s source) (all []counterKey, count func([]Counter) func(counterKind) bool) {
	if s.device != "" {
		return []counterKey{t.counterOf(byDevice, s.device)}, nil
	}
	named := t.counterOf(byName, s.folded())
	known, ok := t.known(s)
	if !ok {
		return append([]counterKey{named}, t.addressCounters(s)...), nil
	}
	all = append([]counterKey{named, known}, t.addressCounters(s)...)
	return all, func(counters []Counter) func(counterKind) bool {
		if counters[1] == (Counter{}) {
			return func(k counterKind) bool { return k != byKnown }
		}
		return func(k counterKind) bool { return k != byName && k != byNetwork }
	}
}

// read reads the counters at these keys. It returns the keys of those that count with the
// budget of each, or what blocks the try.
func (t *throttle) read(
	ctx context.Context, all []counterKey, now time.Time, count func([]Counter) func(counterKind) bool,
) (
	keys []counterKey, budgets []int, blocks *block, err error,
) {
	err = t.store.Update(ctx, storeKeys(all), now, func(counters []Counter) {
		keys, budgets, blocks = nil, nil, nil
		counts := func(counterKind) bool { return true }
		if count != nil {
			counts = count(counters)
		}
		for i, k := range all {
			if counts(k.kind) {
				keys = append(keys, k)
				budgets = append(budgets, t.budget(k.kind, counters[i], now))
				blocks = t.later(blocks, k.kind, counters[i], now)
			}
		}
	})
	return keys, budgets, blocks, err
}

// later returns the block of a counter, or b if the counter does not block or b ends later.
func (t *throttle) later(b *block, kind counterKind, c Counter, now time.Time) *block {
	c = t.aged(kind, c, now)
	if !t.blocked(kind, c, now) || b != nil && !c.Until.After(b.until) {
		return b
	}
	return &block{kind: kind, failures: c.Failures, until: c.Until, mail: t.label != ""}
}

// undecided ends a try of which nothing was learned, as if it had not been.
func (t *throttle) undecided(tr *try) { t.queue.leave(tr.queued) }

func storeKeys(keys []counterKey) []string {
	hashes := make([]string, len(keys))
	for i, k := range keys {
		hashes[i] = k.hash
	}
	return hashes
}

// count counts a request at these keys, in one step. It returns auth.ErrThrottled if one
// of them forbids it, and counts nothing then.
func (t *throttle) count(ctx context.Context, keys []counterKey) error {
	now := storeNow()
	var blocks *block
	err := t.store.Update(ctx, storeKeys(keys), now, func(counters []Counter) {
		blocks = nil
		for i, k := range keys {
			blocks = t.later(blocks, k.kind, counters[i], now)
		}
		for i, k := range keys {
			if blocks == nil {
				counters[i] = t.failed(k.kind, counters[i], now)
			}
		}
	})
	switch {
	case err != nil:
		return outage("throttle store", err)
	case blocks != nil:
		return blocks.refusal(now)
	}
	return nil
}

// storeNow returns the time, as stores keep it.
func storeNow() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// settle runs the last step of a store even if the client is gone: the try of a client that
// hangs up must not stay counted, and an answer must not wait for ever.
func settle(r *http.Request, step func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	return step(ctx)
}

// purge removes at most limit counters that expired. Without a throttle there are no
// counters. For the store, no limit is a number that is not positive.
func (t *throttle) purge(ctx context.Context, limit int) (int, error) {
	if t == nil || limit < 1 {
		return 0, nil
	}
	n, err := t.store.Purge(ctx, storeNow(), limit)
	if err != nil {
		return n, outage("throttle store", err)
	}
	return n, nil
}

// outage returns err as one of no kind. Whatever else it claims to be does not
// count: an application's database cannot tell what the client sent.
func outage(what string, err error) error {
	if auth.KindOf(err) != nil || errors.Is(err, auth.ErrNoCredentials) {
		err = errors.New(err.Error())
	}
	return &auth.Error{Cause: fmt.Errorf("password: %s: %w", what, err)}
}
