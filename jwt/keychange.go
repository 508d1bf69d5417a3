package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatewarden/auth/backend"
)

// errMeanwhile is returned where another instance changed the keys at the same
// time.
var errMeanwhile = errors.New("jwt: the keys were changed at the same time; look at them and try again")

// maxChanges is how often a change is tried that other instances overtake.
const maxChanges = 5

// Add brings a key of one's own. It is published at once and signs from signs
// on: leave Config.Publish between, unless all verifiers know it already. With
// Config.Generate it takes the place of the next key of its algorithm on schedule.
//
// If signs is earlier than that of the key that signs, such as zero, the new key
// never signs while there is that one, and verifies for Config.Keep from now: so
// tokens of a predecessor of this service stay good. A key of an algorithm that is
// not in Config.Algorithms verifies for Config.Keep from signs or now, whichever is
// later. It signs only as long as there has been no key of the first of these, or if
// that is retired without Config.Generate. One of them with signs earlier than
// now signs nothing once its end is written down, whatever Config.Algorithms becomes.
//
// Maintain removes a key that has been dead for Config.Keep, and Add does not know it any more then. So a program that
// adds a key of a file at each start must not have a stolen one in that file.
//
// It is an error if the key cannot sign, if there is one with its identifier, or
// if another instance adds one of its algorithm at the same time.
func (k *Keyring) Add(ctx context.Context, key *Key, signs, now time.Time) error {
	if key == nil || !key.CanSign() {
		return errors.New("jwt: only a key that can sign can be added")
	}
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	added, err := k.add(ctx, key, signs, now)
	if err == nil && !added {
		err = errMeanwhile
	}
	return err
}

// add adds a key after the last one of its algorithm that is known, and reports
// whether that was the last one still. k.busy is held.
func (k *Keyring) add(ctx context.Context, key *Key, signs, now time.Time) (bool, error) {
	last := ""
	for _, r := range k.current.Load().records {
		if r.ID == key.id {
			return false, fmt.Errorf("jwt: there is a key %q already", key.id)
		}
		if r.Algorithm == key.algorithm {
			last = r.ID
		}
	}
	record, err := k.seals.seal(key)
	if err != nil {
		return false, err
	}
	if signs.Before(onlyVerifies) || signs.Before(now) && !k.signsBy(key.algorithm) {
		signs = onlyVerifies
	}
	record.Created, record.SignsFrom = backend.StoreTime(now), backend.StoreTime(signs)
	added, err := k.config.Store.Add(ctx, record, last)
	if err != nil {
		return false, fmt.Errorf("jwt: key store: %w", err)
	}
	if added {
		k.config.Logger.InfoContext(ctx, "jwt: new key", "kid", key.id, "algorithm", string(key.algorithm),
			"signs", record.SignsFrom)
	}
	if err := k.load(ctx, now); err != nil {
		return added, err
	}
	return added, k.writeEnds(ctx, now)
}

// Rotate makes a key of each of these algorithms that takes over after
// Config.Publish, whatever the schedule. No algorithm means each of
// Config.Algorithms, and others are an error. It is an error, too, if another
// instance adds one at the same time.
func (k *Keyring) Rotate(ctx context.Context, now time.Time, algorithms ...Algorithm) error {
	if len(algorithms) == 0 {
		algorithms = k.config.Algorithms
	}
	for _, algorithm := range algorithms {
		if !slices.Contains(k.config.Algorithms, algorithm) {
			return notAmong(algorithm)
		}
	}
	for _, algorithm := range algorithms {
		key, err := k.makeKey(algorithm, k.config.RSABits)
		if err != nil {
			return err
		}
		if err := k.Add(ctx, key, now.Add(k.config.Publish), now); err != nil {
			return err
		}
	}
	return nil
}

// notAmong is the error for an algorithm that the keyring does not sign by.
func notAmong(algorithm Algorithm) error {
	return fmt.Errorf("jwt: the algorithm %q is not among KeyringConfig.Algorithms", algorithm)
}

// Promote lets a key sign at once here, and at other instances after
// Config.Reload. Verifiers that have not fetched it yet refuse what it signs until they
// have. It is an error if there is no such key, if it is dead, if its algorithm
// is not in Config.Algorithms, or if another instance changes the key at the same time,
// such as by Retire. An end that is written down stays, because a clock that is behind
// cannot tell whether Retire wrote it: so it is an error, too, if the key has one.
func (k *Keyring) Promote(ctx context.Context, id string, now time.Time) error {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	info, record, err := k.find(ctx, id, now)
	switch {
	case err != nil:
		return err
	case info.State == KeyDead:
		return fmt.Errorf("jwt: the key %q is dead", id)
	case !record.ExpiresAt.IsZero():
		return fmt.Errorf("jwt: the key %q ends at %v, which is for good: use Keyring.Rotate to make another", id,
			record.ExpiresAt)
	case info.State == KeySigning:
		return nil
	case !slices.Contains(k.config.Algorithms, info.Algorithm):
		return notAmong(info.Algorithm)
	}
	return k.promote(ctx, record, now)
}

// promote moves SignsFrom of a key that is not dead. Others that are dead because
// this one took over must stay so: it is written down first. k.busy is held.
func (k *Keyring) promote(ctx context.Context, record *KeyRecord, now time.Time) error {
	for i, info := range k.infos(now) {
		if info.State == KeyDead && k.current.Load().records[i].ExpiresAt.IsZero() {
			if err := k.writeEnd(ctx, info); err != nil {
				return err
			}
		}
	}
	return k.change(ctx, record, now, time.Time{}, now)
}

// writeEnd writes down when a key ended that is dead by the schedule, so that it stays dead for an
// instance with a longer Config.Keep. k.busy is held.
func (k *Keyring) writeEnd(ctx context.Context, info KeyInfo) error {
	if _, err := k.config.Store.SetEnd(ctx, info.ID, info.ExpiresAt); err != nil {
		return fmt.Errorf("jwt: key store: %w", err)
	}
	return nil
}

// Retire ends the trust in a key at once, as after a theft: what it signed is
// good no more. Other instances follow after Config.Reload, and other services
// when they fetch the keys again. If it was the one that signs, the one of its
// algorithm before it signs again, else the next, else, with Config.Generate, a new
// one. Without that, a key of an algorithm that is not in Config.Algorithms may sign in
// place of the first one. A key that is dead stays so. It is an error if there is no such key.
func (k *Keyring) Retire(ctx context.Context, id string, now time.Time) error {
	stolen, err := k.retire(ctx, id, now)
	if err != nil {
		return err
	}
	return k.provideAll(ctx, stolen, now)
}

// retire ends the trust in a key, and returns the algorithm that it signed for, or "". If another
// instance changes the key at the same time, it looks at the key again: a theft does not wait.
func (k *Keyring) retire(ctx context.Context, id string, now time.Time) (stolen Algorithm, err error) {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	for range maxChanges {
		stolen, err = k.retireOnce(ctx, id, now)
		if !errors.Is(err, errMeanwhile) {
			break
		}
	}
	return stolen, err
}

// retireOnce is one try of retire. k.busy is held.
func (k *Keyring) retireOnce(ctx context.Context, id string, now time.Time) (stolen Algorithm, err error) {
	info, record, err := k.find(ctx, id, now)
	switch {
	case err != nil:
		return "", err
	case info.State == KeyDead:
		return "", k.writeEnd(ctx, info)
	}
	if info.State == KeySigning {
		stolen = k.scheduleOf(info.Algorithm)
	}
	// One that is published only leaves the end of the list, too: by that
	// Store.Add knows which one comes first.
	return stolen, k.change(ctx, record, backend.Earlier(info.SignsFrom, now), now, now)
}

// find loads the keys and describes one of them. k.busy is held.
func (k *Keyring) find(ctx context.Context, id string, now time.Time) (KeyInfo, *KeyRecord, error) {
	if err := k.load(ctx, now); err != nil {
		return KeyInfo{}, nil, err
	}
	infos := k.infos(now)
	i := slices.IndexFunc(infos, func(info KeyInfo) bool { return info.ID == id })
	if i < 0 {
		return KeyInfo{}, nil, fmt.Errorf("jwt: there is no key %q", id)
	}
	return infos[i], k.current.Load().records[i], nil
}

// change writes when a key signs and ends, unless another instance changed it after it was
// read as before. k.busy is held.
func (k *Keyring) change(ctx context.Context, before *KeyRecord, signs, ends, now time.Time) error {
	signs, ends = backend.StoreTime(signs), backend.StoreTime(ends)
	did, err := k.config.Store.Change(ctx, before, signs, ends)
	switch {
	case err != nil:
		return fmt.Errorf("jwt: key store: %w", err)
	case !did:
		return errMeanwhile
	}
	if ends.IsZero() {
		k.config.Logger.InfoContext(ctx, "jwt: key changed", "kid", before.ID, "signs", signs)
	} else {
		k.config.Logger.InfoContext(ctx, "jwt: key trusted no more", "kid", before.ID, "ends", ends)
	}
	return k.load(ctx, now)
}
