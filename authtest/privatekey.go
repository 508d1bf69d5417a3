package authtest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// privateKeyOf returns the private key of a JWK as package crypto has it.
func privateKeyOf(text []byte) (any, error) {
	var m map[string]string
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	part := func(name string) []byte {
		decoded, _ := base64.RawURLEncoding.DecodeString(m[name])
		return decoded
	}
	number := func(name string) *big.Int { return new(big.Int).SetBytes(part(name)) }
	switch m["kty"] {
	case "EC":
		curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(),
			"P-521": elliptic.P521()}
		return ecdsa.ParseRawPrivateKey(curves[m["crv"]], part("d"))
	case "RSA":
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}, D: number("d"),
			Primes: []*big.Int{number("p"), number("q")}}
		key.Precompute()
		return key, key.Validate()
	case "OKP":
		return ed25519.NewKeyFromSeed(part("d")), nil
	}
	return nil, fmt.Errorf("authtest: no issuer has keys of type %q", m["kty"])
}
