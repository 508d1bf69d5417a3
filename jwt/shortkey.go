package jwt

import (
	"fmt"
	"slices"
)

// minShortSecret is what every secret must have, in bytes: as much as HS256 asks for.
const minShortSecret = 32

// NewShortKey returns a key like [NewKey] does, of a secret for HS384 or HS512 that is
// shorter than the hash of the algorithm. RFC 7518 §3.2 does not allow such a secret, but
// simplejwt takes a SECRET_KEY of 50 characters for HS512. Use it while such tokens are in
// use: a signature is then as strong as the secret, and not as the algorithm promises. It
// is an error if the secret has less than 32 bytes, or is long enough for NewKey.
//
// The key is for a [KeySet]. [Keyring.Add] refuses it.
func NewShortKey(algorithm Algorithm, secret []byte) (*Key, error) {
	m := methods[algorithm]
	switch {
	case m.secret == 0:
		return nil, fmt.Errorf("jwt: %q is no algorithm with a secret", algorithm)
	case len(secret) >= m.secret:
		return nil, fmt.Errorf("jwt: a secret of %d bytes is long enough for %s: use NewKey", len(secret), algorithm)
	case len(secret) < minShortSecret:
		return nil, fmt.Errorf("jwt: a secret of at least %d bytes is needed, this one has %d", minShortSecret,
			len(secret))
	}
	k := newKey(algorithm, "oct", keyParts{secret: slices.Clone(secret)})
	k.id = k.Thumbprint()
	return k, nil
}
