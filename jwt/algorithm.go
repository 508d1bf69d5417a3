package jwt

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"

	golang "github.com/golang-jwt/jwt/v5"
)

// Algorithm is the name of a signature or MAC (RFC 7518 §3.1, RFC 8037 §3.1).
// A key has one of its own: what a token's header says is only compared with
// it (RFC 8725 §3.1).
type Algorithm string

// The algorithms that are spoken. "none" is not one of them.
const (
	HS256 Algorithm = "HS256" // HMAC: everybody that can check a token can also make one
	HS384 Algorithm = "HS384"
	HS512 Algorithm = "HS512"
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256" // RSASSA-PSS
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256" // ECDSA with P-256
	ES384 Algorithm = "ES384" // P-384
	ES512 Algorithm = "ES512" // P-521
	// EdDSA is that with Ed25519. RFC 9864 §2.2 names it Ed25519, and keys, tokens and
	// TokenChecks.Algorithms that do so are read, too.
	EdDSA Algorithm = "EdDSA"
)

// method is how an algorithm signs and verifies, and with which keys.
type method struct {
	golang.SigningMethod
	kty    string         // RFC 7518 §6.1
	curve  elliptic.Curve // of ES…
	secret int            // least bytes of a secret, of HS… (RFC 7518 §3.2)
}

// methods has every Algorithm.
var methods = map[Algorithm]method{
	HS256: {SigningMethod: golang.SigningMethodHS256, kty: "oct", secret: 32},
	HS384: {SigningMethod: golang.SigningMethodHS384, kty: "oct", secret: 48},
	HS512: {SigningMethod: golang.SigningMethodHS512, kty: "oct", secret: 64},
	RS256: {SigningMethod: golang.SigningMethodRS256, kty: "RSA"},
	RS384: {SigningMethod: golang.SigningMethodRS384, kty: "RSA"},
	RS512: {SigningMethod: golang.SigningMethodRS512, kty: "RSA"},
	PS256: {SigningMethod: pss("PS256", crypto.SHA256), kty: "RSA"},
	PS384: {SigningMethod: pss("PS384", crypto.SHA384), kty: "RSA"},
	PS512: {SigningMethod: pss("PS512", crypto.SHA512), kty: "RSA"},
	ES256: {SigningMethod: golang.SigningMethodES256, kty: "EC", curve: elliptic.P256()},
	ES384: {SigningMethod: golang.SigningMethodES384, kty: "EC", curve: elliptic.P384()},
	ES512: {SigningMethod: golang.SigningMethodES512, kty: "EC", curve: elliptic.P521()},
	EdDSA: {SigningMethod: golang.SigningMethodEdDSA, kty: "OKP"},
}

// pss is RSASSA-PSS with a salt as long as the hash and no other (RFC 7518
// §3.5): golang-jwt's own takes any length.
func pss(name string, hash crypto.Hash) golang.SigningMethod {
	return &golang.SigningMethodRSAPSS{
		SigningMethodRSA: &golang.SigningMethodRSA{Name: name, Hash: hash},
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash},
	}
}

// symmetric reports an algorithm with one key that both makes and checks tokens.
func (a Algorithm) symmetric() bool { return methods[a].kty == "oct" }

// canonical returns the one name by which an algorithm is known here. RFC 9864 §2.2 calls
// EdDSA with Ed25519 by the name of its curve.
func (a Algorithm) canonical() Algorithm {
	if a == "Ed25519" {
		return EdDSA
	}
	return a
}
