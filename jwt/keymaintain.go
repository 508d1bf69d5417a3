package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/backend"
)

// Maintain does what is due at now: it makes the next keys, with Config.Generate, writes down when keys
// of algorithms that are not in Config.Algorithms end, and removes keys that have been dead for
// Config.Keep. [Keyring.Run] calls it.
func (k *Keyring) Maintain(ctx context.Context, now time.Time) error {
	if err := k.removeDead(ctx, now); err != nil {
		return err
	}
	if !k.config.Generate {
		return nil
	}
	for _, algorithm := range k.config.Algorithms {
		err := k.provide(ctx, algorithm, now, func() missingKey {
			if n := k.missingKeyOf(algorithm, false, now); n != (missingKey{}) {
				return n
			}
			return k.nextKey(algorithm, now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeDead writes down which keys end, and removes those that have been dead for Config.Keep.
func (k *Keyring) removeDead(ctx context.Context, now time.Time) error {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	if err := k.writeEnds(ctx, now); err != nil {
		return err
	}
	for i, info := range k.infos(now) {
		written := !k.current.Load().records[i].ExpiresAt.IsZero()
		if written && info.State == KeyDead && !now.Before(info.ExpiresAt.Add(k.config.Keep)) {
			if _, err := k.config.Store.Remove(ctx, info.ID); err != nil {
				return fmt.Errorf("jwt: key store: %w", err)
			}
		}
	}
	return nil
}

// writeEnds writes down what another configuration could not know: when a key of an algorithm that is
// not in Config.Algorithms ends, which may have signed elsewhere until now, and that a key is dead.
// While a key cannot be opened it is not sure which one signs, so it waits. k.busy is held.
func (k *Keyring) writeEnds(ctx context.Context, now time.Time) error {
	r := k.current.Load()
	if r.openErr != nil {
		return nil
	}
	stale := false
	infos := k.infos(now)
	for i, info := range infos {
		if !r.records[i].ExpiresAt.IsZero() {
			continue
		}
		ends := k.endOf(info, infos, now)
		if ends.IsZero() {
			continue
		}
		did, err := k.config.Store.SetEnd(ctx, info.ID, ends)
		if err != nil {
			return fmt.Errorf("jwt: key store: %w", err)
		}
		stale = true // if it did not, another instance changed the key
		if did && info.State != KeyDead {
			k.config.Logger.WarnContext(ctx, "jwt: a key ends, since its algorithm is not in KeyringConfig.Algorithms",
				"kid", info.ID, "algorithm", string(info.Algorithm), "ends", ends)
		}
	}
	if !stale {
		return nil
	}
	return k.load(ctx, now)
}

// endOf returns when a key ends if its record does not say so, or zero if that is not sure or need
// not be written down.
func (k *Keyring) endOf(info KeyInfo, infos []KeyInfo, now time.Time) time.Time {
	switch {
	case info.State == KeyDead:
		return info.ExpiresAt
	case k.signsBy(info.Algorithm):
		return time.Time{}
	case info.State == KeyVerifying && info.ExpiresAt.IsZero():
		return backend.StoreTime(now.Add(k.config.Keep))
	case info.State == KeySigning: // until one of the first algorithm does
		for _, next := range infos {
			if next.State == KeyPublished && next.Algorithm == k.config.Algorithms[0] {
				return backend.StoreTime(next.SignsFrom.Add(k.config.Keep))
			}
		}
	}
	return time.Time{}
}

// missingKey is the key that an algorithm needs. Its zero value is that it needs no key.
type missingKey struct {
	promote *KeyRecord // a key that is published, to sign from now, or nil
	make    bool       // whether a key must be made
	signs   time.Time  // from when the one that is made signs
}

// missingKeyOf returns what an algorithm needs to sign: the next key or, with Config.Generate, a new one.
// A key of another algorithm signs in its place while the new one is published. After a theft
// there is no time for that. A key that is published and has an end was retired, although a clock
// that is behind does not say so.
func (k *Keyring) missingKeyOf(algorithm Algorithm, stolen bool, now time.Time) missingKey {
	var next, otherNext *KeyRecord
	otherSigns := false
	records := k.current.Load().records
	for i, info := range k.statesAt(records, now) {
		own := info.Algorithm == algorithm
		switch {
		case k.scheduleOf(info.Algorithm) != algorithm:
		case info.State == KeyPublished && !records[i].ExpiresAt.IsZero():
		case info.State == KeySigning && own:
			return missingKey{}
		case info.State == KeySigning:
			otherSigns = true
		case info.State == KeyPublished && own:
			next = cmp.Or(next, records[i])
		case info.State == KeyPublished:
			otherNext = cmp.Or(otherNext, records[i])
		}
	}
	switch {
	case otherSigns && !stolen && k.config.Generate && next == nil:
		return missingKey{make: true, signs: now.Add(k.config.Publish)}
	case otherSigns && (!stolen || !k.config.Generate):
		return missingKey{}
	case next != nil:
		return missingKey{promote: next}
	case k.config.Generate:
		return missingKey{make: true, signs: now}
	}
	return missingKey{promote: otherNext}
}

// nextKey returns the next key of an algorithm, if it is to be made now: in time before the one that
// signs is replaced, or so that this signs nothing that would outlive it.
func (k *Keyring) nextKey(algorithm Algorithm, now time.Time) missingKey {
	var signs time.Time
	for _, info := range k.infos(now) {
		switch {
		case info.Algorithm != algorithm:
		case info.State == KeyPublished: // the next one is there
			return missingKey{}
		case info.State == KeySigning:
			if k.config.Rotate > 0 {
				signs = info.SignsFrom.Add(k.config.Rotate)
			}
			if !info.ExpiresAt.IsZero() {
				signs = backend.Earlier(signs, info.ExpiresAt.Add(-k.config.Keep))
			}
		}
	}
	if signs.IsZero() {
		return missingKey{}
	}
	earliest := now.Add(k.config.Publish)
	if signs.Before(earliest) { // it was not made in time
		signs = earliest
	}
	return missingKey{make: !signs.After(earliest), signs: signs}
}

// provideAll lets a key of each algorithm sign if it has no key. stolen is the algorithm of a key that
// signed and was retired, or "". k.busy is not held.
func (k *Keyring) provideAll(ctx context.Context, stolen Algorithm, now time.Time) error {
	for _, algorithm := range k.config.Algorithms {
		err := k.provide(ctx, algorithm, now, func() missingKey {
			return k.missingKeyOf(algorithm, algorithm == stolen, now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// provide makes or promotes the key that missing returns, unless another instance just did. If another instance
// changes the key at the same time, such as by Retire, it calls missing again and tries once more.
func (k *Keyring) provide(ctx context.Context, algorithm Algorithm, now time.Time,
	missing func() missingKey) (err error) {
	for range maxChanges {
		err = k.provideOnce(ctx, algorithm, now, missing)
		if !errors.Is(err, errMeanwhile) {
			break
		}
	}
	return err
}

// provideOnce is one try of provide. To make an RSA key may take seconds, in which requests must find k.busy free.
func (k *Keyring) provideOnce(ctx context.Context, algorithm Algorithm, now time.Time,
	missing func() missingKey) error {
	first := missing()
	if !first.make && first.promote == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var key *Key
	var err error
	if first.make {
		if key, err = k.makeKey(algorithm, k.config.RSABits); err != nil {
			return err
		}
	}
	ctx, end, err := k.begin(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	switch again := missing(); {
	case again.promote != nil:
		if err = k.promote(ctx, again.promote, now); errors.Is(err, errMeanwhile) {
			return errors.Join(err, k.load(ctx, now)) // for the next try
		}
	case again.make && key == nil: // the key to promote was retired meanwhile
		return errMeanwhile
	case again.make:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		_, err = k.add(ctx, key, again.signs, now)
	}
	return err
}

// Run calls Maintain every Config.Reload, until ctx ends, and returns its error. Any
// number of instances may: of a key that is due, one makes it. While Run runs,
// requests do not wait for the store, but for a token that names an unknown key.
func (k *Keyring) Run(ctx context.Context) error {
	k.running.Add(1)
	defer k.running.Add(-1)
	ticker := time.NewTicker(k.config.Reload)
	defer ticker.Stop()
	for {
		if err := k.Maintain(ctx, backend.StoreTime(time.Now())); err != nil && ctx.Err() == nil {
			k.config.Logger.ErrorContext(ctx, "jwt: cannot maintain the keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
