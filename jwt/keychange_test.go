package jwt_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// beforeChange is a store in which something happens just before the next Change.
type beforeChange struct {
	jwt.KeyStore
	do func()
}

func (b *beforeChange) Change(ctx context.Context, before *jwt.KeyRecord, signs, ends time.Time) (bool, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.KeyStore.Change(ctx, before, signs, ends)
}

// twoKeys returns the one that signs and the next one of a keyring that has only one so far.
func twoKeys(t *testing.T, ring *jwt.Keyring, now time.Time) (first, next string) {
	t.Helper()
	if err := ring.Rotate(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	infos, err := ring.List(t.Context(), now)
	if err != nil || len(infos) != 2 {
		t.Fatal(infos, err)
	}
	return infos[0].ID, infos[1].ID
}

// retireNow retires a key, and fails if it is not dead then.
func retireNow(t *testing.T, ring *jwt.Keyring, id string, now time.Time) {
	t.Helper()
	if err := ring.Retire(t.Context(), id, now); err != nil {
		t.Error(err)
	}
	wantDead(t, ring, id, now)
}

// wantDead fails if a keyring trusts a key, or describes it as anything but dead.
func wantDead(t *testing.T, ring *jwt.Keyring, id string, now time.Time) {
	t.Helper()
	infos, err := ring.List(t.Context(), now)
	i := slices.IndexFunc(infos, func(info jwt.KeyInfo) bool { return info.ID == id })
	if err != nil || i < 0 || infos[i].State != jwt.KeyDead {
		t.Errorf("got %+v, %v, want that the key %q is dead", infos, err, id)
	}
	if _, all := at(t, ring, now); slices.Contains(all, id) {
		t.Errorf("the retired key %q is trusted", id)
	}
}

func TestUnitAKeyThatIsRetiredElsewhereAtTheSameTimeStaysDead(t *testing.T) {
	now := time.Now()
	t.Run("Promote of another instance gives up, and says so", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		hooked := &beforeChange{KeyStore: store}
		promotes, retires := newRing(t, hooked, nil), newRing(t, store, nil)
		first, next := twoKeys(t, promotes, now)
		hooked.do = func() { retireNow(t, retires, next, now) }
		if err := promotes.Promote(t.Context(), next, now); err == nil {
			t.Error("Promote of a key that was retired meanwhile returned nil")
		}
		wantDead(t, retires, next, now)
		wantDead(t, promotes, next, now)
		if got, _ := at(t, promotes, now); got != first {
			t.Errorf("%q signs, want the first one, %q", got, first)
		}
	})
	t.Run("of two that are retired at two instances the second does not sign, and a new one does", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		hooked := &beforeChange{KeyStore: store}
		a := newRing(t, hooked, nil)
		b := newRing(t, store, func(c *jwt.KeyringConfig) { c.Generate = false })
		first, next := twoKeys(t, a, now)
		hooked.do = func() { // before the first one ends; that one's successor is promoted next
			hooked.do = func() { retireNow(t, b, next, now) }
		}
		if err := a.Retire(t.Context(), first, now); err != nil {
			t.Error(err)
		}
		wantDead(t, b, first, now)
		wantDead(t, b, next, now)
		if got, _ := at(t, a, now); got == "" || got == first || got == next {
			t.Errorf("%q signs, want a new key", got)
		}
	})
	t.Run("Maintain of another instance makes a new key in its place", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		hooked := &beforeChange{KeyStore: store}
		tends := newRing(t, hooked, nil)
		retires := newRing(t, store, func(c *jwt.KeyringConfig) { c.Generate = false })
		first, next := twoKeys(t, tends, now)
		// by one that died before it promoted the next one
		if _, err := store.SetEnd(t.Context(), first, now); err != nil {
			t.Fatal(err)
		}
		later := now.Add(time.Second)
		hooked.do = func() { retireNow(t, retires, next, later) }
		if err := tends.Maintain(t.Context(), later); err != nil {
			t.Error(err)
		}
		wantDead(t, retires, next, later)
		if got, _ := at(t, tends, later); got == "" || got == first || got == next {
			t.Errorf("%q signs, want a new key", got)
		}
	})
}

func TestUnitRetireIsNotOvertaken(t *testing.T) {
	now := time.Now()
	t.Run("by a Promote at the same time", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		hooked := &beforeChange{KeyStore: store}
		retires, promotes := newRing(t, hooked, nil), newRing(t, store, nil)
		first, next := twoKeys(t, retires, now)
		hooked.do = func() {
			if err := promotes.Promote(t.Context(), next, now); err != nil {
				t.Error(err)
			}
		}
		retireNow(t, retires, next, now)
		if got, _ := at(t, retires, now); got != first {
			t.Errorf("%q signs, want the first one, %q", got, first)
		}
	})
	t.Run("for ever by a store that changes nothing, which is an error", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		ring := newRing(t, &changesNothing{store}, nil)
		first, _ := twoKeys(t, ring, now)
		if err := ring.Retire(t.Context(), first, now); err == nil {
			t.Error("Retire returned nil, and the key is not dead")
		}
	})
}

// changesNothing is a store in which another instance is always faster.
type changesNothing struct{ jwt.KeyStore }

func (*changesNothing) Change(context.Context, *jwt.KeyRecord, time.Time, time.Time) (bool, error) {
	return false, nil
}

func TestUnitNoOrderOfChangesRevivesAKey(t *testing.T) {
	now := time.Now()
	for range 20 {
		store := jwt.NewMemoryKeyStore()
		rings := []*jwt.Keyring{newRing(t, store, nil), newRing(t, store, nil), newRing(t, store, nil)}
		first, next := twoKeys(t, rings[0], now)
		var group sync.WaitGroup
		for i, act := range []func(*jwt.Keyring) error{
			func(r *jwt.Keyring) error { return r.Retire(t.Context(), first, now) },
			func(r *jwt.Keyring) error { return r.Retire(t.Context(), next, now) },
			func(r *jwt.Keyring) error { _ = r.Promote(t.Context(), next, now); return nil },
			func(r *jwt.Keyring) error { _ = r.Promote(t.Context(), first, now); return nil },
			func(r *jwt.Keyring) error { return r.Maintain(t.Context(), now) },
			func(r *jwt.Keyring) error { return r.Maintain(t.Context(), now.Add(time.Millisecond)) },
		} {
			group.Go(func() {
				if err := act(rings[i%len(rings)]); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		later := now.Add(time.Second)
		for _, ring := range rings {
			wantDead(t, ring, first, later)
			wantDead(t, ring, next, later)
		}
		if err := rings[0].Maintain(t.Context(), later); err != nil {
			t.Error(err)
		}
		if got, _ := at(t, rings[0], later); got == "" {
			t.Error("no key signs")
		}
	}
}
