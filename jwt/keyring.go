package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/issue"
)

// KeyringConfig is the configuration of a [Keyring]. Store and Keys are required.
type KeyringConfig struct {
	// Store keeps the keys, for all instances that share it.
	Store KeyStore
	// Keys are application keys, each of at least 32 random bytes. The first
	// seals private keys in the store, the others still open what they sealed.
	Keys []auth.Secret

	// Algorithm is that of new keys; empty is ES256.
	Algorithm Algorithm
	// Generate makes a key where there is none, and new ones on schedule. Without
	// it, keys come by Add and Rotate only.
	Generate bool

	// Rotate is how long a key signs until the next takes over; 0 is 90 days.
	// Less than 0 is until Rotate or Promote is called.
	Rotate time.Duration
	// Publish is how long a new key is published before it signs; 0 is a day.
	// Everybody who verifies must have fetched the keys by then: it must be
	// longer than they keep them.
	Publish time.Duration
	// Keep is how long a key verifies after it stopped signing: as long as the
	// longest token lives. 0 is 31 days.
	Keep time.Duration
	// Reload is how often an instance looks for what the others did; 0 is a
	// minute. It must be shorter than Publish.
	Reload time.Duration

	// Logger is told of outages and of what happens to keys. Nil is
	// slog.Default.
	Logger *slog.Logger
}

// Keyring is a [KeySource] of keys that are replaced in time: each is published
// before it signs, and verifies until the last token that it signed has expired.
// Instances share one by its store. It is safe for concurrent use.
//
// The key that signs is the one with the latest Signs that has come. Nothing
// runs by itself: requests look for changes every Config.Reload, and
// [Keyring.Run] makes new keys on schedule.
type Keyring struct {
	config  KeyringConfig
	seals   keySeals
	current atomic.Pointer[ring]
	loading sync.Mutex // held by who asks the store
	opened  map[string]*Key
}

// ring is the keys of a while.
type ring struct {
	set     *KeySet
	records []*KeyRecord
	keys    map[string]*Key
	until   time.Time // when the schedule changes the set; zero is never
	loaded  time.Time // when the store was asked last, or that failed
}

var _ KeySource = (*Keyring)(nil)

// KeyState says what a key of a [Keyring] is for now.
type KeyState string

// The states of a key, in the order of its life.
const (
	KeyPublished KeyState = "published" // verifies already, signs later
	KeySigning   KeyState = "signing"
	KeyVerifying KeyState = "verifying" // signs no more
	KeyDead      KeyState = "dead"      // trusted no more
)

// KeyInfo describes a key of a [Keyring].
type KeyInfo struct {
	ID        string
	Algorithm Algorithm
	State     KeyState
	Created   time.Time
	Signs     time.Time // from when it signs
	Ends      time.Time // when it is trusted no more; zero is not decided
}

// NewKeyring returns a Keyring with what is in the store. With Config.Generate
// and nothing there it makes the first key, which signs at once; of many
// instances that start, one's key is taken. It is an error if a key in the store
// cannot be opened by any of Config.Keys: nothing is made in its place.
func NewKeyring(ctx context.Context, config KeyringConfig) (*Keyring, error) {
	c := config
	switch {
	case c.Store == nil:
		return nil, errors.New("jwt: KeyringConfig.Store is missing")
	case c.Publish < 0 || c.Keep < 0 || c.Reload < 0:
		return nil, errors.New("jwt: negative Publish, Keep or Reload")
	}
	c.Algorithm = or(c.Algorithm, ES256)
	c.Rotate = or(c.Rotate, 90*24*time.Hour)
	c.Publish = or(c.Publish, 24*time.Hour)
	c.Keep = or(c.Keep, 31*24*time.Hour)
	c.Reload = or(c.Reload, time.Minute)
	switch {
	case methods[c.Algorithm].SigningMethod == nil:
		return nil, fmt.Errorf("jwt: there is no algorithm %q here", c.Algorithm)
	case c.Reload >= c.Publish:
		return nil, errors.New("jwt: Reload is not shorter than Publish: an instance would sign with keys that others have not seen")
	case c.Rotate > 0 && c.Rotate <= c.Publish:
		return nil, errors.New("jwt: Rotate is not longer than Publish")
	}
	seals, err := newKeySeals(c.Keys)
	if err != nil {
		return nil, err
	}
	k := &Keyring{config: c, seals: seals, opened: make(map[string]*Key)}
	now := issue.Instant(time.Now())
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := k.load(ctx, now); err != nil {
		return nil, err
	}
	if c.Generate && k.current.Load().set.Signing() == nil {
		if err := k.generate(ctx, now, now); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Keep returns Config.Keep.
func (k *Keyring) Keep() time.Duration { return k.config.Keep }

// Current implements [KeySource]. While the store is down it returns the keys
// that are known, which the schedule goes on to move: they are the service's
// own, and an outage says nothing about them.
func (k *Keyring) Current(ctx context.Context, now time.Time) (*KeySet, error) {
	r := k.current.Load()
	if r.fresh(now) && now.Sub(r.loaded) < k.config.Reload {
		return r.set, nil
	}
	if now.Sub(r.loaded) < k.config.Reload {
		k.loading.Lock()
	} else if !k.loading.TryLock() { // somebody asks the store; the others go on
		if r.fresh(now) {
			return r.set, nil
		}
		k.loading.Lock()
	}
	defer k.loading.Unlock()
	k.refresh(ctx, now, k.config.Reload)
	return k.current.Load().set, nil
}

// fresh reports whether the schedule has not moved on.
func (r *ring) fresh(now time.Time) bool { return r.until.IsZero() || now.Before(r.until) }

// renewAfter is how often unknown identifiers make an instance ask the store.
const renewAfter = 5 * time.Second

// Renew implements [KeySource]: it asks the store, but at most every 5 seconds.
func (k *Keyring) Renew(ctx context.Context, id string, now time.Time) (*KeySet, error) {
	k.loading.Lock()
	defer k.loading.Unlock()
	if set := k.current.Load().set; set.has(id) {
		return set, nil
	}
	k.refresh(ctx, now, min(renewAfter, k.config.Reload))
	return k.current.Load().set, nil
}

// refresh brings the ring up to date: by the store if that was asked longer ago
// than every, and by the schedule. k.loading is held.
func (k *Keyring) refresh(ctx context.Context, now time.Time, every time.Duration) {
	r := k.current.Load()
	if now.Sub(r.loaded) >= every {
		// The next request must not find this one's client gone.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		if err := k.load(ctx, now); err == nil {
			return
		} else {
			k.logger().ErrorContext(ctx, "jwt: cannot load keys, going on with those that are known", "error", err)
		}
		failed := *r
		failed.loaded = now
		r = &failed
		k.current.Store(r)
	}
	if !r.fresh(now) {
		k.current.Store(k.arrange(r.records, r.keys, r.loaded, now))
	}
}

// loadTimeout is how long the store may take.
const loadTimeout = 10 * time.Second

// load asks the store. k.loading is held.
func (k *Keyring) load(ctx context.Context, now time.Time) error {
	records, err := k.config.Store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("jwt: key store: %w", err)
	}
	keys := make(map[string]*Key, len(records))
	for _, r := range records {
		key := k.opened[r.ID]
		if key == nil {
			if key, err = k.seals.open(r); err != nil {
				return err
			}
		}
		keys[r.ID] = key
	}
	k.opened = keys
	k.current.Store(k.arrange(records, keys, now, now))
	return nil
}

// arrange decides what each key is for at now.
func (k *Keyring) arrange(records []*KeyRecord, keys map[string]*Key, loaded, now time.Time) *ring {
	r := &ring{records: records, keys: keys, loaded: loaded}
	var signing *Key
	var others []*Key
	for _, info := range k.infos(records, now) {
		change := info.Ends
		switch info.State {
		case KeySigning:
			signing = keys[info.ID]
		case KeyPublished:
			change = issue.Earlier(change, info.Signs)
			others = append(others, keys[info.ID])
		case KeyVerifying:
			others = append(others, keys[info.ID])
		case KeyDead:
			continue
		}
		r.until = issue.Earlier(r.until, change)
	}
	all := others
	if signing != nil {
		all = slices.Insert(others, 0, signing)
	}
	r.set = newKeySet(signing, all)
	if before := k.current.Load(); before != nil && r.set.same(before.set) {
		r.set = before.set // what was verified stays remembered
	}
	return r
}

// infos says what the keys are for at now, in order of Signs.
func (k *Keyring) infos(records []*KeyRecord, now time.Time) []KeyInfo {
	infos := make([]KeyInfo, len(records))
	for i, r := range records {
		infos[i] = KeyInfo{ID: r.ID, Algorithm: r.Algorithm, Created: r.Created, Signs: r.Signs, Ends: r.Ends}
	}
	slices.SortFunc(infos, func(a, b KeyInfo) int { return cmp.Or(a.Signs.Compare(b.Signs), cmp.Compare(a.ID, b.ID)) })
	alive := func(i KeyInfo, at time.Time) bool { return i.Ends.IsZero() || at.Before(i.Ends) }
	signing := -1
	for i := range infos {
		if !infos[i].Signs.After(now) && alive(infos[i], now) {
			signing = i
		}
	}
	for i := range infos {
		switch {
		case i == signing:
			infos[i].State = KeySigning
		case infos[i].Signs.After(now) && alive(infos[i], now):
			infos[i].State = KeyPublished
		default:
			// It stopped signing when the next one began, at the latest: one
			// that was retired may have given the task back.
			for _, next := range infos[i+1:] {
				if !next.Signs.After(now) && alive(next, now) {
					infos[i].Ends = issue.Earlier(infos[i].Ends, next.Signs.Add(k.config.Keep))
					break
				}
			}
			if infos[i].State = KeyVerifying; !alive(infos[i], now) {
				infos[i].State = KeyDead
			}
		}
	}
	return infos
}

// List describes all keys at now, in the order in which they sign.
func (k *Keyring) List(ctx context.Context, now time.Time) ([]KeyInfo, error) {
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := k.load(ctx, now); err != nil {
		return nil, err
	}
	return k.infos(k.current.Load().records, now), nil
}

// errMeanwhile is returned where another instance changed the keys at the same
// time.
var errMeanwhile = errors.New("jwt: the keys were changed at the same time; look at them and try again")

// Add brings a key of one's own, which signs from signs on, and is published at
// once: leave Config.Publish between, unless all who verify know it already. It
// is an error if the key cannot sign, if there is one with its identifier, or if
// another instance adds one at the same time.
func (k *Keyring) Add(ctx context.Context, key *Key, signs, now time.Time) error {
	if key == nil || !key.CanSign() {
		return errors.New("jwt: only a key that can sign can be added")
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	added, err := k.add(ctx, key, signs, now)
	if err == nil && !added {
		err = errMeanwhile
	}
	return err
}

// add adds a key after the last one that is known, and reports whether that was
// the last one still. k.loading is held.
func (k *Keyring) add(ctx context.Context, key *Key, signs, now time.Time) (bool, error) {
	last := ""
	if records := k.current.Load().records; len(records) > 0 {
		last = records[len(records)-1].ID
		if slices.ContainsFunc(records, func(r *KeyRecord) bool { return r.ID == key.id }) {
			return false, fmt.Errorf("jwt: there is a key %q already", key.id)
		}
	}
	record, err := k.seals.seal(key)
	if err != nil {
		return false, err
	}
	record.Created, record.Signs = issue.Instant(now), issue.Instant(signs)
	added, err := k.config.Store.Add(ctx, record, last)
	if err != nil {
		return false, fmt.Errorf("jwt: key store: %w", err)
	}
	if added {
		k.logger().InfoContext(ctx, "jwt: new key", "kid", key.id, "algorithm", string(key.algorithm), "signs", record.Signs)
	}
	return added, k.load(ctx, now)
}

// generate makes a key, unless another instance just did. k.loading is held.
func (k *Keyring) generate(ctx context.Context, signs, now time.Time) error {
	key, err := GenerateKey(k.config.Algorithm)
	if err != nil {
		return err
	}
	_, err = k.add(ctx, key, signs, now)
	return err
}

// Rotate makes a key that takes over after Config.Publish, whatever the schedule.
func (k *Keyring) Rotate(ctx context.Context, now time.Time) error {
	key, err := GenerateKey(k.config.Algorithm)
	if err != nil {
		return err
	}
	return k.Add(ctx, key, now.Add(k.config.Publish), now)
}

// Promote lets a key sign at once, but one that was retired. Who has not fetched
// it yet refuses what it signs until they have.
func (k *Keyring) Promote(ctx context.Context, id string, now time.Time) error {
	return k.change(ctx, id, now, func(r *KeyRecord) (signs, ends time.Time) { return issue.Instant(now), r.Ends })
}

// Retire ends the trust in a key at once, as after a theft: what it signed is
// good no more. If it was the one that signs, the one before it signs again or,
// with Config.Generate, a new one does.
func (k *Keyring) Retire(ctx context.Context, id string, now time.Time) error {
	if err := k.change(ctx, id, now, func(r *KeyRecord) (signs, ends time.Time) { return r.Signs, issue.Instant(now) }); err != nil {
		return err
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	if k.config.Generate && k.current.Load().set.Signing() == nil {
		return k.generate(ctx, now, now)
	}
	return nil
}

func (k *Keyring) change(ctx context.Context, id string, now time.Time, times func(*KeyRecord) (signs, ends time.Time)) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	i := slices.IndexFunc(k.current.Load().records, func(r *KeyRecord) bool { return r.ID == id })
	if i < 0 {
		return fmt.Errorf("jwt: there is no key %q", id)
	}
	record := k.current.Load().records[i]
	if !record.Ends.IsZero() && !now.Before(record.Ends) {
		return fmt.Errorf("jwt: the key %q was retired", id)
	}
	signs, ends := times(record)
	found, err := k.config.Store.Change(ctx, id, signs, ends)
	switch {
	case err != nil:
		return fmt.Errorf("jwt: key store: %w", err)
	case !found:
		return errMeanwhile
	}
	k.logger().InfoContext(ctx, "jwt: key changed", "kid", id, "signs", signs, "ends", ends)
	return k.load(ctx, now)
}

// Tend does what is due at now: it makes the next key, with Config.Generate, and
// removes keys that have been dead for Config.Keep. [Keyring.Run] calls it.
func (k *Keyring) Tend(ctx context.Context, now time.Time) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	if due, signs := k.nextKey(now); due {
		if err := k.generate(ctx, signs, now); err != nil {
			return err
		}
	}
	for _, info := range k.infos(k.current.Load().records, now) {
		if info.State == KeyDead && !now.Before(info.Ends.Add(k.config.Keep)) {
			if _, err := k.config.Store.Remove(ctx, info.ID); err != nil {
				return fmt.Errorf("jwt: key store: %w", err)
			}
		}
	}
	return nil
}

// nextKey reports whether the next key is to be made now, and when it signs.
func (k *Keyring) nextKey(now time.Time) (due bool, signs time.Time) {
	if !k.config.Generate || k.config.Rotate < 0 {
		return false, signs
	}
	for _, info := range k.infos(k.current.Load().records, now) {
		switch info.State {
		case KeyPublished: // the next one is there
			return false, signs
		case KeySigning:
			signs = info.Signs.Add(k.config.Rotate)
		}
	}
	if signs.IsZero() {
		return true, now // there is none
	}
	earliest := now.Add(k.config.Publish)
	if signs.Before(earliest) { // nobody was there to do it in time
		signs = earliest
	}
	return !signs.After(earliest), signs
}

// Run calls Tend every Config.Reload, until ctx ends, and returns its error. Any
// number of instances may: of a key that is due, one makes it.
func (k *Keyring) Run(ctx context.Context) error {
	ticker := time.NewTicker(k.config.Reload)
	defer ticker.Stop()
	for {
		if err := k.Tend(ctx, issue.Instant(time.Now())); err != nil && ctx.Err() == nil {
			k.logger().ErrorContext(ctx, "jwt: cannot tend the keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (k *Keyring) logger() *slog.Logger {
	if k.config.Logger != nil {
		return k.config.Logger
	}
	return slog.Default()
}
