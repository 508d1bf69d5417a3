package jwt

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatewarden/auth/backend"
)

// keySnapshot is the keys as the store had them. It is immutable once it has a set.
type keySnapshot struct {
	records    []*KeyRecord    // in order of SignsFrom, then of ID
	keys       map[string]*Key // by ID: those that are not dead and could be opened
	openErr    error           // why keys that are not dead could not be opened, or nil
	unopened   map[string]bool // by ID: the keys of openErr
	set        *KeySet
	validUntil time.Time // when the schedule changes the set, zero is never
}

func newSnapshot(records []*KeyRecord) *keySnapshot {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b *KeyRecord) int {
		return cmp.Or(a.SignsFrom.Compare(b.SignsFrom), cmp.Compare(a.ID, b.ID))
	})
	return &keySnapshot{records: records, keys: make(map[string]*Key, len(records)), unopened: make(map[string]bool)}
}

// withSetAt returns a copy of the keys with the set of now: those that sign, and those that verify. One that could not
// be opened takes nothing over.
func (k *Keyring) withSetAt(old *keySnapshot, now time.Time) *keySnapshot {
	r := *old
	r.validUntil = time.Time{}
	signs := make(map[Algorithm]*Key) // by schedule
	var others []*Key
	usable := slices.DeleteFunc(slices.Clone(r.records), func(record *KeyRecord) bool { return r.unopened[record.ID] })
	infos := k.statesAt(usable, now)
	for _, info := range infos {
		key := r.keys[info.ID]
		if info.State == KeyDead || key == nil {
			continue
		}
		r.validUntil = backend.Earlier(r.validUntil, info.ExpiresAt)
		if info.State == KeySigning {
			signs[k.scheduleOf(info.Algorithm)] = key
			continue
		}
		if info.State == KeyPublished {
			r.validUntil = backend.Earlier(r.validUntil, info.SignsFrom)
		}
		others = append(others, key)
	}
	signing := k.signing(&r, signs, infos)
	others = slices.DeleteFunc(others, func(key *Key) bool { return slices.Contains(signing, key) })
	r.set = newKeySet(signing, slices.Concat(signing, others))
	if before := k.current.Load(); before != nil && r.set.same(before.set) {
		r.set = before.set // what was verified stays remembered
	}
	return &r
}

// signing returns the keys that sign, in the order of Config.Algorithms. While a key of another
// algorithm signs in place of the first one, the next key of that follows: it signs what asks for
// its algorithm, which was signed by no key before.
func (k *Keyring) signing(r *keySnapshot, signs map[Algorithm]*Key, infos []KeyInfo) (signing []*Key) {
	for _, algorithm := range k.config.Algorithms {
		key := signs[algorithm]
		if key == nil {
			continue
		}
		signing = append(signing, key)
		if key.algorithm == algorithm {
			continue
		}
		for _, info := range infos {
			if next := r.keys[info.ID]; next != nil && info.State == KeyPublished && info.Algorithm == algorithm {
				signing = append(signing, next)
				break
			}
		}
	}
	return signing
}

// scheduleOf returns the algorithm in place of which keys of an algorithm sign. It is their own, if
// that is in Config.Algorithms, or else the first one.
func (k *Keyring) scheduleOf(algorithm Algorithm) Algorithm {
	if k.signsBy(algorithm) {
		return algorithm
	}
	return k.config.Algorithms[0]
}

// signsBy reports whether an algorithm is in Config.Algorithms.
func (k *Keyring) signsBy(algorithm Algorithm) bool {
	return slices.Contains(k.config.Algorithms, algorithm)
}

// statesAt returns the state of each key at now, in the order of the records. The keys of an algorithm
// replace each other, and of the algorithms that are not in Config.Algorithms one key signs as long
// as there is no key of the first one. What these signed under another configuration is not known
// here, so only what [Keyring.writeEnds] writes down ends the last key of each.
func (k *Keyring) statesAt(records []*KeyRecord, now time.Time) []KeyInfo {
	places := make(map[Algorithm][]int)
	for i, r := range records {
		places[r.Algorithm] = append(places[r.Algorithm], i)
	}
	infos := make([]KeyInfo, len(records))
	for _, own := range places {
		chain := make([]*KeyRecord, len(own))
		for i, place := range own {
			chain[i] = records[place]
		}
		for i, info := range statesOfAlgorithm(chain, k.config.Keep, now) {
			infos[own[i]] = info
		}
	}
	missing := !slices.ContainsFunc(infos, func(info KeyInfo) bool {
		return info.State == KeySigning && info.Algorithm == k.config.Algorithms[0]
	})
	for i := range slices.Backward(infos) {
		switch {
		case infos[i].State != KeySigning || k.signsBy(infos[i].Algorithm):
		case missing:
			missing = false
		default:
			infos[i].State = KeyVerifying
		}
	}
	return infos
}

// statesOfAlgorithm is statesAt for the keys of one algorithm. It goes through all instants at
// which a key began to sign or was retired: a key signs from its SignsFrom until one with
// a later SignsFrom does, again if that is retired, and verifies for keep after it signed
// last. What has died never comes back.
func statesOfAlgorithm(records []*KeyRecord, keep time.Duration, now time.Time) []KeyInfo {
	t := newTimeline(records, now)
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

// onlyVerifies is the least SignsFrom of a key, since stores need not know earlier instants. A key with
// it and a written ExpiresAt was brought for what it signed elsewhere.
var onlyVerifies = time.Unix(0, 0).UTC()

// timeline is the instants that statesOfAlgorithm goes through.
type timeline struct {
	infos    []KeyInfo
	begins   []time.Time // when each key begins to sign
	verifies []bool      // which keys never sign
	instants []time.Time // at which something changes, until now
}

func newTimeline(records []*KeyRecord, now time.Time) *timeline {
	n := len(records)
	t := &timeline{infos: make([]KeyInfo, n), begins: make([]time.Time, n), verifies: make([]bool, n)}
	for i, r := range records {
		t.infos[i] = KeyInfo{ID: r.ID, Algorithm: r.Algorithm, Created: r.Created, SignsFrom: r.SignsFrom,
			ExpiresAt: r.ExpiresAt}
		t.begins[i] = r.SignsFrom
		t.verifies[i] = r.SignsFrom.Equal(onlyVerifies) && !r.ExpiresAt.IsZero()
		if r.SignsFrom.Before(r.Created) { // brought for what it signed elsewhere
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
		if !t.begins[i].After(at) && t.trusted(i, at) && !t.verifies[i] {
			signing = i
		}
	}
	return signing
}
