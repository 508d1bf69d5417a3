package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// KeySource says which keys an issuer has. A [KeySet] is one that never
// changes, a [Keyring] one whose keys are replaced in time, [RemoteKeys] the
// published keys of another service.
//
// Methods are safe for concurrent use. An error says that the source cannot
// tell, and is answered with 503.
type KeySource interface {
	// Current returns the keys at now. As long as they are the same, it
	// returns the same pointer: verified tokens are remembered with it.
	Current(ctx context.Context, now time.Time) (*KeySet, error)
	// Renew returns the keys after Current had none with the identifier that a
	// token names. A source that asks somebody must not ask for each such
	// token: anybody can send one.
	Renew(ctx context.Context, id string, now time.Time) (*KeySet, error)
}

// KeySet is keys that verify, and at most one of them that signs. It is
// immutable and safe for concurrent use.
type KeySet struct {
	signing *Key
	keys    []*Key
	byID    map[string][]*Key
}

var _ KeySource = (*KeySet)(nil)

// NewKeySet returns a set of a key that signs, and others that still, or
// already, verify. A nil signing key is a set that verifies only. It is an error
// if signing cannot sign, if two keys have one identifier, and if there is no
// key.
func NewKeySet(signing *Key, others ...*Key) (*KeySet, error) {
	var keys []*Key
	if signing != nil {
		if !signing.CanSign() {
			return nil, fmt.Errorf("jwt: %v cannot sign", signing)
		}
		keys = append(keys, signing)
	}
	for _, k := range others {
		if k == nil {
			return nil, errors.New("jwt: nil key")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("jwt: a set without keys")
	}
	for i, k := range keys {
		if slices.ContainsFunc(keys[:i], func(other *Key) bool { return other.id == k.id }) {
			return nil, fmt.Errorf("jwt: two keys with the identifier %q", k.id)
		}
	}
	return newKeySet(signing, keys), nil
}

func newKeySet(signing *Key, keys []*Key) *KeySet {
	s := &KeySet{signing: signing, keys: keys, byID: make(map[string][]*Key, len(keys))}
	for _, k := range keys {
		s.byID[k.id] = append(s.byID[k.id], k)
	}
	return s
}

// Current returns the set itself.
func (s *KeySet) Current(context.Context, time.Time) (*KeySet, error) { return s, nil }

// Renew returns the set itself.
func (s *KeySet) Renew(context.Context, string, time.Time) (*KeySet, error) { return s, nil }

// Signing returns the key that signs, or nil.
func (s *KeySet) Signing() *Key { return s.signing }

// Keys returns all keys, the signing one first.
func (s *KeySet) Keys() []*Key { return slices.Clone(s.keys) }

// has reports whether a key has this identifier.
func (s *KeySet) has(id string) bool { return len(s.byID[id]) > 0 }

// find returns the keys that may have signed a token with this header. One that
// names no key can be of any symmetric key, and of an asymmetric one if there is
// no other: trying many signatures is work that anybody could ask for.
func (s *KeySet) find(id string, algorithm Algorithm) []*Key {
	candidates := s.keys
	if id != "" {
		if candidates = s.byID[id]; len(candidates) == 1 && candidates[0].fits(algorithm) {
			return candidates
		}
	}
	var found []*Key
	for _, k := range candidates {
		if k.fits(algorithm) {
			found = append(found, k)
		}
	}
	if len(found) > 1 && !algorithm.symmetric() {
		return nil
	}
	return found
}

// same reports whether two sets have the same keys.
func (s *KeySet) same(other *KeySet) bool {
	if other == nil || (s.signing == nil) != (other.signing == nil) || s.signing != nil && s.signing.id != other.signing.id {
		return false
	}
	return slices.EqualFunc(s.keys, other.keys, func(a, b *Key) bool {
		return a.id == b.id && a.algorithm == b.algorithm && a.kty == b.kty && a.Thumbprint() == b.Thumbprint()
	})
}
