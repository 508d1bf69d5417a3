package jwt

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatewarden/auth/backend"
)

// ring is the keys of a while. It is immutable once it is arranged.
type ring struct {
	records []*KeyRecord    // in order of Signs, then of ID
	keys    map[string]*Key // by ID: those that are not dead and could be opened
	sealed  error           // why others that are not dead could not
	shut    map[string]bool // those others
	set     *KeySet
	until   time.Time // when the schedule changes the set; zero is never
}

func newRing(records []*KeyRecord) *ring {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b *KeyRecord) int { return cmp.Or(a.Signs.Compare(b.Signs), cmp.Compare(a.ID, b.ID)) })
	return &ring{records: records, keys: make(map[string]*Key, len(records)), shut: make(map[string]bool)}
}

// arrange returns the ring with its set of now: the key that signs, and those
// that verify. One that could not be opened takes nothing over.
func (k *Keyring) arrange(old *ring, now time.Time) *ring {
	r := *old
	r.until = time.Time{}
	var signing *Key
	var all []*Key
	usable := slices.DeleteFunc(slices.Clone(r.records), func(record *KeyRecord) bool { return r.shut[record.ID] })
	for _, info := range plan(usable, k.config.Keep, now) {
		key := r.keys[info.ID]
		if info.State == KeyDead || key == nil {
			continue
		}
		r.until = backend.Earlier(r.until, info.ExpiresAt)
		switch info.State {
		case KeySigning:
			signing = key
			all = slices.Insert(all, 0, key)
		case KeyPublished:
			r.until = backend.Earlier(r.until, info.Signs)
			all = append(all, key)
		default:
			all = append(all, key)
		}
	}
	r.set = newKeySet(signing, all)
	if before := k.current.Load(); before != nil && r.set.same(before.set) {
		r.set = before.set // what was verified stays remembered
	}
	return &r
}

// plan says what each key is for at now, in the order of the records. It goes
// through all instants at which a key began to sign or was retired: a key signs
// from its Signs until one with a later Signs does, again if that is retired,
// and verifies for keep after it signed last. What has died never comes back.
func plan(records []*KeyRecord, keep time.Duration, now time.Time) []KeyInfo {
	infos := make([]KeyInfo, len(records))
	begins := make([]time.Time, len(records))
	var instants []time.Time
	for i, r := range records {
		infos[i] = KeyInfo{ID: r.ID, Algorithm: r.Algorithm, Created: r.Created, Signs: r.Signs, ExpiresAt: r.ExpiresAt}
		begins[i] = r.Signs
		if r.Signs.Before(r.Created) { // brought for what it signed elsewhere
			begins[i] = backend.Earlier(r.Created, now) // by a clock that may be ahead of ours
		}
		for _, at := range []time.Time{begins[i], r.ExpiresAt} {
			if !at.IsZero() && !at.After(now) {
				instants = append(instants, at)
			}
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	trusted := func(i int, at time.Time) bool { return infos[i].ExpiresAt.IsZero() || at.Before(infos[i].ExpiresAt) }
	signing := -1
	for _, at := range instants {
		before := signing
		signing = -1
		for i := range infos {
			if !begins[i].After(at) && trusted(i, at) {
				signing = i
			}
		}
		for i := range infos {
			switch {
			case i == signing:
				infos[i].ExpiresAt = records[i].ExpiresAt
			case i == before || begins[i].Equal(at):
				infos[i].ExpiresAt = backend.Earlier(records[i].ExpiresAt, at.Add(keep))
			}
		}
	}
	for i := range infos {
		switch {
		case !trusted(i, now):
			infos[i].State = KeyDead
		case i == signing:
			infos[i].State = KeySigning
		case begins[i].After(now):
			infos[i].State = KeyPublished
		default:
			infos[i].State = KeyVerifying
		}
	}
	return infos
}

// nextKey reports whether the next key is to be made now, and when it signs.
func (k *Keyring) nextKey(now time.Time) (due bool, signs time.Time) {
	if k.config.Rotate < 0 {
		return false, signs
	}
	for _, info := range k.infos(now) {
		switch info.State {
		case KeyPublished: // the next one is there
			return false, signs
		case KeySigning:
			signs = info.Signs.Add(k.config.Rotate)
		}
	}
	earliest := now.Add(k.config.Publish)
	if signs.Before(earliest) { // nobody was there to do it in time
		signs = earliest
	}
	return !signs.After(earliest), signs
}

// Tend does what is due at now: it makes the next key, with Config.Generate, and
// removes keys that have been dead for Config.Keep. [Keyring.Run] calls it.
func (k *Keyring) Tend(ctx context.Context, now time.Time) error {
	ctx, end, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := k.load(ctx, now); err != nil {
		return err
	}
	if k.config.Generate {
		if err := k.ensure(ctx, now); err != nil {
			return err
		}
		if due, signs := k.nextKey(now); due {
			if err := k.generate(ctx, signs, now); err != nil {
				return err
			}
		}
	}
	for _, info := range k.infos(now) {
		if info.State == KeyDead && !now.Before(info.ExpiresAt.Add(k.config.Keep)) {
			if _, err := k.config.Store.Remove(ctx, info.ID); err != nil {
				return fmt.Errorf("jwt: key store: %w", err)
			}
		}
	}
	return nil
}

// Run calls Tend every Config.Reload, until ctx ends, and returns its error. Any
// number of instances may: of a key that is due, one makes it. While Run runs,
// requests do not wait for the store, but for a token that names an unknown key.
func (k *Keyring) Run(ctx context.Context) error {
	k.running.Add(1)
	defer k.running.Add(-1)
	ticker := time.NewTicker(k.config.Reload)
	defer ticker.Stop()
	for {
		if err := k.Tend(ctx, backend.StoreTime(time.Now())); err != nil && ctx.Err() == nil {
			k.config.Logger.ErrorContext(ctx, "jwt: cannot tend the keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
