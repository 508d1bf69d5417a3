package jwt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// keyStateAt returns the state of a key at an instant.
func keyStateAt(t *testing.T, ring *jwt.Keyring, id string, at time.Time) jwt.KeyState {
	t.Helper()
	infos, err := ring.List(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if info.ID == id {
			return info.State
		}
	}
	return "gone"
}

func TestUnitRetiredKeysStayDead(t *testing.T) {
	const behind = 2 * time.Second // a clock
	now := time.Now().Add(time.Minute)
	const day = 24 * time.Hour
	open := func(t *testing.T, store jwt.KeyStore, keep time.Duration) *jwt.Keyring {
		return newRing(t, store, func(c *jwt.KeyringConfig) { c.Keep = keep })
	}
	t.Run("a key that was dead by the schedule stays so for an instance with a longer Keep", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		short := open(t, store, 2*day)
		first, _ := twoKeys(t, short, now)
		later := now.Add(9 * day)
		if got := keyStateAt(t, short, first, later); got != jwt.KeyDead {
			t.Fatalf("with the short Keep it is %s", got)
		}
		if got := keyStateAt(t, open(t, store, 30*day), first, later); got != jwt.KeyVerifying {
			t.Fatalf("with the long Keep it is %s, so this test shows nothing", got)
		}
		if err := short.Retire(t.Context(), first, later); err != nil {
			t.Fatal(err)
		}
		if got := keyStateAt(t, open(t, store, 30*day), first, later); got != jwt.KeyDead {
			t.Errorf("after Retire it is %s", got)
		}
	})
	for _, which := range []string{"the key that signed", "the next key"} {
		t.Run("Promote by a clock that is behind does not bring back "+which, func(t *testing.T) {
			store := jwt.NewMemoryKeyStore()
			a, b := open(t, store, 2*day), open(t, store, 2*day)
			id, next := twoKeys(t, a, now)
			if which == "the next key" {
				id = next
			}
			if err := a.Retire(t.Context(), id, now.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if err := b.Promote(t.Context(), id, now.Add(time.Second-behind)); err == nil {
				t.Error("Promote succeeded")
			}
			if got := keyStateAt(t, a, id, now.Add(time.Hour)); got != jwt.KeyDead {
				t.Errorf("an hour later it is %s", got)
			}
		})
	}
	t.Run("Retire of the key that signs by a clock that is behind does not promote a retired one", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		a, b := open(t, store, 2*day), open(t, store, 2*day)
		first, next := twoKeys(t, a, now)
		if err := a.Retire(t.Context(), next, now.Add(10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := b.Retire(t.Context(), first, now.Add(11*time.Second-behind)); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{first, next} {
			if got := keyStateAt(t, a, id, now.Add(time.Hour)); got != jwt.KeyDead {
				t.Errorf("an hour later %s is %s", id, got)
			}
		}
		infos, err := a.List(t.Context(), now.Add(time.Hour))
		signs := slices.ContainsFunc(infos, func(info jwt.KeyInfo) bool { return info.State == jwt.KeySigning })
		if err != nil || len(infos) != 3 || !signs {
			t.Errorf("want a new key that signs, got %+v %v", infos, err)
		}
	})
}
