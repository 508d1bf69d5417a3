package jwt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
)

// keySeals encrypt private keys for a store (AES-256-GCM, NIST SP 800-38D), the
// first of them; all decrypt.
type keySeals []cipher.AEAD

func newKeySeals(keys []auth.Secret) (keySeals, error) {
	if len(keys) == 0 {
		return nil, errors.New("jwt: KeyringConfig.Keys is empty: private keys must be sealed")
	}
	seals := make(keySeals, len(keys))
	for i, key := range keys {
		if len(key) < 32 {
			return nil, fmt.Errorf("jwt: KeyringConfig.Keys[%d] has less than 32 bytes", i)
		}
		derived, err := hkdf.Key(sha256.New, []byte(key), nil, "gatewarden jwt keyring", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		if seals[i], err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	return seals, nil
}

// seal makes a record of a key. Identifier and algorithm are bound to it: a
// record whose fields somebody swapped does not open.
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
