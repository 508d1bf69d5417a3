package password

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// ThrottleStore counts failed logins. It must be safe for concurrent use. It
// reads no clock; instants are arguments, and it must keep their microseconds.
type ThrottleStore interface {
	// Update reads the counters of keys, calls change with them in the order
	// of keys, and writes back what change made of them, as one atomic step:
	// of two Updates that share a key, one sees what the other wrote. A key
	// that has no counter, or one that is expired at now, is given as the zero
	// Counter; a zero Counter written deletes. If Update returns an error,
	// nothing was written.
	//
	// Keys are distinct, opaque strings of at most 64 characters. change only
	// looks at what it is given and may be called again (a retried
	// transaction): the last call counts.
	Update(ctx context.Context, keys []string, now time.Time, change func(counters []Counter)) error
	// Purge deletes at most limit counters that are expired at now (limit <= 0
	// is no limit) and returns how many it deleted. Call it now and then; no
	// outcome depends on it.
	Purge(ctx context.Context, now time.Time, limit int) (n int, err error)
}

// Counter is what a [ThrottleStore] keeps of a key. The zero Counter is that
// of a key nothing is known of; every other has an Expires.
type Counter struct {
	Failures  int       // failed tries, and those under way
	Until     time.Time // no try is let in before; zero or past is no block
	ExpiresAt time.Time // from then on the counter is as if it were not there
}

// Limits say how [Authenticator] slows down guessing. Failures are counted per account
// (a username, whether there is such a user or not) and per address (an IPv4
// address or an IPv6 /64). After so many free ones each further failure doubles
// the delay until the next try. Zero fields are the defaults.
//
// An address that a user logged in from is known for that user: there the
// account's delays do not apply, only its own of the same size, so that
// strangers cannot lock a user out.
type Limits struct {
	AccountFree int           // failures before the first delay, per account and per known address of it; 0 is 5
	AddressFree int           // failures before the first delay, per address; 0 is 20
	FirstDelay  time.Duration // 0 is 1 second
	MaxDelay    time.Duration // 0 is 15 minutes
	Forget      time.Duration // failures are forgotten so long after the last; more than MaxDelay; 0 is 1 hour
	Known       time.Duration // how long an address is known after a login; 0 is 30 days
}

func (l Limits) withDefaults() (Limits, error) {
	if min(l.AccountFree, l.AddressFree) < 0 || min(l.FirstDelay, l.MaxDelay, l.Forget, l.Known) < 0 {
		return l, errors.New("password: Limits must not be negative")
	}
	if l.AccountFree == 0 {
		l.AccountFree = 5
	}
	if l.AddressFree == 0 {
		l.AddressFree = 20
	}
	if l.FirstDelay == 0 {
		l.FirstDelay = time.Second
	}
	if l.MaxDelay == 0 {
		l.MaxDelay = 15 * time.Minute
	}
	if l.Forget == 0 {
		l.Forget = time.Hour
	}
	if l.Known == 0 {
		l.Known = 30 * 24 * time.Hour
	}
	if l.FirstDelay > l.MaxDelay || l.MaxDelay >= l.Forget {
		return l, errors.New("password: Limits must have FirstDelay <= MaxDelay < Forget")
	}
	return l, nil
}

// delay returns the delay after so many failures.
func (l Limits) delay(failures, free int) time.Duration {
	if failures < free {
		return 0
	}
	delay := l.FirstDelay
	for range failures - free {
		if delay *= 2; delay >= l.MaxDelay {
			return l.MaxDelay
		}
	}
	return delay
}

// throttle applies Limits with a store.
type throttle struct {
	store  ThrottleStore
	limits Limits
	label  string // keeps what it counts apart; logins have none
}

// Positions of the counters of a try. A known address has a counter at pair, and
// others have none: strangers cannot fill the store with pairs.
const (
	account = iota
	address
	pair
)

// try is a login under way. It is counted as failed before anything is known
// of it, or a hundred guesses at once would all pass before the first fails.
type try struct {
	keys          []string
	before, after [3]Counter // as they were, and as counted
	counted       [3]bool
}

// begin counts a try. It returns auth.ErrThrottled if any counter forbids it,
// and counts nothing then.
func (t *throttle) begin(ctx context.Context, username string, addr netip.Addr, now time.Time) (*try, error) {
	tr := &try{keys: throttleKeys(t.label, username, addr)}
	var until time.Time
	err := t.store.Update(ctx, tr.keys, now, func(counters []Counter) {
		until, tr.counted = time.Time{}, [3]bool{}
		tr.counted[account] = true
		if len(counters) > address {
			tr.counted[address] = true
			known := counters[pair] != Counter{}
			tr.counted[pair], tr.counted[account] = known, !known
		}
		for i, c := range counters {
			// A counter that delays nothing has Until at its last failure, which may be
			// later than now where two tries read the clock in another order.
			blocks := tr.counted[i] && t.limits.delay(c.Failures, t.free(i)) > 0
			if blocks && c.Until.After(now) && c.Until.After(until) {
				until = c.Until
			}
		}
		if !until.IsZero() {
			return
		}
		for i := range counters {
			if tr.counted[i] {
				tr.before[i] = counters[i]
				counters[i] = t.failed(i, counters[i], now)
				tr.after[i] = counters[i]
			}
		}
	})
	switch {
	case err != nil:
		return nil, outage("throttle store", err)
	case !until.IsZero():
		return nil, &auth.Error{Kind: auth.ErrThrottled, RetryAfter: until.Sub(now)}
	}
	return tr, nil
}

// free is how many failures a counter has before the first delay.
func (t *throttle) free(i int) int {
	if i == address {
		return t.limits.AddressFree
	}
	return t.limits.AccountFree
}

// failed returns c after one more failure.
func (t *throttle) failed(i int, c Counter, now time.Time) Counter {
	if i == pair && now.Sub(c.Until) >= t.limits.Forget {
		c.Failures = 0 // this row outlives its failures
	}
	c.Failures++
	c.Until = now.Add(t.limits.delay(c.Failures, t.free(i)))
	if i != pair {
		c.ExpiresAt = now.Add(t.limits.Forget)
	}
	return c
}

// succeeded forgets the failures of the account and makes the address known for
// it. The address gets only this try back: whoever has an account of their own
// could else clear it between guesses at others'.
func (t *throttle) succeeded(ctx context.Context, tr *try, now time.Time) error {
	return t.store.Update(ctx, tr.keys, now, func(counters []Counter) {
		counters[account] = Counter{}
		if len(counters) > address {
			counters[address] = tr.giveBack(address, counters[address])
			counters[pair] = Counter{ExpiresAt: now.Add(t.limits.Known)}
		}
	})
}

// undecided gives the whole try back, as if it had not been.
func (t *throttle) undecided(ctx context.Context, tr *try, now time.Time) error {
	return t.store.Update(ctx, tr.keys, now, func(counters []Counter) {
		for i := range counters {
			if tr.counted[i] {
				counters[i] = tr.giveBack(i, counters[i])
			}
		}
	})
}

// giveBack takes this try out of c, which others may have changed since.
func (tr *try) giveBack(i int, c Counter) Counter {
	was, counted := tr.before[i], tr.after[i]
	switch {
	case c.Failures == 0: // cleared or forgotten
		return c
	case c.Failures == counted.Failures && c.Until.Equal(counted.Until) && c.ExpiresAt.Equal(counted.ExpiresAt):
		return was
	}
	c.Failures--
	if c.Failures == 0 && i != pair {
		return Counter{}
	}
	if c.Until.Equal(counted.Until) { // others came, but none failed later
		c.Until = was.Until
	}
	return c
}

// throttleKeys returns the store keys of a try, those of address and pair only
// if the address is known.
func throttleKeys(label, username string, addr netip.Addr) []string {
	// One counter for all spellings that a finder without regard to case or
	// surrounding spaces takes for the same user.
	username = strings.ToLower(strings.ToUpper(strings.TrimSpace(username)))
	keys := []string{throttleKey(label+"account", username)}
	if addr.IsValid() {
		bits := 32
		if addr.Is6() {
			bits = 64 // what one customer gets, at least
		}
		if prefix, err := addr.Prefix(bits); err == nil {
			keys = append(keys, throttleKey(label+"address", prefix.String()), throttleKey(label+"pair", prefix.String()+" "+username))
		}
	}
	return keys
}

func throttleKey(label, value string) string {
	sum := sha256.Sum256([]byte("password throttle " + label + ":" + value))
	return hex.EncodeToString(sum[:])
}

// instant is now as stores keep it.
func instant() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// settle runs a store's last step even if the client is gone: a try of one who
// hangs up must not stay counted, nor an answer wait for ever.
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
	n, err := t.store.Purge(ctx, instant(), limit)
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
