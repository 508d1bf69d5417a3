package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// KeySource says which keys an issuer has. A [KeySet] is one that never
// changes, a [Keyring] one with keys that are replaced in time, [RemoteKeys] the
// published keys of another service.
//
// Methods are safe for concurrent use. An error says that the source cannot
// tell, and is answered with 503.
type KeySource interface {
	// Current returns the keys at now. As long as they are the same, it
	// returns the same pointer: verified tokens are remembered with it.
	Current(ctx context.Context, now time.Time) (*KeySet, error)
	// Renew returns the keys after Current had no key with the identifier that a
	// token names. A source that asks somebody must not ask for each such
	// token: anybody can send one.
	Renew(ctx context.Context, id string, now time.Time) (*KeySet, error)
}

// KeySet is keys that verify, and at most one of each algorithm that signs. It is
// immutable and safe for concurrent use.
type KeySet struct {
	signing []*Key // the first signs where nothing asks for an algorithm
	keys    []*Key // those of signing first
	byID    map[string][]*Key
	said    *setNotes // of keys that were fetched
}

var _ KeySource = (*KeySet)(nil)

// NewKeySet returns a set of a key that signs, and others that still, or
// already, verify. A nil signing key is a set that verifies only. It is an error
// if signing cannot sign, if two keys have one identifier, and if there is no
// key. [NewSigningKeySet] is for keys of several algorithms that sign.
func NewKeySet(signing *Key, others ...*Key) (*KeySet, error) {
	if signing == nil {
		return NewSigningKeySet(nil, others...)
	}
	return NewSigningKeySet([]*Key{signing}, others...)
}

// NewSigningKeySet is [NewKeySet] for several keys that sign, at most one of each
// algorithm. The first signs what is not for a particular algorithm, such as the
// tokens of [Tokens]. An OpenID provider needs one for RS256 besides (OpenID
// Connect Core §15.1):
//
//	keys, err := jwt.NewSigningKeySet([]*jwt.Key{es256, rs256})
func NewSigningKeySet(signing []*Key, others ...*Key) (*KeySet, error) {
	keys := slices.Concat(signing, others)
	if len(keys) == 0 {
		return nil, errors.New("jwt: a set without keys")
	}
	for i, k := range keys {
		if k == nil {
			return nil, errors.New("jwt: nil key")
		}
		if slices.ContainsFunc(keys[:i], func(other *Key) bool { return other.id == k.id }) {
			return nil, fmt.Errorf("jwt: two keys with the identifier %q", k.id)
		}
	}
	for i, k := range signing {
		if !k.CanSign() {
			return nil, fmt.Errorf("jwt: %v cannot sign", k)
		}
		if slices.ContainsFunc(signing[:i], func(other *Key) bool { return other.algorithm == k.algorithm }) {
			return nil, fmt.Errorf("jwt: two keys that sign by %s", k.algorithm)
		}
	}
	return newKeySet(slices.Clone(signing), keys), nil
}

func newKeySet(signing, keys []*Key) *KeySet {
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

// Signing returns the first key that signs, or nil.
func (s *KeySet) Signing() *Key {
	if len(s.signing) == 0 {
		return nil
	}
	return s.signing[0]
}

// SigningBy returns the key that signs by this algorithm, or nil.
func (s *KeySet) SigningBy(algorithm Algorithm) *Key {
	for _, k := range s.signing {
		if k.algorithm == algorithm {
			return k
		}
	}
	return nil
}

// SigningKeys returns the keys that sign, of which each has another algorithm.
func (s *KeySet) SigningKeys() []*Key { return slices.Clone(s.signing) }

// Keys returns all keys, those that sign first.
func (s *KeySet) Keys() []*Key { return slices.Clone(s.keys) }

// has reports whether a key has this identifier.
func (s *KeySet) has(id string) bool { return len(s.byID[id]) > 0 }

// find returns the keys that may have signed a token with this header, if nothing is known of its issuer.
func (s *KeySet) find(id string, algorithm Algorithm) []*Key {
	return tried(s.fitting(id, algorithm), id, algorithm)
}

// fitting returns the keys that are for the algorithm of a token and have the identifier that it names, if it names
// one.
func (s *KeySet) fitting(id string, algorithm Algorithm) []*Key {
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
	return found
}

// tried returns those of keys that a signature is tried with. A token that names no key can be of any symmetric key,
// and of an asymmetric one if there is no other. So can a token if several keys have its identifier. Trying many
// signatures is work that anybody could ask for. A key that is published twice, such as for two issuers, counts as one.
func tried(keys []*Key, id string, algorithm Algorithm) []*Key {
	if len(keys) <= 1 || algorithm.symmetric() {
		return keys
	}
	another := func(k *Key) bool { return k.Thumbprint() != keys[0].Thumbprint() }
	if id == "" || slices.ContainsFunc(keys[1:], another) {
		return nil
	}
	return keys[:1]
}

// same reports whether two sets have the same keys.
func (s *KeySet) same(other *KeySet) bool {
	return other != nil && slices.EqualFunc(s.signing, other.signing, (*Key).same) &&
		slices.EqualFunc(s.keys, other.keys, (*Key).same)
}

// same reports whether two keys are one by everything that can be told of them.
func (k *Key) same(other *Key) bool {
	return k.id == other.id && k.issuer == other.issuer && k.algorithm == other.algorithm && k.kty == other.kty &&
		k.Thumbprint() == other.Thumbprint()
}
