// Package seal encrypts what others keep for us: stores, and browsers.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
)

// MinKey is the shortest application key, in bytes.
const MinKey = 32

// New returns AES-256-GCM (NIST SP 800-38D) under a key that is derived of secret
// for this purpose alone (HKDF with SHA-256, RFC 5869).
func New(secret, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// All returns one for each application key. It is an error if there is none, or
// one that is short.
func All(keys []auth.Secret, purpose string) ([]cipher.AEAD, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	seals := make([]cipher.AEAD, len(keys))
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, fmt.Errorf("key %d has less than %d bytes", i, MinKey)
		}
		var err error
		if seals[i], err = New(key.Reveal(), purpose); err != nil {
			return nil, err
		}
	}
	return seals, nil
}
