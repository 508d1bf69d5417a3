// Package seal encrypts what others keep for us: stores, and browsers.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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

// maxSealed is the longest text that is opened: browsers keep cookies of 4096 bytes.
const maxSealed = 4096

// ErrNotOurs is a text that no key opens.
var ErrNotOurs = errors.New("not sealed by any of the keys")

// Seal encrypts a text with the first of keys, bound to a name under which alone it
// can be opened. The result is base64url, 38 bytes and a third longer.
func Seal(keys []cipher.AEAD, text []byte, bound string) string {
	aead := keys[0]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, text, []byte(bound)))
}

// Open returns what Seal sealed with one of keys. The only error is ErrNotOurs.
func Open(keys []cipher.AEAD, sealed, bound string) ([]byte, error) {
	if len(sealed) > maxSealed {
		return nil, ErrNotOurs
	}
	all, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, ErrNotOurs
	}
	for _, aead := range keys {
		if len(all) < aead.NonceSize() {
			break
		}
		if text, err := aead.Open(nil, all[:aead.NonceSize()], all[aead.NonceSize():], []byte(bound)); err == nil {
			return text, nil
		}
	}
	return nil, ErrNotOurs
}
