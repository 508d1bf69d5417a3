package jwt

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/redact"
)

// RemoteKeysConfig is the configuration of [RemoteKeys]. Either URL or Issuer is
// required.
type RemoteKeysConfig struct {
	// URL is where the JWK Set is published (RFC 7517 §5): https, or http on a
	// loopback address. A service of [New] with a [NewJWKSHandler] is known by it, because it
	// publishes its keys alone.
	URL string
	// Issuer is the issuer with metadata that say where (OpenID Connect Discovery
	// §4, RFC 8414 §3). The metadata must name exactly this issuer.
	Issuer string

	// Client does the requests. Nil is one that reads at most 64 KiB of header,
	// through the proxy that the environment names. It is copied: the copy has
	// no cookies, and follows at most 3 redirects, on the same host and scheme,
	// whatever it says. It needs no timeout.
	Client *http.Client
	// Timeout is how long a fetch may take, with everything. 0 is 10 seconds.
	Timeout time.Duration
	// Refresh is how old keys may be before they are fetched again. 0 is 5
	// minutes. A shorter max-age of the answer is followed, down to CoolDown. A
	// longer one is not. no-store and no-cache are a max-age of 0.
	Refresh time.Duration
	// CoolDown is the least time between two fetches, whatever tokens come, and
	// after one that failed. 0 is 10 seconds, or Refresh if that is less. So
	// long a key that was not published in time is not found, and up to 4 times
	// as long if its tokens came again and again before it was. A token with a
	// signature that no key fits is a reason to fetch, too, because a key may have
	// been replaced without a new identifier (see [Refetcher]).
	CoolDown time.Duration
	// Patience is how long a token with an unknown key may wait for the next fetch, at
	// most 5 seconds. It is for logins: a provider can sign an ID token by a key that it
	// published a moment ago. If CoolDown ends within Patience, Renew waits until then and
	// fetches once more. All that wait share that fetch, and at most 1,000 wait. 0 is not
	// at all: a request of an API is answered at once. Set CoolDown to no more than
	// Patience, so that every such token is looked for.
	Patience time.Duration
	// MaxStale is for how long after the last fetch that succeeded keys serve
	// while the server is down. 0 is an hour, or twice Refresh if that is more.
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
// Without it, the first request that finds them old waits for a fetch. Others
// go on with the old ones meanwhile, and all do as long as fetches fail, until
// MaxStale.
type RemoteKeys struct {
	config  RemoteKeysConfig // without URL
	url     redact.Secret    // RemoteKeysConfig.URL, which may have a secret in its query
	name    string           // URL or Issuer, without a query
	client  *http.Client
	current atomic.Pointer[fetched]

	mu       sync.Mutex
	jwksURL  redact.Secret // where the keys are, or "" until it was discovered
	located  time.Time     // when it was
	tried    time.Time     // when the last fetch began
	failure  error         // of the last fetch
	fetching *fetchCall    // the fetch that is under way
	missing  map[string]miss
	awaited  *fetchCall // the next fetch, for which Patience waits

	waiting atomic.Int64 // how many wait because of their tokens
}

// fetched are keys and when they were fetched.
type fetched struct {
	set   *KeySet
	at    time.Time     // when the fetch began
	fresh time.Duration // for how long no other is due
}

var _ KeySource = (*RemoteKeys)(nil)

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
	s.Refuse(c.Patience < 0 || c.Patience > maxPatience, "RemoteKeysConfig.Patience is not within 0 and 5 seconds")
	s.Refuse(c.CoolDown > c.Refresh || c.Refresh > c.MaxStale, "CoolDown is longer than Refresh, or that than MaxStale")
	if err := s.Err(); err != nil {
		return nil, err
	}
	url := redact.New(c.URL)
	c.URL = ""
	return &RemoteKeys{config: c, url: url, name: name, client: fetch.Client(c.Client), jwksURL: url,
		missing: make(map[string]miss)}, nil
}

// Current implements [KeySource]. It is an error if the keys are older than
// MaxStale and cannot be fetched, and if 1,000 requests wait already.
func (k *RemoteKeys) Current(ctx context.Context, now time.Time) (*KeySet, error) {
	f := k.current.Load()
	if f != nil && within(now, f.at, f.fresh) {
		return f.set, nil
	}
	under, mine, err := k.begin(ctx, now)
	serve := f != nil && within(now, f.at, k.config.MaxStale)
	if serve && (!mine || under.retry) {
		return f.set, nil // while a server does not answer, the old keys serve
	}
	if err == nil {
		err = k.join(ctx, under)
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
