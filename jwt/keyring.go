package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// KeyringConfig is the configuration of a [Keyring]. Store and Keys are
// required. Instances that share a Store must agree on Algorithms, Rotate, Publish and Keep.
type KeyringConfig struct {
	// Store keeps the keys, for all instances that share it.
	Store KeyStore
	// Keys are application keys, each of at least 32 random bytes. The first
	// seals private keys in the store, the others still open what they sealed.
	// To change it, give the new one to all instances in second place, then put
	// it first. The old one can go when all keys that are older are dead.
	Keys []auth.Secret

	// Algorithms are those that keys sign by: one key of each at a time, each with a
	// schedule of its own. The first is that of the tokens of [Tokens] and of access
	// tokens. Nil is ES256, and RS256 for the ID tokens of an OpenID provider (OpenID
	// Connect Core §15.1). One that is added later gets its key at once, with Generate.
	// If that is the first, the key of its predecessor signs until the new one has been
	// published for Publish, which signs what asks for its algorithm before, too.
	//
	// The key of one that is taken out verifies for Keep from then on: the first instance
	// without the algorithm writes down when it ends, at its start or in Maintain. If that was
	// a mistake, give all instances the algorithm again: with Generate the next key is made
	// at once, and without it call Rotate, since the end stays. Symmetric keys are never
	// published: only instances that share the store can check their tokens.
	Algorithms []Algorithm
	// RSABits is the length of new RSA keys, from 2048 to 8192. 0 is 3072. A shorter key
	// signs faster: 2048 takes about a third of the time, and NIST SP 800-57 has it as
	// strong enough until 2030.
	RSABits int
	// Generate makes a key of each algorithm that has no key, and new ones on
	// schedule. Without it, keys come by Add and Rotate only.
	Generate bool

	// Rotate is how long a key signs until the next takes over. 0 is 90 days.
	// Less than 0 is until Rotate or Promote is called.
	Rotate time.Duration
	// Publish is how long a new key is published before it signs. 0 is a day.
	// All verifiers must have fetched the keys by then: it must be
	// longer than they keep them.
	Publish time.Duration
	// Keep is how long a key verifies after it stopped signing: as long as the
	// longest token lives. 0 is 31 days.
	Keep time.Duration
	// Reload is how often an instance looks for what the others did. 0 is a
	// minute. It must be shorter than Publish.
	Reload time.Duration

	// Logger is told of outages and of what happens to keys. Nil is
	// slog.Default.
	Logger *slog.Logger
}

// Format shows nothing of it, since package fmt prints an [auth.Secret] that it
// finds behind a pointer by a verb that does not fit.
func (KeyringConfig) Format(f fmt.State, _ rune) { redact.WriteType(f, "jwt.KeyringConfig") }

// Keyring is a [KeySource] of keys that are replaced in time: each is published
// before it signs, and verifies until the last token that it signed has expired.
// Instances share one by its store. It is safe for concurrent use.
//
// Of each algorithm, the key that signs is the one with the latest SignsFrom that has
// come, and that is trusted. [Keyring.Run] looks for changes every Config.Reload, and makes new
// keys on schedule. Without it a request looks for changes every Config.Reload,
// and nothing is made.
type Keyring struct {
	config  KeyringConfig
	seals   keySeals
	derive  func(purpose string) ([]auth.Secret, error)
	current atomic.Pointer[keySnapshot]
	asked   atomic.Int64 // when the store was asked last, in nanoseconds since 1970
	running atomic.Int32 // calls of Run

	busy   chan struct{}   // holds one value while somebody asks the store
	opened map[string]*Key // by what is sealed, guarded by busy

	makeKey func(algorithm Algorithm, bits int) (*Key, error)
}

var _ KeySource = (*Keyring)(nil)

// KeyState says what a key of a [Keyring] is for now.
type KeyState string

// The states of a key, in the order of its life.
const (
	KeyPublished KeyState = "published" // verifies already, signs later
	KeySigning   KeyState = "signing"
	KeyVerifying KeyState = "verifying" // signs no more
	KeyDead      KeyState = "dead"      // trusted no more, for ever
)

// KeyInfo describes a key of a [Keyring].
type KeyInfo struct {
	ID        string
	Algorithm Algorithm
	State     KeyState
	Created   time.Time
	SignsFrom time.Time // from when it signs
	ExpiresAt time.Time // when it is trusted no more, zero is not decided
}

const (
	// storeTimeout is how long an operation may take.
	storeTimeout = 10 * time.Second
	// renewAfter is how often unknown identifiers make an instance ask the store.
	renewAfter = 5 * time.Second
)

// NewKeyring returns a Keyring with what is in the store. With Config.Generate it
// makes the first key of each algorithm without a key, which signs at once. Of many
// instances that start, one's key is taken. It is an error if a key in the store
// that is not dead cannot be opened by any of Config.Keys: nothing is made in
// its place.
func NewKeyring(ctx context.Context, config KeyringConfig) (*Keyring, error) {
	c := config
	if c.Algorithms = slices.Clone(c.Algorithms); c.Algorithms == nil {
		c.Algorithms = []Algorithm{ES256, RS256}
	}
	c.Rotate = cmp.Or(c.Rotate, 90*24*time.Hour)
	c.Publish = cmp.Or(c.Publish, 24*time.Hour)
	c.Keep = cmp.Or(c.Keep, 31*24*time.Hour)
	c.Reload = cmp.Or(c.Reload, time.Minute)
	c.RSABits = cmp.Or(c.RSABits, defaultRSA)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	s := backend.Settings{Package: "jwt"}
	s.Need("KeyringConfig.Store", c.Store)
	s.Refuse(c.Publish < 0 || c.Keep < 0 || c.Reload < 0, "Publish, Keep or Reload is negative")
	c.checkAlgorithms(&s)
	s.Refuse(c.RSABits < minRSA || c.RSABits > maxRSA, "RSABits is not within %d and %d", minRSA, maxRSA)
	s.Refuse(c.Reload >= c.Publish,
		"Reload is not shorter than Publish, so that an instance would sign with keys that others have not seen")
	s.Refuse(c.Rotate > 0 && c.Rotate <= c.Publish, "Rotate is not longer than Publish")
	seals, err := newKeySeals(c.Keys)
	if err := errors.Join(s.Err(), err); err != nil {
		return nil, err
	}
	derive := deriver(slices.Clone(c.Keys))
	c.Keys = nil // they are in the seals, and nowhere that could be printed
	k := &Keyring{config: c, seals: seals, derive: derive, busy: make(chan struct{}, 1), makeKey: generateKey}
	now := backend.StoreTime(time.Now())
	if err := k.start(ctx, now); err != nil {
		return nil, err
	}
	if c.Generate {
		if err := k.provideAll(ctx, "", now); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// start loads the keys of the store, and refuses any that it cannot open.
func (k *Keyring) start(ctx context.Context, now time.Time) error {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	if err := k.current.Load().openErr; err != nil {
		return err
	}
	return k.writeEnds(ctx, now)
}

// checkAlgorithms refuses algorithms that are unknown or there twice.
func (c *KeyringConfig) checkAlgorithms(s *backend.Settings) {
	s.Refuse(len(c.Algorithms) == 0, "Algorithms is empty, and not left out")
	for i, algorithm := range c.Algorithms {
		s.Refuse(methods[algorithm].SigningMethod == nil, "there is no algorithm %q here", algorithm)
		s.Refuse(slices.Contains(c.Algorithms[:i], algorithm), "the algorithm %q is there twice", algorithm)
	}
}

// Algorithms returns those that keys sign by, Config.Algorithms.
func (k *Keyring) Algorithms() []Algorithm { return slices.Clone(k.config.Algorithms) }

// Keep returns Config.Keep.
func (k *Keyring) Keep() time.Duration { return k.config.Keep }

// Format writes what it is, whatever the verb, and not its secrets.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "jwt.Keyring") }

// Current implements [KeySource]. While the store is down it returns the keys
// that are known, which the schedule goes on to move: they are the service's
// own, and an outage says nothing about them. It returns no error.
func (k *Keyring) Current(ctx context.Context, now time.Time) (*KeySet, error) {
	every := k.config.Reload
	if k.running.Load() > 0 { // Run asks first, and no request waits for it
		every *= 2
	}
	if k.stale(now, every) {
		select {
		case k.busy <- struct{}{}:
			k.reload(ctx, now, every)
		default: // somebody asks the store, the others go on
		}
	}
	return k.at(now), nil
}

// Renew implements [KeySource]: it asks the store, but at most every 5 seconds.
// Its only error is that of ctx, while another call asks.
func (k *Keyring) Renew(ctx context.Context, id string, now time.Time) (*KeySet, error) {
	if set := k.at(now); set.has(id) {
		return set, nil
	}
	select {
	case k.busy <- struct{}{}: // after the caller that is asking now, for its answer counts
		if k.at(now).has(id) {
			<-k.busy
		} else {
			k.reload(ctx, now, min(renewAfter, k.config.Reload))
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return k.at(now), nil
}

// begin waits until no other caller asks the store. Then it returns a context for
// one operation, and what ends that.
func (k *Keyring) begin(ctx context.Context) (context.Context, func(), error) {
	select {
	case k.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	return ctx, func() { cancel(); <-k.busy }, nil
}

// stale reports whether the store was asked longer ago than every, or the clock
// was set back.
func (k *Keyring) stale(now time.Time, every time.Duration) bool {
	age := time.Duration(now.UnixNano() - k.asked.Load())
	return age >= every || age <= -every
}

// reload asks the store if that was longer ago than every. k.busy is held, and
// given back. The next request must not find this one's client gone.
func (k *Keyring) reload(ctx context.Context, now time.Time, every time.Duration) {
	defer func() { <-k.busy }()
	if !k.stale(now, every) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := k.load(ctx, now); err != nil {
		k.config.Logger.ErrorContext(ctx, "jwt: cannot load keys, going on with those that are known", "error", err)
	}
}

// load asks the store. k.busy is held.
func (k *Keyring) load(ctx context.Context, now time.Time) error {
	k.asked.Store(now.UnixNano())
	records, err := k.config.Store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("jwt: key store: %w", err)
	}
	r := newSnapshot(records)
	opened := make(map[string]*Key, len(records))
	for i, info := range k.statesAt(r.records, now) {
		if info.State == KeyDead {
			continue
		}
		record := r.records[i]
		sealed := string(record.bound()) + "\x00" + string(record.Sealed)
		key := k.opened[sealed]
		if key == nil {
			if key, err = k.seals.open(record); err != nil {
				r.openErr, r.unopened[record.ID] = errors.Join(r.openErr, err), true
				continue
			}
		}
		opened[sealed], r.keys[record.ID] = key, key
	}
	if r.openErr != nil {
		// What the others say of the keys that do open counts all the same: one
		// of them may have been stolen.
		k.config.Logger.ErrorContext(ctx, "jwt: going on without keys that cannot be opened", "error", r.openErr)
	}
	k.opened = opened
	k.current.Store(k.withSetAt(r, now))
	return nil
}

// at returns the set of an instant, of the records that are known. The caller that comes
// first when the schedule moves on computes it for all.
func (k *Keyring) at(now time.Time) *KeySet {
	for {
		r := k.current.Load()
		if r.validUntil.IsZero() || now.Before(r.validUntil) {
			return r.set
		}
		k.current.CompareAndSwap(r, k.withSetAt(r, now))
	}
}

// List describes all keys at now, in the order in which they sign.
func (k *Keyring) List(ctx context.Context, now time.Time) ([]KeyInfo, error) {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return nil, err
	}
	return k.infos(now), nil
}

// infos describes all keys that are known, those that cannot be opened too.
func (k *Keyring) infos(now time.Time) []KeyInfo {
	return k.statesAt(k.current.Load().records, now)
}
