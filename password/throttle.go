package password

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"sync"
	"time"

	"github.com/gatewarden/auth"
)

// Slowdown is how guessing is slowed down. The first Free failures cost
// nothing; after each further one, the next try must wait, at first for Delay
// and then twice as long each time, up to MaxDelay. Failures are forgotten
// Forget after the last one. A zero field is the default.
type Slowdown struct {
	Free     int           // failures
	Delay    time.Duration // default 1 s
	MaxDelay time.Duration // default 15 min
	Forget   time.Duration // default 1 h, at least MaxDelay
}

func (s Slowdown) withDefaults(free int) Slowdown {
	if s.Free == 0 {
		s.Free = free
	}
	if s.Delay == 0 {
		s.Delay = time.Second
	}
	if s.MaxDelay == 0 {
		s.MaxDelay = 15 * time.Minute
	}
	if s.Forget == 0 {
		s.Forget = max(time.Hour, s.MaxDelay)
	}
	return s
}

// failed returns the counter after one more failure.
func (s Slowdown) failed(c Counter, now time.Time) Counter {
	c.Failures++
	c.Until = time.Time{}
	if over := c.Failures - s.Free; over > 0 {
		delay := s.MaxDelay
		if over <= 30 {
			delay = min(s.Delay<<(over-1), s.MaxDelay)
		}
		c.Until = now.Add(delay)
	}
	c.Expires = now.Add(s.Forget)
	return c
}

// Counter is what a [ThrottleStore] keeps under a key. The zero Counter is the
// same as none.
type Counter struct {
	Failures int
	Until    time.Time // no try before; zero is no wait
	Expires  time.Time // forgotten from then on
}

// ThrottleStore keeps counters. [NewMemoryThrottle] returns one, package
// sqlstore has one over database/sql, and storetest.Throttle checks yours.
type ThrottleStore interface {
	// Update reads the counters of keys, lets change rewrite them, and keeps
	// what it wrote; a zero Counter is removed. A key that has none, or one
	// that has expired at now, reads as the zero Counter. All of it is one
	// atomic step: of two at once with a key in common, the second reads what
	// the first wrote. change may be called more than once; the last call
	// counts. Keys differ from each other.
	Update(ctx context.Context, keys []string, now time.Time, change func(counters []Counter)) error

	// Purge removes at most limit counters that have expired at now, and
	// returns how many it removed.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// knownFor is how long an address that logged in counts as the user's own.
const knownFor = 30 * 24 * time.Hour

// throttle is the rule over a store: every try counts as a failure when it
// begins, and is taken back if it was none. So a hundred guesses at once are a
// hundred tries, not one.
type throttle struct {
	store            ThrottleStore
	account, address Slowdown
}

// attempt is a try to log in: the keys it counts under.
type attempt struct {
	throttle
	keys [4]string // indexes below
}

const (
	keyAddress = iota // the client's address, whatever the account
	keyAccount        // the account, whatever the address
	keyPair           // the account from this address
	keyKnown          // there if the account logged in from this address
)

func (t throttle) attempt(username string, addr netip.Addr) attempt {
	if addr.Is6() { // one customer has at least a /64
		if prefix, err := addr.Prefix(64); err == nil {
			addr = prefix.Addr()
		}
	}
	from := addr.String()
	return attempt{t, [4]string{
		keyAddress: digest("address", from),
		keyAccount: digest("account", username),
		keyPair:    digest("pair", from, username),
		keyKnown:   digest("known", from, username),
	}}
}

// digest keeps what people typed, which at times is a password, out of stores.
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil)[:20])
}

// begin counts a try, or returns ErrThrottled and counts nothing. The wait of
// an account does not concern an address it has logged in from before: others
// cannot lock its owner out.
func (a attempt) begin(ctx context.Context, now time.Time) error {
	var wait time.Duration
	err := a.store.Update(ctx, a.keys[:], now, func(c []Counter) {
		wait = 0
		counted := []int{keyAddress, keyAccount}
		if c[keyKnown] != (Counter{}) {
			counted[1] = keyPair
		}
		for _, key := range counted {
			wait = max(wait, c[key].Until.Sub(now))
		}
		if wait > 0 {
			return
		}
		c[keyAddress] = a.address.failed(c[keyAddress], now)
		c[counted[1]] = a.account.failed(c[counted[1]], now)
	})
	if err != nil {
		return undecided(err)
	}
	if wait > 0 {
		return &auth.Error{Kind: auth.ErrThrottled, RetryAfter: wait}
	}
	return nil
}

// succeed forgets the failures of the account, but not those of the address:
// with an account of one's own one could otherwise guess at others' for ever.
func (a attempt) succeed(ctx context.Context, now time.Time) error {
	return a.store.Update(ctx, a.keys[:], now, func(c []Counter) {
		c[keyAddress] = a.address.takenBack(c[keyAddress])
		c[keyAccount], c[keyPair] = Counter{}, Counter{}
		c[keyKnown] = Counter{Failures: 1, Expires: now.Add(knownFor)}
	})
}

// abandon takes back a try that could not be judged.
func (a attempt) abandon(ctx context.Context, now time.Time) error {
	return a.store.Update(ctx, a.keys[:], now, func(c []Counter) {
		c[keyAddress] = a.address.takenBack(c[keyAddress])
		key := keyAccount
		if c[keyKnown] != (Counter{}) {
			key = keyPair
		}
		c[key] = a.account.takenBack(c[key])
	})
}

// takenBack returns the counter without its last failure.
func (s Slowdown) takenBack(c Counter) Counter {
	if c.Failures <= 1 {
		return Counter{}
	}
	c.Failures--
	if c.Failures <= s.Free {
		c.Until = time.Time{}
	}
	return c
}

// maxCounters bounds a MemoryThrottle: about 20 MB.
const maxCounters = 100_000

// MemoryThrottle is a [ThrottleStore] in memory, for a program that runs once.
// It keeps at most 100,000 counters. When it is full and none has expired, it
// forgets some at random: whoever fills it with invented accounts gains a few
// more guesses, not the memory of the server.
type MemoryThrottle struct {
	mu       sync.Mutex
	counters map[string]Counter
}

var _ ThrottleStore = (*MemoryThrottle)(nil)

// NewMemoryThrottle returns an empty store.
func NewMemoryThrottle() *MemoryThrottle {
	return &MemoryThrottle{counters: make(map[string]Counter)}
}

// Update implements [ThrottleStore].
func (m *MemoryThrottle) Update(_ context.Context, keys []string, now time.Time, change func(counters []Counter)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	counters := make([]Counter, len(keys))
	for i, key := range keys {
		if c := m.counters[key]; now.Before(c.Expires) {
			counters[i] = c
		}
	}
	change(counters)
	for i, key := range keys {
		if counters[i] == (Counter{}) {
			delete(m.counters, key)
			continue
		}
		if _, ok := m.counters[key]; !ok && len(m.counters) >= maxCounters {
			m.makeRoom(now)
		}
		m.counters[key] = counters[i]
	}
	return nil
}

// makeRoom removes a hundredth of the counters or all that have expired: m.mu
// is held.
func (m *MemoryThrottle) makeRoom(now time.Time) {
	m.purge(now, maxCounters)
	for key := range m.counters {
		if len(m.counters) < maxCounters-maxCounters/100 {
			return
		}
		delete(m.counters, key)
	}
}

// Purge implements [ThrottleStore].
func (m *MemoryThrottle) Purge(_ context.Context, now time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.purge(now, limit), nil
}

func (m *MemoryThrottle) purge(now time.Time, limit int) (purged int) {
	for key, c := range m.counters {
		if purged == limit {
			break
		}
		if !now.Before(c.Expires) {
			delete(m.counters, key)
			purged++
		}
	}
	return purged
}
