package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
)

// Key signs or verifies tokens. It is immutable and safe for concurrent use, and
// prints as its identifier and algorithm only.
type Key struct {
	id        string
	algorithm Algorithm // by which it signs, or "" of a public key that names no algorithm
	kty       string
	issuer    string // the member "issuer" of a published key
	// parts returns the key itself. Package fmt prints the unexported fields of
	// a struct without asking it, and cannot print what a function returns.
	parts func() keyParts
}

type keyParts struct {
	secret any // []byte, *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey, or nil if it only verifies
	public any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, or nil of a symmetric key
}

func (k *Key) secret() any { return k.parts().secret }
func (k *Key) public() any { return k.parts().public }

const (
	minRSA = 2048 // bits (NIST SP 800-131A)
	maxRSA = 8192 // a larger one only costs time

	defaultRSA = 3072 // of keys that are made here
)

// NewKey returns a key of material: []byte for HS256, HS384 and HS512,
// *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey to sign and verify,
// *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey to verify only. Its
// identifier is the thumbprint of RFC 7638.
//
// An empty algorithm is RS256 for RSA, that of the curve for ECDSA, and EdDSA
// for Ed25519. For []byte it must be named. It is an error if the algorithm is
// not one for such a key, and if the key is weak: a secret shorter than the
// algorithm's hash (RFC 7518 §3.2: 32, 48 or 64 bytes), RSA of less than 2048 or
// more than 8192 bits. The private part must be that of the public one. What
// becomes of material later does not change the key.
func NewKey(algorithm Algorithm, material any) (*Key, error) {
	copied, err := copyMaterial(material)
	if err != nil {
		return nil, err
	}
	k := newKey(algorithm, "oct", *copied)
	if k.public() == nil && algorithm == "" {
		return nil, errors.New("jwt: the algorithm of a secret must be named")
	}
	if k.public() != nil {
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

func newKey(algorithm Algorithm, kty string, both keyParts) *Key {
	return &Key{algorithm: algorithm, kty: kty, parts: func() keyParts { return both }}
}

// copyMaterial copies a key, and checks that a private one is whole.
func copyMaterial(from any) (*keyParts, error) {
	switch m := from.(type) {
	case []byte:
		return &keyParts{secret: slices.Clone(m)}, nil
	case *rsa.PrivateKey:
		return copyPrivateRSA(m)
	case *rsa.PublicKey:
		if m == nil || m.N == nil || m.N.Sign() <= 0 {
			return nil, errNoKey
		}
		return &keyParts{public: copyRSA(m)}, nil
	case *ecdsa.PrivateKey:
		return copyPrivateECDSA(m)
	case *ecdsa.PublicKey:
		if m == nil || m.Curve == nil {
			return nil, errNoKey
		}
		public, err := copyECDSA(m)
		if err != nil {
			return nil, err
		}
		return &keyParts{public: public}, nil
	case ed25519.PrivateKey:
		return copyPrivateEd25519(m)
	case ed25519.PublicKey:
		return &keyParts{public: slices.Clone(m)}, nil
	}
	return nil, fmt.Errorf("jwt: a %T is no key, want []byte, or a pointer to an RSA or ECDSA key, or an Ed25519 key; "+
		"see ParsePEM for text in PEM", from)
}

func copyPrivateRSA(p *rsa.PrivateKey) (*keyParts, error) {
	if p == nil {
		return nil, errNoKey
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	private := &rsa.PrivateKey{PublicKey: *copyRSA(&p.PublicKey), D: new(big.Int).Set(p.D)}
	for _, prime := range p.Primes {
		private.Primes = append(private.Primes, new(big.Int).Set(prime))
	}
	private.Precompute()
	return &keyParts{private, &private.PublicKey}, nil
}

func copyPrivateECDSA(p *ecdsa.PrivateKey) (*keyParts, error) {
	if p == nil || p.Curve == nil || p.D == nil {
		return nil, errNoKey
	}
	public, err := copyECDSA(&p.PublicKey)
	if err != nil {
		return nil, err
	}
	d, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	private, err := ecdsa.ParseRawPrivateKey(p.Curve, d)
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	if !private.PublicKey.Equal(public) {
		return nil, errNotWhole
	}
	return &keyParts{private, public}, nil
}

func copyPrivateEd25519(p ed25519.PrivateKey) (*keyParts, error) {
	if len(p) != ed25519.PrivateKeySize {
		return nil, errors.New("jwt: an Ed25519 private key has 64 bytes")
	}
	private := ed25519.NewKeyFromSeed(p.Seed())
	if !private.Equal(p) { // such a key gives itself away by signing
		return nil, errNotWhole
	}
	return &keyParts{private, private.Public()}, nil
}

var (
	errNoKey    = errors.New("jwt: nil key")
	errNotWhole = errors.New("jwt: the private part is not that of the public one")
)

func copyRSA(p *rsa.PublicKey) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Set(p.N), E: p.E}
}

// copyECDSA refuses a point that is not on its curve.
func copyECDSA(p *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	if p.X == nil || p.Y == nil {
		return nil, errNoKey
	}
	point, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(p.Curve, point)
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return public, nil
}

// checkPublic sets kty, and returns the algorithm that is usual for the key.
func (k *Key) checkPublic() (Algorithm, error) {
	switch p := k.public().(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSA || bits > maxRSA {
			return "", fmt.Errorf("jwt: an RSA key has %d to %d bits, this one %d", minRSA, maxRSA, bits)
		}
		if p.E < 3 || p.E%2 == 0 || p.N.Bit(0) == 0 {
			return "", errors.New("jwt: RSA with an even modulus or a useless exponent")
		}
		k.kty = "RSA"
		return RS256, nil
	case *ecdsa.PublicKey:
		k.kty = "EC"
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
	case m.curve != nil && k.public().(*ecdsa.PublicKey).Curve != m.curve:
		return fmt.Errorf("jwt: %s does not go with the curve %s", k.algorithm,
			k.public().(*ecdsa.PublicKey).Params().Name)
	}
	if secret, ok := k.secret().([]byte); ok && len(secret) < m.secret {
		hint := ""
		if len(secret) >= minShortSecret {
			hint = "; see NewShortKey"
		}
		return fmt.Errorf("jwt: %s needs a secret of at least %d bytes (RFC 7518 §3.2), this one has %d%s",
			k.algorithm, m.secret, len(secret), hint)
	}
	return nil
}

// GenerateKey returns a new key that signs by this algorithm. RSA keys have
// 3072 bits, secrets the length of the hash.
func GenerateKey(algorithm Algorithm) (*Key, error) { return generateKey(algorithm, defaultRSA) }

// generateKey is GenerateKey with the bits of an RSA key.
func generateKey(algorithm Algorithm, bits int) (*Key, error) {
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
		material, err = rsa.GenerateKey(rand.Reader, bits)
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
func (k *Key) CanSign() bool { return k.secret() != nil }

// Public returns the key without its private part, or nil if it is symmetric:
// such a key has no part that could be published.
func (k *Key) Public() *Key {
	if k.public() == nil {
		return nil
	}
	public := newKey(k.algorithm, k.kty, keyParts{public: k.public()}).WithID(k.id)
	public.issuer = k.issuer
	return public
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
	return m.curve == nil || k.public().(*ecdsa.PublicKey).Curve == m.curve
}

// verify reports whether signature is one of text by this key. The key must fit
// the algorithm.
func (k *Key) verify(algorithm Algorithm, text string, signature []byte) bool {
	material := k.public()
	if material == nil {
		material = k.secret()
	}
	return methods[algorithm].Verify(text, signature, material) == nil
}

// sign returns the signature of text.
func (k *Key) sign(text string) ([]byte, error) {
	if k.secret() == nil {
		return nil, errors.New("jwt: a public key cannot sign")
	}
	signature, err := methods[k.algorithm].Sign(text, k.secret())
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return signature, nil
}

// Format writes the identifier and the algorithm, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { // of a Key, too, that somebody copied
	_, _ = fmt.Fprintf(f, "%s key %s", k.algorithm, k.id)
}

// LogValue returns the identifier and the algorithm.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }
