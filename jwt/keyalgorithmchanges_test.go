package jwt_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// ringKeys returns all keys that are trusted at an instant.
func ringKeys(t testing.TB, ring *jwt.Keyring, now time.Time) []string {
	t.Helper()
	_, all := at(t, ring, now)
	return all
}

// beforeLimit is a store in which something happens just before the first Limit.
type beforeLimit struct {
	jwt.KeyStore
	do func()
}

func (b *beforeLimit) SetEnd(ctx context.Context, id string, ends time.Time) (bool, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.KeyStore.SetEnd(ctx, id, ends)
}

func TestUnitKeysWhoseAlgorithmIsTakenOutOrAdded(t *testing.T) {
	t.Run("tokens of an algorithm that is taken out stay good for Keep, however long its key has signed",
		func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				store := jwt.NewMemoryKeyStore()
				before := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), time.Now())
				time.Sleep(40 * day) // of the 90 of Rotate, and Keep is 31
				both := newRing(t, store, of(jwt.ES256, jwt.EdDSA))
				if got := signersOf(t, both, time.Now()); got[jwt.EdDSA] != before[jwt.EdDSA] {
					t.Fatalf("%v became %v", before, got)
				}
				_, all := at(t, newRing(t, store, of(jwt.ES256)), time.Now())
				if !slices.Contains(all, before[jwt.EdDSA]) {
					t.Error("tokens that were signed a second ago are refused")
				}
			})
		})
	t.Run("tokens of the first algorithm stay good for Keep when it is taken out, however old the key of the second is",
		func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				store := jwt.NewMemoryKeyStore()
				before := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), time.Now())
				time.Sleep(40 * day)
				ring := newRing(t, store, of(jwt.EdDSA))
				dropped := time.Now()
				if _, all := at(t, ring, dropped.Add(31*day-time.Second)); !slices.Contains(all, before[jwt.ES256]) {
					t.Error("tokens that were signed a second ago are refused")
				}
				if _, all := at(t, ring, dropped.Add(31*day)); slices.Contains(all, before[jwt.ES256]) {
					t.Error("it is trusted for longer than tokens live")
				}
			})
		})
	t.Run("an instance that signs on by a key that another ended makes the next at once, and signs without a gap",
		func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				store := jwt.NewMemoryKeyStore()
				ring := newRing(t, store, of(jwt.ES256, jwt.EdDSA))
				before := signersOf(t, ring, time.Now())
				newRing(t, store, of(jwt.ES256))
				if err := ring.Maintain(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := signersOf(t, ring, time.Now()); got[jwt.EdDSA] != before[jwt.EdDSA] {
					t.Errorf("%v became %v before the next was published", before, got)
				}
				got, all := signersOf(t, ring, time.Now().Add(day)), ringKeys(t, ring, time.Now().Add(day))
				if got[jwt.EdDSA] == before[jwt.EdDSA] || got[jwt.EdDSA] == "" ||
					!slices.Contains(all, before[jwt.EdDSA]) {
					t.Errorf("%v became %v of %v", before, got, all)
				}
			})
		})
	t.Run("without Generate, Rotate makes a key after an algorithm was taken out by mistake, and the end stays",
		func(t *testing.T) {
			store, now := jwt.NewMemoryKeyStore(), time.Now()
			before := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), now)
			newRing(t, store, of(jwt.ES256))
			ring := newRing(t, store, func(c *jwt.KeyringConfig) {
				c.Algorithms, c.Generate = []jwt.Algorithm{jwt.ES256, jwt.EdDSA}, false
			})
			err := ring.Promote(t.Context(), before[jwt.EdDSA], now)
			if err == nil || !strings.Contains(err.Error(), "Keyring.Rotate") {
				t.Errorf("Promote: %v", err)
			}
			if err := ring.Rotate(t.Context(), now, jwt.EdDSA); err != nil {
				t.Fatal(err)
			}
			got := signersOf(t, ring, now.Add(60*day))
			if got[jwt.EdDSA] == before[jwt.EdDSA] || got[jwt.EdDSA] == "" || got[jwt.ES256] != before[jwt.ES256] {
				t.Errorf("%v became %v", before, got)
			}
		})
	t.Run("a stolen key that was retired is not given back by an instance without its algorithm", func(t *testing.T) {
		store, now := jwt.NewMemoryKeyStore(), time.Now()
		ring := newRing(t, store, of(jwt.ES256, jwt.EdDSA))
		stolen := signersOf(t, ring, now)[jwt.EdDSA]
		between := &beforeLimit{KeyStore: store, do: func() {
			if err := ring.Retire(t.Context(), stolen, now); err != nil {
				t.Error(err)
			}
		}}
		fewer := newRing(t, between, of(jwt.ES256))
		if all := ringKeys(t, fewer, now.Add(time.Minute)); between.do != nil || slices.Contains(all, stolen) {
			t.Errorf("it is trusted again: %v", all)
		}
	})
	t.Run("an instance with fewer algorithms, as after a rollback, does not remove the key that the others sign by",
		func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				store := jwt.NewMemoryKeyStore()
				before := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), time.Now())
				time.Sleep(70 * day) // of the 90 of Rotate, and twice Keep is 62
				if err := newRing(t, store, of(jwt.ES256)).Maintain(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
				records, err := store.Keys(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(records, func(r *jwt.KeyRecord) bool { return r.ID == before[jwt.EdDSA] }) {
					t.Error("the key is gone for ever")
				}
			})
		})
	t.Run("a key that was brought only to verify does not sign when its algorithm is added", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		now := time.Now()
		predecessor := signing(t, jwt.EdDSA)
		if err := newRing(t, store, of(jwt.ES256)).Add(t.Context(), predecessor, time.Time{}, now); err != nil {
			t.Fatal(err)
		}
		if got := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)),
			now.Add(time.Second)); got[jwt.EdDSA] == predecessor.ID() {
			t.Error("it signs")
		}
	})
	t.Run("a key that is dead does not come back when its algorithm is added", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			store := jwt.NewMemoryKeyStore()
			old := newRing(t, store, of(jwt.EdDSA))
			dead, _ := at(t, old, time.Now())
			next := newRing(t, store, of(jwt.ES256))
			if err := next.Rotate(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * day) // it stopped to sign 39 days ago, and Keep is 31
			infos, err := next.List(t.Context(), time.Now())
			if err != nil || infos[0].ID != dead || infos[0].State != jwt.KeyDead {
				t.Fatal(infos, err)
			}
			set, err := newRing(t, store, of(jwt.ES256, jwt.EdDSA)).Current(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(set.Keys(), func(k *jwt.Key) bool { return k.ID() == dead }) {
				t.Errorf("it is trusted, and signs: %v", set.SigningBy(jwt.EdDSA).ID() == dead)
			}
		})
	})
	for sentence, signs := range map[string]time.Duration{
		"a brought key that only verifies does not sign in place of a stolen one, but a new one": -1,
		"a brought key of another algorithm does not take over from a stolen one, but a new one": time.Hour,
	} {
		t.Run(sentence, func(t *testing.T) {
			store, now := jwt.NewMemoryKeyStore(), time.Now()
			ring := newRing(t, store, nil) // ES256, with Generate
			stolen, _ := at(t, ring, now)
			from := time.Time{}
			if signs > 0 {
				from = now.Add(signs)
			}
			if err := ring.Add(t.Context(), signing(t, jwt.EdDSA), from, now); err != nil {
				t.Fatal(err)
			}
			if err := ring.Retire(t.Context(), stolen, now.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if err := ring.Maintain(t.Context(), now.Add(2*time.Second)); err != nil {
				t.Fatal(err)
			}
			if got := signersOf(t, ring, now.Add(3*time.Second)); got[jwt.ES256] == "" {
				t.Errorf("no key signs by ES256, which is Config.Algorithms: %v", got)
			}
		})
	}
}
