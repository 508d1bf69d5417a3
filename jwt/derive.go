package jwt

import (
	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/seal"
)

// DeriveKeys returns a key of 32 bytes for each of Config.Keys, in the same order, for another purpose than the
// private keys in the store (HKDF with SHA-256, RFC 5869). The purpose is the "info" of RFC 5869 §2.3, and should name
// the program and the use. Instances with the same Config.Keys get the same keys, also after a restart, so whatever
// seals with the first key and opens with any of them follows a change of Config.Keys. It is safe for concurrent use.
func (k *Keyring) DeriveKeys(purpose string) ([]auth.Secret, error) { return k.derive(purpose) }

// deriver returns the function that derives keys. It keeps the application keys where package fmt finds an address.
func deriver(keys []auth.Secret) func(purpose string) ([]auth.Secret, error) {
	return func(purpose string) ([]auth.Secret, error) {
		derived := make([]auth.Secret, len(keys))
		for i, key := range keys {
			text, err := seal.Derive(key.Reveal(), "gatewarden derived key: "+purpose)
			if err != nil {
				return nil, err
			}
			derived[i] = auth.Secret(text)
		}
		return derived, nil
	}
}
