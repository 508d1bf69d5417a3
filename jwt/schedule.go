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

// arrange returns the ring with its set of now: the keys that sign, and those
// that verify. One that could not be opened takes nothing over.
func (k *Keyring) arrange(old *ring, now time.Time) *ring {
	r := *old
	r.until = time.Time{}
	signs := make(map[Algorithm]*Key) // by schedule
	var others []*Key
	usable := slices.DeleteFunc(slices.Clone(r.records), func(record *KeyRecord) bool { return r.shut[record.ID] })
	for _, info := range k.plan(usable, now) {
		key := r.keys[info.ID]
		if info.State == KeyDead || key == nil {
			continue
		}
		r.until = backend.Earlier(r.until, info.ExpiresAt)
		if info.State == KeySigning {
			signs[k.scheduleOf(info.Algorithm)] = key
			continue
		}
		if info.State == KeyPublished {
			r.until = backend.Earlier(r.until, info.Signs)
		}
		others = append(others, key)
	}
	var signing []*Key
	for _, algorithm := range k.config.Algorithms {
		if key := signs[algorithm]; key != nil {
			signing = append(signing, key)
		}
	}
	r.set = newKeySet(signing, slices.Concat(signing, others))
	if before := k.current.Load(); before != nil && r.set.same(before.set) {
		r.set = before.set // what was verified stays remembered
	}
	return &r
}

// scheduleOf returns the algorithm in which keys of an algorithm replace each other.
// It is their own, if that is in Config.Algorithms, or else the first one.
func (k *Keyring) scheduleOf(algorithm Algorithm) Algorithm {
	if slices.Contains(k.config.Algorithms, algorithm) {
		return algorithm
	}
	return k.config.Algorithms[0]
}

// plan says what each key is for at now, in the order of the records.
func (k *Keyring) plan(records []*KeyRecord, now time.Time) []KeyInfo {
	schedules := make(map[Algorithm][]*KeyRecord)
	for _, r := range records {
		schedule := k.scheduleOf(r.Algorithm)
		schedules[schedule] = append(schedules[schedule], r)
	}
	infos := make(map[string]KeyInfo, len(records))
	for algorithm, own := range schedules {
		for _, info := range planSchedule(own, algorithm, k.config.Keep, now) {
			infos[info.ID] = info
		}
	}
	all := make([]KeyInfo, len(records))
	for i, r := range records {
		all[i] = infos[r.ID]
	}
	return all
}

// planSchedule is plan for the keys of one schedule. It goes through all instants at
// which a key began to sign or was retired: a key signs from its Signs until one with
// a later Signs does, again if that is retired, and verifies for keep after it signed
// last. What has died never comes back. A key of another algorithm than that of the
// schedule signs only as long as there is none of that.
func planSchedule(records []*KeyRecord, algorithm Algorithm, keep time.Duration, now time.Time) []KeyInfo {
	t := newTimeline(records, algorithm, now)
	signing := -1
	for _, at := range t.instants {
		before := signing
		signing = t.signingAt(at)
		for i := range t.infos {
			switch {
			case i == signing:
				t.infos[i].ExpiresAt = records[i].ExpiresAt
			case i == before || t.begins[i].Equal(at):
				t.infos[i].ExpiresAt = backend.Earlier(records[i].ExpiresAt, at.Add(keep))
			}
		}
	}
	for i := range t.infos {
		switch {
		case !t.trusted(i, now):
			t.infos[i].State = KeyDead
		case i == signing:
			t.infos[i].State = KeySigning
		case t.begins[i].After(now):
			t.infos[i].State = KeyPublished
		default:
			t.infos[i].State = KeyVerifying
		}
	}
	return t.infos
}

// timeline is what planSchedule goes along.
type timeline struct {
	algorithm Algorithm
	infos     []KeyInfo
	begins    []time.Time // when each key begins to sign
	instants  []time.Time // at which something changes, until now
}

func newTimeline(records []*KeyRecord, algorithm Algorithm, now time.Time) *timeline {
	t := &timeline{algorithm: algorithm, infos: make([]KeyInfo, len(records)), begins: make([]time.Time, len(records))}
	for i, r := range records {
		t.infos[i] = KeyInfo{ID: r.ID, Algorithm: r.Algorithm, Created: r.Created, Signs: r.Signs, ExpiresAt: r.ExpiresAt}
		t.begins[i] = r.Signs
		if r.Signs.Before(r.Created) { // brought for what it signed elsewhere
			t.begins[i] = backend.Earlier(r.Created, now) // by a clock that may be ahead of ours
		}
		for _, at := range []time.Time{t.begins[i], r.ExpiresAt} {
			if !at.IsZero() && !at.After(now) {
				t.instants = append(t.instants, at)
			}
		}
	}
	slices.SortFunc(t.instants, time.Time.Compare)
	return t
}

// trusted reports whether a key is not dead at an instant, by what is known of it.
func (t *timeline) trusted(i int, at time.Time) bool {
	return t.infos[i].ExpiresAt.IsZero() || at.Before(t.infos[i].ExpiresAt)
}

// signingAt returns the key that signs from an instant on, or -1.
func (t *timeline) signingAt(at time.Time) int {
	signing := -1
	for i := range t.infos {
		if t.begins[i].After(at) || !t.trusted(i, at) {
			continue
		}
		if signing < 0 || t.infos[i].Algorithm == t.algorithm || t.infos[signing].Algorithm != t.algorithm {
			signing = i
		}
	}
	return signing
}

// nextKey reports whether the next key of an algorithm of Config.Algorithms is to be
// made now, and when it signs.
func (k *Keyring) nextKey(algorithm Algorithm, now time.Time) (due bool, signs time.Time) {
	if k.config.Rotate < 0 {
		return false, signs
	}
	for _, info := range k.infos(now) {
		switch {
		case info.State == KeyPublished && info.Algorithm == algorithm: // the next one is there
			return false, signs
		case info.State == KeySigning && k.scheduleOf(info.Algorithm) == algorithm:
			signs = info.Signs.Add(k.config.Rotate)
		}
	}
	earliest := now.Add(k.config.Publish)
	if signs.Before(earliest) { // nobody was there to do it in time
		signs = earliest
	}
	return !signs.After(earliest), signs
}

// Tend does what is due at now: it makes the next keys, with Config.Generate, and
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
		if err := k.generateDue(ctx, now); err != nil {
			return err
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

// generateDue makes the keys that are due at now. k.busy is held.
func (k *Keyring) generateDue(ctx context.Context, now time.Time) error {
	if err := k.ensure(ctx, now); err != nil {
		return err
	}
	for _, algorithm := range k.config.Algorithms {
		if due, signs := k.nextKey(algorithm, now); due {
			if err := k.generate(ctx, algorithm, signs, now); err != nil {
				return err
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
