package jwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// base64url is base64url without padding and without stray bits at its end
// (RFC 7515 §2): every value has one spelling.
var base64url = base64.RawURLEncoding.Strict()

// jwk has the members of RFC 7517 §4 and RFC 7518 §6 that are written.
type jwk struct {
	Kty string `json:"kty"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	Kid string `json:"kid,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	D   string `json:"d,omitempty"`
	P   string `json:"p,omitempty"`
	Q   string `json:"q,omitempty"`
	Dp  string `json:"dp,omitempty"`
	Dq  string `json:"dq,omitempty"`
	Qi  string `json:"qi,omitempty"`
	K   string `json:"k,omitempty"`
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// publicJWK returns the public members of the key, nil of a symmetric one.
func (k *Key) publicJWK() *jwk {
	encode := base64url.EncodeToString
	switch p := k.public().(type) {
	case *rsa.PublicKey:
		return &jwk{Kty: "RSA", N: encode(p.N.Bytes()), E: encode(big.NewInt(int64(p.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, _ := p.Bytes() // checked when the key was made: 4, X, Y
		size := (len(point) - 1) / 2
		return &jwk{Kty: "EC", Crv: p.Params().Name, X: encode(point[1 : 1+size]), Y: encode(point[1+size:])}
	case ed25519.PublicKey:
		return &jwk{Kty: "OKP", Crv: "Ed25519", X: encode(p)}
	}
	return nil
}

// Thumbprint returns the SHA-256 thumbprint of the key (RFC 7638), in base64url.
// That of a secret is a hash of the secret: of one that can be guessed, it says
// when a guess is right, as each token does.
func (k *Key) Thumbprint() string {
	var members []string
	if m := k.publicJWK(); m == nil {
		members = []string{"k", base64url.EncodeToString(k.secret().([]byte)), "kty", "oct"}
	} else {
		members = map[string][]string{
			"RSA": {"e", m.E, "kty", m.Kty, "n", m.N},
			"EC":  {"crv", m.Crv, "kty", m.Kty, "x", m.X, "y", m.Y},
			"OKP": {"crv", m.Crv, "kty", m.Kty, "x", m.X}, // RFC 8037 §2
		}[m.Kty]
	}
	text := []byte{'{'}
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `"%s":"%s"`, members[i], members[i+1]) // both need no escaping
	}
	sum := sha256.Sum256(append(text, '}'))
	return base64url.EncodeToString(sum[:])
}

// MarshalJWK returns the key as a JWK (RFC 7517), with its private part only if
// private is set. Without it a symmetric key is an error.
func (k *Key) MarshalJWK(private bool) ([]byte, error) {
	m := k.publicJWK()
	if m == nil {
		if !private {
			return nil, errors.New("jwt: a symmetric key has no public part")
		}
		m = &jwk{Kty: "oct", K: base64url.EncodeToString(k.secret().([]byte))}
	} else if private {
		encode := base64url.EncodeToString
		switch s := k.secret().(type) {
		case *rsa.PrivateKey:
			if len(s.Primes) != 2 {
				return nil, errors.New("jwt: RSA with more than two primes")
			}
			m.D, m.P, m.Q = encode(s.D.Bytes()), encode(s.Primes[0].Bytes()), encode(s.Primes[1].Bytes())
			m.Dp, m.Dq, m.Qi = encode(s.Precomputed.Dp.Bytes()), encode(s.Precomputed.Dq.Bytes()),
				encode(s.Precomputed.Qinv.Bytes())
		case *ecdsa.PrivateKey:
			d, err := s.Bytes()
			if err != nil {
				return nil, fmt.Errorf("jwt: %w", err)
			}
			m.D = encode(d)
		case ed25519.PrivateKey:
			m.D = encode(s.Seed())
		default:
			return nil, errors.New("jwt: the key has no private part")
		}
	}
	m.Use, m.Alg, m.Kid = "sig", string(k.algorithm), k.id
	return json.Marshal(m)
}

// ParseJWK reads a key in JWK (RFC 7517), public, private or symmetric. Its
// identifier is "kid", or else the thumbprint. A public key without
// "alg" verifies every algorithm of its type. A private one without signs as
// [NewKey] says. Keys for encryption ("use", "key_ops"), weak and contradictory
// ones are errors. A member that is null counts as absent, and one of another type than
// RFC 7517 §4 says is an error. [ParseJWKS], which reads the keys of others, is kinder.
func ParseJWK(text []byte) (*Key, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("jwt: a JWK has at most %d bytes", maxKeyText)
	}
	var members map[string]json.RawMessage // by their exact names
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errors.New("jwt: a JWK is a JSON object")
	}
	return parseJWK(members)
}

const maxKeyText = 64 << 10

func parseJWK(members map[string]json.RawMessage) (*Key, error) {
	return (&jwkReader{members: members}).key()
}

// key reads the key.
func (r *jwkReader) key() (*Key, error) {
	kty, kid := r.text("kty"), r.optional("kid")
	if !slices.Contains([]string{"oct", "RSA", "EC", "OKP"}, kty) {
		r.fault("kty is unknown")
	}
	alg := r.purpose(kty)
	if r.err != nil {
		return nil, r.err
	}
	var material any
	switch kty {
	case "oct":
		material = r.bytes("k")
	case "RSA":
		material = r.rsa()
	case "EC":
		material = r.ec()
	case "OKP":
		material = r.okp()
	}
	if r.err != nil {
		return nil, r.err
	}
	k, err := NewKey(alg, material)
	if err != nil {
		return nil, err
	}
	if alg == "" && !k.CanSign() {
		k.algorithm = ""
	}
	if kid != "" {
		k.id = kid
	}
	k.readIssuer(r.members["issuer"])
	return k, nil
}

// jwkReader reads members. The first fault stays in err.
type jwkReader struct {
	members map[string]json.RawMessage
	err     error
	lenient bool     // an optional member of another type counts as absent
	ignored []string // why such members do
}

func (r *jwkReader) fault(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("jwt: the JWK's "+format, args...)
	}
}

// text reads a string, or "" without one.
func (r *jwkReader) text(name string) (text string) {
	if raw, ok := r.members[name]; ok {
		if isAbsent(raw) || json.Unmarshal(raw, &text) != nil {
			r.fault("%s is no string", name)
		}
	}
	return text
}

func (r *jwkReader) bytes(name string) []byte {
	text := r.text(name)
	decoded, err := base64url.DecodeString(text)
	if err != nil || len(decoded) == 0 || strings.ContainsAny(text, "\r\n") { // which package base64 skips
		r.fault("%s is missing or no base64url", name)
	}
	return decoded
}

func (r *jwkReader) has(name string) bool { return !isAbsent(r.members[name]) }

func (r *jwkReader) rsa() any {
	n, e := r.bytes("n"), r.bytes("e")
	if len(n) > maxRSA/8+1 || len(e) > 4 {
		r.fault("n or e is too large")
	}
	if r.err != nil {
		return nil
	}
	public := rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if public.E > 1<<31-1 {
		r.fault("e is too large")
	}
	if !r.has("d") {
		return &public
	}
	d, p, q := r.bytes("d"), r.bytes("p"), r.bytes("q")
	if r.err != nil {
		return nil
	}
	if r.has("oth") {
		r.fault("oth: RSA with more than two primes")
	}
	private := &rsa.PrivateKey{PublicKey: public, D: new(big.Int).SetBytes(d),
		Primes: []*big.Int{new(big.Int).SetBytes(p), new(big.Int).SetBytes(q)}}
	if len(d) > len(n) || len(p) > len(n) || len(q) > len(n) {
		r.fault("d, p or q is too large")
		return nil
	}
	return private
}

func (r *jwkReader) ec() any {
	curve := curves[r.text("crv")]
	if curve == nil {
		r.fault("crv is unknown")
		return nil
	}
	size := (curve.Params().BitSize + 7) / 8
	x, y := r.bytes("x"), r.bytes("y")
	if len(x) != size || len(y) != size { // RFC 7518 §6.2.1.2
		r.fault("x or y has not the %d bytes of its curve", size)
		return nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		r.fault("point: %w", err)
		return nil
	}
	if !r.has("d") {
		return public
	}
	d := r.bytes("d")
	if len(d) != size {
		r.fault("d has not the %d bytes of its curve", size)
		return nil
	}
	private, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil {
		r.fault("d: %w", err)
		return nil
	}
	if !private.PublicKey.Equal(public) {
		r.fault("d is not that of x and y")
		return nil
	}
	return private
}

func (r *jwkReader) okp() any {
	if r.text("crv") != "Ed25519" {
		r.fault("crv is unknown")
		return nil
	}
	x := r.bytes("x")
	if len(x) != ed25519.PublicKeySize {
		r.fault("x has not 32 bytes")
		return nil
	}
	if !r.has("d") {
		return ed25519.PublicKey(x)
	}
	d := r.bytes("d")
	if len(d) != ed25519.SeedSize {
		r.fault("d has not 32 bytes")
		return nil
	}
	private := ed25519.NewKeyFromSeed(d)
	if !bytes.Equal(private.Public().(ed25519.PublicKey), x) {
		r.fault("d is not that of x")
		return nil
	}
	return private
}
