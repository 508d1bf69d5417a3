package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Key signs or verifies tokens. It is immutable and safe for concurrent use,
// and prints as its identifier and algorithm only.
type Key struct {
	id        string
	algorithm Algorithm // by which it signs; "" of a public key that names none
	kty       string
	secret    any // []byte, *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey; nil if it only verifies
	public    any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey; nil of a symmetric key
}

const (
	minRSA = 2048 // bits (NIST SP 800-131A)
	maxRSA = 8192 // a larger one only costs time
)

// NewKey returns a key of material: []byte for HS256, HS384 and HS512;
// *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey to sign and verify;
// *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey to verify only. Its
// identifier is the thumbprint of RFC 7638.
//
// An empty algorithm is RS256 for RSA, that of the curve for ECDSA, and EdDSA
// for Ed25519; for []byte it must be named. It is an error if the algorithm is
// not one for such a key, and if the key is weak: a secret shorter than the
// algorithm's hash (RFC 7518 §3.2: 32, 48 or 64 bytes), RSA of less than 2048
// bits.
func NewKey(algorithm Algorithm, material any) (*Key, error) {
	k := &Key{algorithm: algorithm}
	switch m := material.(type) {
	case []byte:
		k.kty, k.secret = "oct", slices.Clone(m)
		if algorithm == "" {
			return nil, errors.New("jwt: the algorithm of a secret must be named")
		}
	case *rsa.PrivateKey:
		if m == nil {
			return nil, errors.New("jwt: nil key")
		}
		if err := m.Validate(); err != nil {
			return nil, fmt.Errorf("jwt: %w", err)
		}
		k.secret, k.public = m, &m.PublicKey
	case *rsa.PublicKey:
		k.public = m
	case *ecdsa.PrivateKey:
		if m == nil {
			return nil, errors.New("jwt: nil key")
		}
		k.secret, k.public = m, &m.PublicKey
	case *ecdsa.PublicKey:
		k.public = m
	case ed25519.PrivateKey:
		if len(m) != ed25519.PrivateKeySize {
			return nil, errors.New("jwt: an Ed25519 private key has 64 bytes")
		}
		k.secret, k.public = m, m.Public()
	case ed25519.PublicKey:
		k.public = m
	default:
		return nil, fmt.Errorf("jwt: a %T is no key", material)
	}
	if k.public != nil {
		fallback, err := k.checkPublic()
		if err != nil {
			return nil, err
		}
		if algorithm == "" {
			k.algorithm = fallback
		}
	}
	if err := k.checkAlgorithm(); err != nil {
		return nil, err
	}
	k.id = k.Thumbprint()
	return k, nil
}

// checkPublic sets kty, and returns the algorithm that is usual for the key.
func (k *Key) checkPublic() (Algorithm, error) {
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		if p == nil || p.N == nil {
			return "", errors.New("jwt: nil key")
		}
		if bits := p.N.BitLen(); bits < minRSA || bits > maxRSA {
			return "", fmt.Errorf("jwt: an RSA key has %d to %d bits, this one %d", minRSA, maxRSA, bits)
		}
		if p.E < 3 || p.E%2 == 0 || p.N.Bit(0) == 0 {
			return "", errors.New("jwt: RSA with an even modulus or a useless exponent")
		}
		k.kty = "RSA"
		return RS256, nil
	case *ecdsa.PublicKey:
		if p == nil || p.Curve == nil {
			return "", errors.New("jwt: nil key")
		}
		k.kty = "EC"
		if _, err := p.Bytes(); err != nil { // not on its curve
			return "", fmt.Errorf("jwt: %w", err)
		}
		switch p.Curve {
		case elliptic.P256():
			return ES256, nil
		case elliptic.P384():
			return ES384, nil
		case elliptic.P521():
			return ES512, nil
		}
		return "", fmt.Errorf("jwt: no algorithm has the curve %s", p.Params().Name)
	default:
		if len(p.(ed25519.PublicKey)) != ed25519.PublicKeySize {
			return "", errors.New("jwt: an Ed25519 public key has 32 bytes")
		}
		k.kty = "OKP"
		return EdDSA, nil
	}
}

// checkAlgorithm refuses an algorithm that is not one for this key.
func (k *Key) checkAlgorithm() error {
	m, ok := methods[k.algorithm]
	switch {
	case !ok:
		return fmt.Errorf("jwt: there is no algorithm %q here", k.algorithm)
	case m.kty != k.kty:
		return fmt.Errorf("jwt: %s does not go with a key of type %s", k.algorithm, k.kty)
	case m.curve != nil && k.public.(*ecdsa.PublicKey).Curve != m.curve:
		return fmt.Errorf("jwt: %s does not go with the curve %s", k.algorithm, k.public.(*ecdsa.PublicKey).Params().Name)
	}
	if secret, ok := k.secret.([]byte); ok && len(secret) < m.secret {
		return fmt.Errorf("jwt: %s needs a secret of at least %d bytes (RFC 7518 §3.2), this one has %d", k.algorithm, m.secret, len(secret))
	}
	return nil
}

// GenerateKey returns a new key that signs by this algorithm. RSA keys have
// 3072 bits, secrets the length of the hash.
func GenerateKey(algorithm Algorithm) (*Key, error) {
	m, ok := methods[algorithm]
	if !ok {
		return nil, fmt.Errorf("jwt: there is no algorithm %q here", algorithm)
	}
	var material any
	var err error
	switch m.kty {
	case "oct":
		secret := make([]byte, m.secret)
		_, _ = rand.Read(secret) // never fails
		material = secret
	case "RSA":
		material, err = rsa.GenerateKey(rand.Reader, 3072)
	case "EC":
		material, err = ecdsa.GenerateKey(m.curve, rand.Reader)
	case "OKP":
		_, material, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return NewKey(algorithm, material)
}

// ID returns the identifier, which tokens name as "kid" (RFC 7515 §4.1.4).
func (k *Key) ID() string { return k.id }

// WithID returns the key under another identifier, for one that verifiers know
// by a name of its own.
func (k *Key) WithID(id string) *Key {
	renamed := *k
	renamed.id = id
	return &renamed
}

// Algorithm returns what the key signs by. It is empty for a public key of a
// JWK without "alg": that verifies every algorithm of its type.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// CanSign reports whether the key has its private part, or is symmetric.
func (k *Key) CanSign() bool { return k.secret != nil }

// Public returns the key without its private part, or nil if it is symmetric:
// such a key has no part that could be published.
func (k *Key) Public() *Key {
	if k.public == nil {
		return nil
	}
	return &Key{id: k.id, algorithm: k.algorithm, kty: k.kty, public: k.public}
}

// fits reports whether the key verifies tokens of this algorithm.
func (k *Key) fits(algorithm Algorithm) bool {
	if k.algorithm != "" {
		return k.algorithm == algorithm
	}
	m, ok := methods[algorithm]
	if !ok || m.kty != k.kty {
		return false
	}
	return m.curve == nil || k.public.(*ecdsa.PublicKey).Curve == m.curve
}

// verify reports whether signature is one of text by this key. The key must fit
// the algorithm.
func (k *Key) verify(algorithm Algorithm, text string, signature []byte) bool {
	material := k.public
	if material == nil {
		material = k.secret
	}
	return methods[algorithm].Verify(text, signature, material) == nil
}

// sign returns the signature of text.
func (k *Key) sign(text string) ([]byte, error) {
	if k.secret == nil {
		return nil, errors.New("jwt: a public key cannot sign")
	}
	signature, err := methods[k.algorithm].Sign(text, k.secret)
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return signature, nil
}

// Format writes the identifier and the algorithm, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) {
	if k == nil {
		_, _ = io.WriteString(f, "<nil>")
		return
	}
	_, _ = fmt.Fprintf(f, "%s key %s", k.algorithm, k.id)
}
