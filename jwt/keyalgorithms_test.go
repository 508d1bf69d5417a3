package jwt_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// signersOf returns the keys that sign at an instant, by their algorithms.
func signersOf(t testing.TB, ring *jwt.Keyring, now time.Time) map[jwt.Algorithm]string {
	t.Helper()
	set, err := ring.Current(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[jwt.Algorithm]string)
	for _, k := range set.SigningKeys() {
		all[k.Algorithm()] = k.ID()
	}
	return all
}

// of returns a change of a keyring's algorithms.
func of(algorithms ...jwt.Algorithm) func(*jwt.KeyringConfig) {
	return func(c *jwt.KeyringConfig) { c.Algorithms = algorithms }
}

func TestUnitKeySetOfSeveralAlgorithms(t *testing.T) {
	one, two, other := signing(t, jwt.ES256), signing(t, jwt.EdDSA), signing(t, jwt.ES256)
	set, err := jwt.NewSigningKeySet([]*jwt.Key{one, two}, other)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the first key signs where no algorithm is asked for", func(t *testing.T) {
		if set.Signing() != one || !slices.Equal(set.SigningKeys(), []*jwt.Key{one, two}) {
			t.Error(set.Signing(), set.SigningKeys())
		}
	})
	t.Run("each algorithm has its key, and one without has none", func(t *testing.T) {
		if set.SigningBy(jwt.ES256) != one || set.SigningBy(jwt.EdDSA) != two || set.SigningBy(jwt.RS256) != nil {
			t.Error(set.SigningBy(jwt.ES256), set.SigningBy(jwt.EdDSA), set.SigningBy(jwt.RS256))
		}
	})
	t.Run("what a caller does with the keys that it got changes nothing", func(t *testing.T) {
		set.SigningKeys()[0], set.Keys()[0] = nil, nil
		if set.Signing() != one {
			t.Error(set.Signing())
		}
	})
	t.Run("tokens of each key are opened", func(t *testing.T) {
		for _, key := range []*jwt.Key{one, two, other} {
			token, err := jwt.Sign(key, "JWT", map[string]any{"sub": "alice"})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := jwt.Open(set, token); err != nil {
				t.Errorf("%v: %v", key, err)
			}
		}
	})
	for sentence, keys := range map[string][]*jwt.Key{
		"a key that cannot sign is refused":               {one, two.Public()},
		"two keys that sign by one algorithm are refused": {one, other},
		"a nil key is refused":                            {one, nil},
		"one key twice is refused":                        {one, one},
		"a set without keys is refused":                   nil,
	} {
		t.Run(sentence, func(t *testing.T) {
			if set, err := jwt.NewSigningKeySet(keys); err == nil {
				t.Errorf("it is taken: %v", set.Keys())
			}
		})
	}
}

// slowKeys is a store that takes in Keys almost as long as an operation may.
type slowKeys struct {
	jwt.KeyStore
	left []time.Duration // how long each Add may take
}

func (s *slowKeys) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	if len(s.left) == 0 {
		time.Sleep(9 * time.Second)
	}
	return s.KeyStore.Keys(ctx)
}

func (s *slowKeys) Add(ctx context.Context, r *jwt.KeyRecord, last string) (bool, error) {
	deadline, _ := ctx.Deadline()
	s.left = append(s.left, time.Until(deadline))
	return s.KeyStore.Add(ctx, r, last)
}

func TestUnitMakingAKeyTakesNoTimeFromTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := &slowKeys{KeyStore: jwt.NewMemoryKeyStore()}
		newRing(t, store, of(jwt.ES256, jwt.EdDSA))
		for i, left := range store.left {
			if left < 9*time.Second {
				t.Errorf("key %d: %v are left to the store, want 10s", i+1, left)
			}
		}
		if len(store.left) != 2 {
			t.Errorf("%d keys were added, want 2", len(store.left))
		}
	})
}

func TestUnitKeyringOfSeveralAlgorithms(t *testing.T) {
	t.Run("without a choice there are ES256 for our tokens and RS256 for ID tokens, and both are published",
		func(t *testing.T) {
			ring := newRing(t, jwt.NewMemoryKeyStore(), of())
			set, err := ring.Current(t.Context(), time.Now())
			if err != nil || set.Signing().Algorithm() != jwt.ES256 || set.SigningBy(jwt.RS256) == nil {
				t.Fatal(set.SigningKeys(), err)
			}
			var published struct{ Keys []struct{ Alg, Kty string } }
			answer := serveRequest(jwt.NewJWKSHandler(ring, 0), "GET", "/")
			if err := json.Unmarshal(answer.Body.Bytes(), &published); err != nil {
				t.Fatal(err)
			}
			if len(published.Keys) != 2 || published.Keys[0].Alg != "ES256" || published.Keys[1].Alg != "RS256" {
				t.Error(answer.Body)
			}
		})
	t.Run("RSA keys have as many bits as the configuration says", func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) {
			c.Algorithms, c.RSABits = []jwt.Algorithm{jwt.RS256}, 2048
		})
		set, err := ring.Current(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if bits := jwt.Material(set.Signing()).(*rsa.PublicKey).N.BitLen(); bits != 2048 {
			t.Errorf("got %d", bits)
		}
	})
	t.Run("a keyring in use gains the key of an algorithm, and keeps what it has", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		before, _ := at(t, newRing(t, store, of(jwt.ES256)), time.Now())
		now := time.Now()
		got := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), now)
		if got[jwt.ES256] != before || got[jwt.EdDSA] == "" {
			t.Errorf("want %s and a new one of EdDSA, got %v", before, got)
		}
		again := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), now)
		if again[jwt.EdDSA] != got[jwt.EdDSA] {
			t.Error("the next start made another one")
		}
	})
	t.Run("each algorithm rotates by itself", func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), of(jwt.ES256, jwt.EdDSA))
		now := time.Now()
		before := signersOf(t, ring, now)
		if err := ring.Rotate(t.Context(), now, jwt.EdDSA); err != nil {
			t.Fatal(err)
		}
		after := signersOf(t, ring, now.Add(day+time.Second))
		if after[jwt.ES256] != before[jwt.ES256] || after[jwt.EdDSA] == before[jwt.EdDSA] {
			t.Errorf("%v became %v", before, after)
		}
		if err := ring.Rotate(t.Context(), now.Add(2*day)); err != nil {
			t.Fatal(err)
		}
		all := signersOf(t, ring, now.Add(3*day+time.Second))
		if all[jwt.ES256] == before[jwt.ES256] || all[jwt.EdDSA] == after[jwt.EdDSA] {
			t.Errorf("not both were replaced: %v became %v", after, all)
		}
		if err := ring.Rotate(t.Context(), now, jwt.RS256); err == nil || !strings.Contains(err.Error(), "RS256") {
			t.Errorf("an algorithm that is not the keyring's: %v", err)
		}
	})
	t.Run("each algorithm is replaced on a schedule of its own", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			store := jwt.NewMemoryKeyStore()
			newRing(t, store, of(jwt.ES256))
			start := time.Now()
			time.Sleep(40 * day)
			ring := newRing(t, store, of(jwt.ES256, jwt.EdDSA))
			first := signersOf(t, ring, time.Now())
			tend := func(after time.Duration) map[jwt.Algorithm]string {
				if err := ring.Maintain(t.Context(), start.Add(after)); err != nil {
					t.Fatal(err)
				}
				return signersOf(t, ring, start.Add(after+day))
			}
			second := tend(89*day + time.Minute)
			if second[jwt.ES256] == first[jwt.ES256] || second[jwt.EdDSA] != first[jwt.EdDSA] {
				t.Errorf("after 90 days: %v became %v", first, second)
			}
			third := tend(129*day + time.Minute)
			if third[jwt.ES256] != second[jwt.ES256] || third[jwt.EdDSA] == second[jwt.EdDSA] {
				t.Errorf("after 130 days: %v became %v", second, third)
			}
		})
	})
	t.Run("a stolen key of one algorithm is replaced, and the other signs on", func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), of(jwt.ES256, jwt.EdDSA))
		now := time.Now()
		before := signersOf(t, ring, now)
		if err := ring.Retire(t.Context(), before[jwt.EdDSA], now); err != nil {
			t.Fatal(err)
		}
		after := signersOf(t, ring, now)
		if after[jwt.ES256] != before[jwt.ES256] || after[jwt.EdDSA] == before[jwt.EdDSA] || after[jwt.EdDSA] == "" {
			t.Errorf("%v became %v", before, after)
		}
	})
	t.Run("an algorithm that is taken out signs nothing, and verifies for a while", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		now := time.Now()
		before := signersOf(t, newRing(t, store, of(jwt.ES256, jwt.EdDSA)), now)
		ring := newRing(t, store, of(jwt.ES256))
		signing, all := at(t, ring, now.Add(time.Second))
		if signing != before[jwt.ES256] || !slices.Contains(all, before[jwt.EdDSA]) ||
			len(signersOf(t, ring, now.Add(time.Second))) != 1 {
			t.Errorf("%s of %v signs", signing, all)
		}
		if _, all := at(t, ring, now.Add(32*day)); slices.Contains(all, before[jwt.EdDSA]) {
			t.Error("it is trusted for ever")
		}
	})
	t.Run("the first algorithm is changed at the next rotation, with no instant without a key", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		now := time.Now()
		old, _ := at(t, newRing(t, store, of(jwt.ES256)), now)
		ring := newRing(t, store, of(jwt.EdDSA))
		if signing, _ := at(t, ring, now); signing != old {
			t.Errorf("%s signs, want %s until the next is published", signing, old)
		}
		if err := ring.Rotate(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		got := signersOf(t, ring, now.Add(day+time.Second))
		if len(got) != 1 || got[jwt.EdDSA] == "" {
			t.Error(got)
		}
		if _, all := at(t, ring, now.Add(day+time.Second)); !slices.Contains(all, old) {
			t.Error("tokens of the old key are refused")
		}
	})
	t.Run("a key of another algorithm verifies, and is not promoted", func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
		now := time.Now()
		own, _ := at(t, ring, now)
		other := signing(t, jwt.EdDSA)
		if err := ring.Add(t.Context(), other, now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
		if err := ring.Promote(t.Context(), other.ID(), now); err == nil || !strings.Contains(err.Error(), "EdDSA") {
			t.Errorf("promoted: %v", err)
		}
		if signing, all := at(t, ring, now.Add(2*time.Hour)); signing != own || !slices.Contains(all, other.ID()) {
			t.Errorf("%s of %v", signing, all)
		}
	})
	t.Run("of instances that start at once one makes the key of each algorithm", func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		newRing(t, store, of(jwt.ES256))
		rings := make([]*jwt.Keyring, 8)
		var group sync.WaitGroup
		for i := range rings {
			group.Go(func() { rings[i] = newRing(t, store, of(jwt.ES256, jwt.EdDSA)) })
		}
		group.Wait()
		if records, err := store.Keys(t.Context()); err != nil || len(records) != 2 {
			t.Errorf("%d keys, %v", len(records), err)
		}
	})
	t.Run("pairs are signed by the first", func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), of(jwt.ES256, jwt.EdDSA))
		tokens, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Audience: []string{serviceIssuer}, Keys: ring,
			Store: jwt.NewMemoryStore(), LoadUser: newPeople().load})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		part, _, _ := strings.Cut(pair.Access.Reveal(), ".")
		header, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || memberOf(t, header, "alg") != "ES256" {
			t.Errorf("%s %v", header, err)
		}
	})
}
