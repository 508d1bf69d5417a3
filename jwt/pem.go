package jwt

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParsePEM reads the first key in PEM: PRIVATE KEY (PKCS #8), RSA PRIVATE KEY
// (PKCS #1), EC PRIVATE KEY (SEC 1), PUBLIC KEY (PKIX), RSA PUBLIC KEY (PKCS #1)
// or CERTIFICATE, of which only the public key is taken. Its dates and
// its issuer are not looked at. Encrypted keys are errors. An empty algorithm is as
// in [NewKey].
func ParsePEM(algorithm Algorithm, text []byte) (*Key, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("jwt: a PEM file has at most %d bytes", maxKeyText)
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("jwt: no key in the PEM text")
		}
		if block.Headers["DEK-Info"] != "" { // RFC 1421 §4.6.1.3, as old openssl does
			return nil, errors.New("jwt: the key is encrypted")
		}
		var material any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			material, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			material, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			material, err = x509.ParseECPrivateKey(block.Bytes)
		case "PUBLIC KEY":
			material, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			material, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			var certificate *x509.Certificate
			if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
				material = certificate.PublicKey
			}
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("jwt: the key is encrypted")
		default: // such as EC PARAMETERS
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("jwt: %s: %w", block.Type, err)
		}
		return NewKey(algorithm, material)
	}
}
