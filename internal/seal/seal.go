// Package seal encrypts and authenticates values that others keep for the service, such as a cookie
// in a browser. It uses AES-256-GCM under keys that are each derived for one purpose.
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
)

// MinKey is the shortest application key, in bytes.
const MinKey = 32

// Key is AES-256-GCM (NIST SP 800-38D) under a key for one purpose. Its fields
// are functions, so that package fmt, which reads unexported fields, prints
// addresses and no key.
type Key struct {
	seal func(dst, nonce, plaintext, additional []byte) []byte
	open func(dst, nonce, ciphertext, additional []byte) ([]byte, error)
}

var _ cipher.AEAD = Key{}

// The sizes of AES-GCM, in bytes.
const (
	nonceSize = 12
	overhead  = 16
)

// NonceSize implements [cipher.AEAD].
func (Key) NonceSize() int { return nonceSize }

// Overhead implements [cipher.AEAD].
func (Key) Overhead() int { return overhead }

// Seal implements [cipher.AEAD].
func (k Key) Seal(dst, nonce, plaintext, additional []byte) []byte {
	return k.seal(dst, nonce, plaintext, additional)
}

// Open implements [cipher.AEAD].
func (k Key) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	return k.open(dst, nonce, ciphertext, additional)
}

// Derive returns 32 bytes that are derived from secret for this purpose alone (HKDF with SHA-256, RFC 5869).
func Derive(secret, purpose string) (string, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
	return string(key), err
}

// New returns a key that is derived from secret for this purpose alone, as by Derive.
func New(secret, purpose string) (Key, error) {
	key, err := Derive(secret, purpose)
	if err != nil {
		return Key{}, err
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return Key{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return Key{}, err
	}
	return Key{aead.Seal, aead.Open}, nil
}

// Secret is an application key that hides what it is, such as auth.Secret, which
// this package does not import.
type Secret interface{ Reveal() string }

// NewKeys returns a key for each application key. It returns an error if there is no
// application key, or one that is too short.
func NewKeys[S Secret](secrets []S, purpose string) ([]Key, error) {
	if len(secrets) == 0 {
		return nil, errors.New("there is no key")
	}
	keys := make([]Key, len(secrets))
	for i, secret := range secrets {
		text := secret.Reveal()
		if len(text) < MinKey {
			return nil, fmt.Errorf("key %d has less than %d bytes", i, MinKey)
		}
		var err error
		if keys[i], err = New(text, purpose); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// maxSealed is the longest text that is opened: browsers keep cookies of 4096 bytes.
const maxSealed = 4096

// ErrNotOurs is returned for a text that no key opens.
var ErrNotOurs = errors.New("not sealed by any of the keys")

// Seal encrypts a text with the first of keys, bound to a name under which alone it
// can be opened. The result is base64url, 38 bytes and a third longer.
func Seal(keys []Key, text []byte, bound string) string {
	nonce := make([]byte, nonceSize, nonceSize+len(text)+overhead)
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(keys[0].Seal(nonce, nonce, text, []byte(bound)))
}

// Open returns what Seal sealed with one of keys, of at most 4096 bytes. The only error is ErrNotOurs.
func Open(keys []Key, sealed, bound string) ([]byte, error) {
	return OpenLong(keys, sealed, bound, maxSealed)
}

// OpenLong is Open for what no cookie holds, of at most limit bytes.
func OpenLong(keys []Key, sealed, bound string, limit int) ([]byte, error) {
	if len(sealed) > limit {
		return nil, ErrNotOurs
	}
	all, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(all) < nonceSize {
		return nil, ErrNotOurs
	}
	for _, key := range keys {
		if text, err := key.Open(nil, all[:nonceSize], all[nonceSize:], []byte(bound)); err == nil {
			return text, nil
		}
	}
	return nil, ErrNotOurs
}
