package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/hidden"
)

// RemoteKeysConfig is the configuration of [RemoteKeys]. Either URL or Issuer is
// required.
type RemoteKeysConfig struct {
	// URL is where the JWK Set is published (RFC 7517 §5): https, or http on a
	// loopback address.
	URL string
	// Issuer is the issuer whose metadata says where (OpenID Connect Discovery
	// §4, RFC 8414 §3). The metadata must name exactly this issuer.
	Issuer string

	// Client does the requests; nil is one that reads at most 64 KiB of header,
	// through the proxy that the environment names. It is copied: the copy has
	// no cookies, and follows at most 3 redirects, on the same host and scheme,
	// whatever it says. It needs no timeout.
	Client *http.Client
	// Timeout is how long a fetch may take, with everything; 0 is 10 seconds.
	Timeout time.Duration
	// Refresh is how old keys may be before they are fetched again; 0 is 5
	// minutes. A shorter max-age of the answer is followed, down to CoolDown; a
	// longer one is not. no-store and no-cache are a max-age of 0.
	Refresh time.Duration
	// CoolDown is the least time between two fetches, whatever tokens come, and
	// after one that failed; 0 is 10 seconds, or Refresh if that is less. So
	// long a key that was not published in time is not found, and up to 4 times
	// as long if its tokens came again and again before it was.
	CoolDown time.Duration
	// MaxStale is for how long after the last fetch that succeeded keys serve
	// while the server is down; 0 is an hour, or twice Refresh if that is more.
	// After that every token is answered with 503. Where Issuer publishes its
	// keys is found out again as often, and after each failure.
	MaxStale time.Duration

	// Logger is told of fetches that fail, and of keys that change. Nil is
	// slog.Default.
	Logger *slog.Logger
}

// RemoteKeys are the keys that another service publishes. Each fetch replaces
// them all: what is published no more is trusted no more. A set without a key
// that we can use is a fetch that failed: it would refuse everybody. They are
// safe for concurrent use.
//
// Nothing is fetched before it is needed. [RemoteKeys.Run] keeps keys fresh.
// Without it, the first request that finds them old waits for a fetch; others
// go on with the old ones meanwhile, and all do as long as fetches fail, until
// MaxStale.
type RemoteKeys struct {
	config  RemoteKeysConfig // without URL
	url     hidden.String    // RemoteKeysConfig.URL, in whose query there may be a secret
	name    string           // URL or Issuer, without a query
	client  *http.Client
	current atomic.Pointer[fetched]

	mu      sync.Mutex
	jwksURL hidden.String // where the keys are, or "" until it was discovered
	located time.Time     // when it was
	tried   time.Time     // when the last fetch began
	failure error         // of the last fetch
	flight  *flight       // the fetch that is under way
	missing map[string]miss
}

// fetched are keys and when they were fetched.
type fetched struct {
	set   *KeySet
	at    time.Time     // when the fetch began
	fresh time.Duration // for how long no other is due
}

// miss is when an identifier was looked for in vain, and for how long it is not
// looked for again.
type miss struct {
	at   time.Time
	wait time.Duration
}

// flight is a fetch that several wait for.
type flight struct {
	done chan struct{}
	err  error
}

var _ KeySource = (*RemoteKeys)(nil)

// maxMissing is how many unknown identifiers are remembered.
const maxMissing = 1000

// missingFor is for how many cool-downs, at most, an identifier that was not
// found is not looked for again.
const missingFor = 4

// within reports that less than d lies between two instants. Instants are wall
// clock: what one says that was set back since is not believed for as long as it
// was wrong.
func within(now, since time.Time, d time.Duration) bool {
	age := now.Sub(since)
	return -d < age && age < d
}

// NewRemoteKeys returns RemoteKeys. It fetches nothing.
func NewRemoteKeys(config RemoteKeysConfig) (*RemoteKeys, error) {
	c := config
	setting, from := "URL", c.URL
	if from == "" {
		setting, from = "Issuer", c.Issuer
	}
	name, _, _ := strings.Cut(from, "?")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Refresh = cmp.Or(c.Refresh, 5*time.Minute)
	c.CoolDown = cmp.Or(c.CoolDown, min(10*time.Second, c.Refresh))
	c.MaxStale = cmp.Or(c.MaxStale, max(time.Hour, 2*c.Refresh))
	s := backend.Settings{Package: "jwt"}
	s.Refuse((c.URL == "") == (c.Issuer == ""), "either RemoteKeysConfig.URL or Issuer must be set")
	if err := fetch.CheckURL(from); from != "" && err != nil {
		s.Refuse(true, "RemoteKeysConfig.%s %w", setting, err)
	}
	s.Refuse(c.URL == "" && name != c.Issuer, "the issuer %s has a query (RFC 8414 §2)", name)
	s.Refuse(c.Timeout < 0 || c.Refresh < 0 || c.CoolDown < 0 || c.MaxStale < 0,
		"Timeout, Refresh, CoolDown or MaxStale is negative")
	s.Refuse(c.CoolDown > c.Refresh || c.Refresh > c.MaxStale, "CoolDown is longer than Refresh, or that than MaxStale")
	if err := s.Err(); err != nil {
		return nil, err
	}
	url := hidden.Of(c.URL)
	c.URL = ""
	return &RemoteKeys{config: c, url: url, name: name, client: fetch.Client(c.Client), jwksURL: url,
		missing: make(map[string]miss)}, nil
}

// Current implements [KeySource]. It is an error if the keys are older than
// MaxStale and cannot be fetched.
func (k *RemoteKeys) Current(ctx context.Context, now time.Time) (*KeySet, error) {
	f := k.current.Load()
	if f != nil && within(now, f.at, f.fresh) {
		return f.set, nil
	}
	under, first, err := k.begin(ctx, now)
	serve := f != nil && within(now, f.at, k.config.MaxStale)
	if serve && !first {
		return f.set, nil // whoever fetches: the old ones serve
	}
	if err == nil {
		err = under.wait(ctx)
	}
	if err != nil && serve {
		return f.set, nil
	}
	if err != nil {
		return nil, err
	}
	return k.usable(now)
}

// usable returns the keys, if they are not too old.
func (k *RemoteKeys) usable(now time.Time) (*KeySet, error) {
	if f := k.current.Load(); f != nil && within(now, f.at, k.config.MaxStale) {
		return f.set, nil
	}
	return nil, errors.New("jwt: the keys are too old")
}

// Renew implements [KeySource]: it fetches, but at most once in CoolDown, and
// not for an identifier that was looked for a while ago. It is an error if the
// last fetch failed: nobody knows then whether there is such a key.
func (k *RemoteKeys) Renew(ctx context.Context, id string, now time.Time) (*KeySet, error) {
	set, err := k.usable(now)
	if err == nil && (set.has(id) || k.isMissing(id, now)) {
		return set, nil
	}
	under, _, err := k.begin(ctx, now)
	if err == nil {
		err = under.wait(ctx)
	}
	if err != nil {
		return nil, err
	}
	if set, err = k.usable(now); err == nil && !set.has(id) {
		k.miss(id, now)
	}
	return set, err
}

func (k *RemoteKeys) isMissing(id string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, ok := k.missing[id]
	return ok && within(now, m.at, m.wait) && k.failure == nil
}

// miss remembers that there is no such key, if it was looked for just now: for
// CoolDown at first, as the key may be about to be published, and for twice as
// long each time.
func (k *RemoteKeys) miss(id string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, again := k.missing[id]
	if now.After(k.tried) || again && m.at.Equal(k.tried) { // held back, or counted
		return
	}
	if !again && len(k.missing) >= maxMissing {
		clear(k.missing)
	}
	k.missing[id] = miss{k.tried, min(max(2*m.wait, k.config.CoolDown), missingFor*k.config.CoolDown)}
}

// begin starts a fetch, or joins the one that is under way. Within CoolDown of
// the last one it is nil, or that one's error. It reports whether the caller
// started it after one that succeeded: while a server does not answer, nobody
// waits for it who has keys.
func (k *RemoteKeys) begin(ctx context.Context, now time.Time) (_ *flight, first bool, _ error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight, false, nil
	}
	if within(now, k.tried, k.config.CoolDown) {
		return nil, false, k.failure
	}
	from := k.jwksURL.Reveal()
	if k.url.Reveal() == "" && !within(now, k.located, k.config.MaxStale) {
		from = "" // the issuer may have moved, and the old place still answer
	}
	k.tried = now
	k.flight = &flight{done: make(chan struct{})}
	go k.fly(context.WithoutCancel(ctx), k.flight, from, now)
	return k.flight, k.failure == nil, nil
}

// wait waits for a fetch, or until the client goes away. A nil flight is over.
func (f *flight) wait(ctx context.Context) error {
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

// fly does a fetch. It ends after the timeout, whoever waits for it.
func (k *RemoteKeys) fly(ctx context.Context, under *flight, from string, now time.Time) {
	defer close(under.done)
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	set, where, maxAge, err := k.fetch(ctx, from)
	if err != nil {
		under.err = fmt.Errorf("jwt: keys of %s: %w", k.name, err)
		k.logger().ErrorContext(ctx, "jwt: cannot fetch keys", "error", under.err)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.flight, k.failure = nil, under.err
		k.jwksURL = k.url // look where the keys are by now
		return
	}
	if before := k.current.Load(); before != nil && set.same(before.set) {
		set = before.set // what was verified stays remembered
	} else {
		k.logger().InfoContext(ctx, "jwt: keys fetched", "from", k.name, "keys", len(set.keys))
	}
	refresh := k.config.Refresh
	if maxAge >= 0 {
		refresh = min(max(maxAge, k.config.CoolDown), refresh)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flight, k.failure, k.jwksURL = nil, nil, hidden.Of(where)
	if from == "" {
		k.located = now
	}
	k.current.Store(&fetched{set, now, refresh})
}

// fetch gets the keys, after finding out where they are if from is "".
func (k *RemoteKeys) fetch(ctx context.Context, from string) (set *KeySet, where string, maxAge time.Duration, err error) {
	if from == "" {
		if from, err = k.discover(ctx, k.config.Issuer); err != nil {
			return nil, "", 0, err
		}
	}
	text, maxAge, err := k.get(ctx, from)
	if err != nil {
		return nil, "", 0, err
	}
	if set, err = ParseJWKS(text); err != nil {
		return nil, "", 0, err
	}
	if len(set.keys) == 0 {
		// Nobody's tokens can be checked with that, so it decides nothing.
		return nil, "", 0, errors.New("a JWK Set without a key for us")
	}
	return set, from, maxAge, nil
}

// Check reports whether tokens can be checked now: a health check. It fetches
// keys that are due.
func (k *RemoteKeys) Check(ctx context.Context) error {
	_, err := k.Current(ctx, backend.StoreTime(time.Now()))
	return err
}

// Fetched returns when the keys were fetched last, or the zero time.
func (k *RemoteKeys) Fetched() time.Time {
	if f := k.current.Load(); f != nil {
		return f.at
	}
	return time.Time{}
}

// Run keeps the keys fresh until ctx ends, and returns its error: it fetches
// them at once, and again before they are due. A fetch that fails is tried again
// after CoolDown.
func (k *RemoteKeys) Run(ctx context.Context) error {
	for {
		now := time.Now()
		wait := k.config.CoolDown
		under, _, err := k.begin(ctx, now)
		if err == nil && under.wait(ctx) == nil {
			if f := k.current.Load(); f != nil {
				// A little early, so that no request finds them old.
				wait = max((f.fresh-now.Sub(f.at))*9/10, k.config.CoolDown)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (k *RemoteKeys) logger() *slog.Logger {
	if k.config.Logger != nil {
		return k.config.Logger
	}
	return slog.Default()
}
