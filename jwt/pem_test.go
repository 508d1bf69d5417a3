package jwt_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// pemOf returns a block of PEM.
func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

func pkixOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	return pemOf(t, "PUBLIC KEY", der, err)
}

func sec1(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(rawKeys().p384)
	return pemOf(t, "EC PRIVATE KEY", der, err)
}

func certificate(t testing.TB, signer crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "login.example"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	return pemOf(t, "CERTIFICATE", der, err)
}

// parameters is what "openssl ecparam -genkey" writes before a key of P-384.
const parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"

func TestKeysInPEMAreRead(t *testing.T) {
	k := rawKeys()
	for sentence, c := range map[string]struct {
		text     string
		material any
		signs    bool
		want     jwt.Algorithm
	}{
		"PKCS #8, RSA":     {pkcs8(t, k.rsa2048), k.rsa2048, true, jwt.RS256},
		"PKCS #8, P-256":   {pkcs8(t, k.p256), k.p256, true, jwt.ES256},
		"PKCS #8, P-521":   {pkcs8(t, k.p521), k.p521, true, jwt.ES512},
		"PKCS #8, Ed25519": {pkcs8(t, k.ed), k.ed, true, jwt.EdDSA},
		"PKCS #1, RSA": {pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa2048), nil),
			k.rsa2048, true, jwt.RS256},
		"SEC 1":                      {sec1(t), k.p384, true, jwt.ES384},
		"SEC 1 after its parameters": {parameters + sec1(t), k.p384, true, jwt.ES384},
		"PKIX, RSA":                  {pkixOf(t, &k.rsa2048.PublicKey), k.rsa2048, false, jwt.RS256},
		"PKIX, P-384":                {pkixOf(t, &k.p384.PublicKey), k.p384, false, jwt.ES384},
		"PKIX, Ed25519":              {pkixOf(t, k.ed.Public()), k.ed, false, jwt.EdDSA},
		"PKCS #1, public": {pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa2048.PublicKey),
			nil), k.rsa2048, false, jwt.RS256},
		"a certificate, RSA":     {certificate(t, k.rsa2048), k.rsa2048, false, jwt.RS256},
		"a certificate, P-256":   {certificate(t, k.p256), k.p256, false, jwt.ES256},
		"a certificate, Ed25519": {certificate(t, k.ed), k.ed, false, jwt.EdDSA},
		"text around it": {"Bag Attributes\n    localKeyID: 01\nsubject=CN = x\n" + pkcs8(t, k.p256) +
			"\nthe end", k.p256, true, jwt.ES256},
		"ends of lines of Windows": {strings.ReplaceAll(pkcs8(t, k.p256), "\n", "\r\n"), k.p256, true, jwt.ES256},
		"no end of the last line":  {strings.TrimSpace(pkcs8(t, k.p256)), k.p256, true, jwt.ES256},
		"the first of two":         {pkixOf(t, &k.p256.PublicKey) + pkcs8(t, k.rsa2048), k.p256, false, jwt.ES256},
		"after a request": {pemOf(t, "CERTIFICATE REQUEST", []byte("x"), nil) + pkcs8(t, k.ed), k.ed,
			true, jwt.EdDSA},
	} {
		key, err := jwt.ParsePEM("", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", sentence, err)
			continue
		}
		want, err := jwt.NewKey("", c.material)
		if err != nil {
			t.Fatal(err)
		}
		if key.CanSign() != c.signs || key.Algorithm() != c.want || key.ID() != want.ID() ||
			!verifies(t, key, bareToken(t, want)) {
			t.Errorf("%s: %v", sentence, key)
		}
		if c.signs && !verifies(t, want.Public(), bareToken(t, key)) {
			t.Errorf("%s: it signs otherwise", sentence)
		}
	}
}

func TestAKeyInPEMHasTheAlgorithmThatIsNamed(t *testing.T) {
	text := []byte(pkcs8(t, rawKeys().rsa2048))
	for algorithm, good := range map[jwt.Algorithm]bool{jwt.PS256: true, jwt.RS512: true, jwt.ES256: false,
		jwt.HS256: false, jwt.EdDSA: false, "none": false} {
		if key, err := jwt.ParsePEM(algorithm, text); (err == nil) != good || good && key.Algorithm() != algorithm {
			t.Errorf("%s: %v, %v", algorithm, key, err)
		}
	}
	if _, err := jwt.ParsePEM(jwt.ES256, []byte(sec1(t))); err == nil {
		t.Error("ES256 with P-384")
	}
}

func TestPEMWithoutAGoodKeyIsRefused(t *testing.T) {
	k := rawKeys()
	//lint:ignore SA1019 old openssl encrypts so
	old, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", []byte("key"), []byte("password"),
		x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	oldRSA := *old
	oldRSA.Type = "RSA PRIVATE KEY"
	for sentence, c := range map[string]struct{ text, says string }{
		"nothing":                {"", "no key"},
		"no PEM":                 {"secret", "no key"},
		"a JWK":                  {rfc7517A2RSA, "no key"},
		"parameters only":        {parameters, "no key"},
		"a key of OpenSSH":       {pemOf(t, "OPENSSH PRIVATE KEY", []byte("openssh-key-v1"), nil), "no key"},
		"cut off":                {pkcs8(t, k.p256)[:100], "no key"},
		"a block that is no key": {pemOf(t, "PRIVATE KEY", []byte("x"), nil), "PRIVATE KEY"},
		"an empty block":         {pemOf(t, "PUBLIC KEY", nil, nil), "PUBLIC KEY"},
		"a public key called private": {strings.ReplaceAll(pkixOf(t, &k.p256.PublicKey), "PUBLIC", "PRIVATE"),
			"PRIVATE KEY"},
		"a private key called public":    {strings.ReplaceAll(pkcs8(t, k.p256), "PRIVATE", "PUBLIC"), "PUBLIC KEY"},
		"encrypted, PKCS #8":             {pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("x"), nil), "encrypted"},
		"encrypted, SEC 1":               {string(pem.EncodeToMemory(old)), "encrypted"},
		"encrypted, PKCS #1":             {string(pem.EncodeToMemory(&oldRSA)), "encrypted"},
		"RSA of 1024 bits":               {pkcs8(t, k.rsa1024), "bits"},
		"RSA of 1024 bits, public":       {pkixOf(t, &k.rsa1024.PublicKey), "bits"},
		"P-224":                          {pkcs8(t, k.p224), "P-224"},
		"X25519":                         {pkcs8(t, k.x25519), "no key"},
		"X25519, public":                 {pkixOf(t, k.x25519.Public()), "no key"},
		"a broken key before a good one": {pemOf(t, "PUBLIC KEY", []byte("x"), nil) + pkcs8(t, k.p256), "PUBLIC KEY"},
		"longer than 64 KiB":             {strings.Repeat("#", 64<<10) + "\n" + pkcs8(t, k.p256), "65536"},
	} {
		key, err := jwt.ParsePEM("", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "jwt: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", sentence, key, err)
		}
	}
}

func FuzzParsePEM(f *testing.F) {
	k := rawKeys()
	for _, text := range []string{pkcs8(f, k.rsa2048), pkcs8(f, k.p256), pkcs8(f, k.ed), pkcs8(f, k.x25519), sec1(f),
		parameters + sec1(f), pkixOf(f, &k.p521.PublicKey),
		certificate(f, k.p256), pemOf(f, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa2048), nil),
		pemOf(f, "ENCRYPTED PRIVATE KEY", nil, nil)} {
		f.Add([]byte(text), "")
		f.Add([]byte(text), "PS256")
		// Bytes that DER is broken in are found sooner than through base64.
		if block, _ := pem.Decode([]byte(text)); block != nil {
			f.Add(block.Bytes, block.Type)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		algorithm := jwt.Algorithm(name)
		if strings.Contains(name, "KEY") || name == "CERTIFICATE" {
			text, algorithm = pem.EncodeToMemory(&pem.Block{Type: name, Bytes: bytes.Clone(text)}), ""
		}
		key, err := jwt.ParsePEM(algorithm, text)
		if err != nil {
			return
		}
		if key.Algorithm() == "" || algorithm != "" && key.Algorithm() != algorithm || key.Public() == nil {
			t.Fatal(key)
		}
		if _, err := key.MarshalJWK(key.CanSign()); err == nil { // RSA of three primes has no JWK
			checkParsed(t, key)
		}
	})
}
