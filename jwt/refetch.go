package jwt

import (
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/backend"
)

// Refetcher is an optional interface of a [KeySource] with keys that can be replaced while their
// identifiers stay. A provider may publish a single key without "kid" (OpenID Connect Core
// §10.1), and some give a new key the identifier of the old one. [RemoteKeys] implement it.
//
// A [Verifier] calls it for a token that is good but for its signature. A source that wraps
// another one forwards the call. Without it such a token is refused until the source has
// new keys by itself.
type Refetcher interface {
	// Refetch returns the keys at now, after no key of known fitted the signature of a token.
	// known is what Current or Renew returned. If there are no other keys it returns known.
	// A source that asks another server must not ask for each such token, because anybody
	// can send one. It is safe for concurrent use. An error says that the source cannot
	// tell, and is answered with 503.
	Refetch(ctx context.Context, known *KeySet, now time.Time) (*KeySet, error)
}

var _ Refetcher = (*RemoteKeys)(nil)

// Refetch implements [Refetcher]: it fetches the keys, but at most once in CoolDown, and
// not if they are others than known by now. Within CoolDown it returns at once what it has.
// With Patience it waits for the end of CoolDown instead. It is an error if the last fetch
// failed, and if 1,000 requests wait already.
func (k *RemoteKeys) Refetch(ctx context.Context, known *KeySet, now time.Time) (*KeySet, error) {
	if set, err := k.usable(now); err == nil && set != known {
		return set, nil
	}
	return k.lookFor(ctx, now, func(set *KeySet) bool { return set != known })
}

// verify returns the keys that verified the signature of a token. Asking for keys is work for
// others, so nothing is asked for a token that good refuses by what it says. An error may be a
// *refusal.
func (i *issuer) verify(ctx context.Context, u unverifiedToken, all []member, signature []byte, good func() *refusal,
	now time.Time,
) (*KeySet, error) {
	h := u.header
	keys, err := i.Keys.Current(ctx, now)
	if err != nil || keys == nil {
		return nil, backend.Outage(err)
	}
	if h.keyID != "" && !keys.has(h.keyID) {
		if fault := good(); fault != nil {
			return nil, unprovedRefusal(keys, i.Keys, fault)
		}
		if methods[h.algorithm].SigningMethod == nil {
			return nil, i.otherAlg
		}
		if keys, err = i.Keys.Renew(ctx, h.keyID, now); err != nil || keys == nil {
			return nil, backend.Outage(err)
		}
		return keys, i.signed(keys, u, all, signature)
	}
	fault := i.signed(keys, u, all, signature)
	if source, ok := i.Keys.(Refetcher); ok && fault != nil && methods[h.algorithm].SigningMethod != nil &&
		good() == nil {
		return i.verifyAgain(ctx, source, keys, fault, u, all, signature, now)
	}
	return keys, fault
}

// verifyAgain is verify by the keys that have replaced known, or fault if there are no others.
func (i *issuer) verifyAgain(ctx context.Context, source Refetcher, known *KeySet, fault error, u unverifiedToken,
	all []member, signature []byte, now time.Time,
) (*KeySet, error) {
	keys, err := source.Refetch(ctx, known, now)
	switch {
	case err != nil || keys == nil:
		return nil, backend.Outage(err)
	case keys == known:
		return nil, fault
	}
	return keys, i.signed(keys, u, all, signature)
}

// signed returns nil if one of keys made the signature, or a *refusal.
func (i *issuer) signed(keys *KeySet, u unverifiedToken, all []member, signature []byte) error {
	h := u.header
	fitting := keys.fitting(h.keyID, h.algorithm)
	if len(fitting) == 0 {
		return noKey(keys, i.Keys, h)
	}
	own := i.keysOf(fitting, all)
	if len(own) == 0 {
		return saysInvalid.because(&keyCause{problem: keyIsElsewhere, keys: keys, source: i.Keys})
	}
	candidates := tried(own, h.keyID, h.algorithm)
	if len(candidates) == 0 {
		return noKey(keys, i.Keys, h)
	}
	if !slices.ContainsFunc(candidates, func(k *Key) bool { return k.verify(h.algorithm, u.input, signature) }) {
		return badSignature(keys, i.Keys)
	}
	return nil
}
