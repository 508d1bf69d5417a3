package jwt

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/seal"
)

// keySeals encrypt private keys for a store (AES-256-GCM, NIST SP 800-38D), the
// first of them. All decrypt.
type keySeals []seal.Key

func newKeySeals(keys []auth.Secret) (keySeals, error) {
	all, err := seal.NewKeys(keys, "gatewarden jwt keyring")
	if err != nil {
		return nil, fmt.Errorf("jwt: KeyringConfig.Keys, which seal private keys: %w", err)
	}
	return all, nil
}

// seal makes a record of a key. Identifier and algorithm are bound to it: a
// record with swapped fields does not open.
func (s keySeals) seal(key *Key) (*KeyRecord, error) {
	text, err := key.MarshalJWK(true)
	if err != nil {
		return nil, err
	}
	r := &KeyRecord{ID: key.id, Algorithm: key.algorithm}
	nonce := make([]byte, s[0].NonceSize())
	_, _ = rand.Read(nonce) // never fails
	r.Sealed = s[0].Seal(nonce, nonce, text, r.bound())
	if _, err := s.open(r); err != nil { // an identifier that JSON cannot hold
		return nil, fmt.Errorf("jwt: a key with the identifier %q cannot be kept", key.id)
	}
	return r, nil
}

func (r *KeyRecord) bound() []byte { return []byte(string(r.Algorithm) + "\x00" + r.ID) }

func (s keySeals) open(r *KeyRecord) (*Key, error) {
	for _, aead := range s {
		n := aead.NonceSize()
		if len(r.Sealed) < n {
			break
		}
		text, err := aead.Open(nil, r.Sealed[:n], r.Sealed[n:], r.bound())
		if err != nil {
			continue
		}
		key, err := ParseJWK(text)
		if err != nil || key.id != r.ID || key.algorithm != r.Algorithm {
			break
		}
		return key, nil
	}
	return nil, fmt.Errorf("jwt: none of KeyringConfig.Keys opens the key %q of the store", r.ID)
}

// successorSeal encrypts the identifier of the successor of a token, so that a
// copy of the store does not show it. The key comes from the token's identifier, of
// which stores know only a hash: a retry writes the token once more, with another
// "iat" and signature, and each of these can be retried. Identifiers are UUIDs, and
// not secrets: a token needs the signature of our key, too. Each key seals one text, so
// the nonce may be zero (NIST SP 800-38D §8.2).
func successorSeal(old string) (aead cipher.AEAD, nonce []byte, err error) {
	if aead, err = seal.New(old, "gatewarden jwt successor"); err != nil {
		return nil, nil, fmt.Errorf("jwt: %w", err)
	}
	return aead, make([]byte, aead.NonceSize()), nil
}

func sealID(old, id string) ([]byte, error) {
	aead, nonce, err := successorSeal(old)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nonce, []byte(id), nil), nil
}

func openID(old string, sealed []byte) (string, error) {
	aead, nonce, err := successorSeal(old)
	if err != nil {
		return "", err
	}
	id, err := aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", errors.New("jwt: the store has another successor than was sealed")
	}
	return string(id), nil
}
