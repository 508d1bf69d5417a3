package jwt_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/jwt"
)

// benchKey is a key in the forms that ours, golang-jwt and package crypto want.
type benchKey struct {
	algorithm jwt.Algorithm
	key       *jwt.Key
	public    any
	bare      func(input string, signature []byte) bool
}

func benchKeys(b *testing.B) []benchKey {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	edPublic, edKey, _ := ed25519.GenerateKey(rand.Reader)
	keys := []benchKey{
		{jwt.HS256, nil, secret, func(input string, signature []byte) bool {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(input))
			return hmac.Equal(signature, h.Sum(nil))
		}},
		{jwt.RS256, nil, &rsaKey.PublicKey, func(input string, signature []byte) bool {
			sum := sha256.Sum256([]byte(input))
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, sum[:], signature) == nil
		}},
		{jwt.ES256, nil, &ecKey.PublicKey, func(input string, signature []byte) bool {
			sum := sha256.Sum256([]byte(input))
			return ecdsa.Verify(&ecKey.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]),
				new(big.Int).SetBytes(signature[32:]))
		}},
		{jwt.EdDSA, nil, edPublic, func(input string, signature []byte) bool {
			return ed25519.Verify(edPublic, []byte(input), signature)
		}},
	}
	for i, material := range []any{secret, rsaKey, ecKey, edKey} {
		if keys[i].key, err = jwt.NewKey(keys[i].algorithm, material); err != nil {
			b.Fatal(err)
		}
	}
	return keys
}

const benchIssuer, benchAudience = "https://login.example", "https://api.example"

func (k benchKey) token(b *testing.B) string {
	now := time.Now().Unix()
	token, err := jwt.Sign(k.key, "at+jwt", map[string]any{"iss": benchIssuer, "sub": "alice", "aud": benchAudience,
		"iat": now, "exp": now + 3600, "jti": strings.Repeat("5f", 20), "sid": rand.Text()})
	if err != nil {
		b.Fatal(err)
	}
	return token
}

func (k benchKey) guard(b *testing.B, cacheSize int) http.Handler {
	keys, err := jwt.NewKeySet(k.key)
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: cacheSize, Issuers: []jwt.Issuer{{
		Issuer: benchIssuer, Audience: []string{benchAudience}, Keys: keys, User: jwt.SubjectUser}}})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier}})
	if err != nil {
		b.Fatal(err)
	}
	return guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// answer keeps a status, and nothing else of what is answered.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }

func serveBench(b *testing.B, h http.Handler, token string, want int) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := &answer{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.status = 200
		if h.ServeHTTP(w, r); w.status != want {
			b.Fatal(w.status)
		}
	}
}

// BenchmarkFloor is the least that a remembered token costs: see package floor.
func BenchmarkFloor(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			token := k.token(b)
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			serveBench(b, floor.Header("Bearer", floor.TenThousand(token, auth.User(benchUser{})), next), token, 200)
		})
	}
}

func BenchmarkCached(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) { serveBench(b, k.guard(b, 0), k.token(b), 200) })
	}
}

func BenchmarkCold(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) { serveBench(b, k.guard(b, -1), k.token(b), 200) })
	}
}

// BenchmarkColdVerify is a verification without the Guard around it.
func BenchmarkColdVerify(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			keys, err := jwt.NewKeySet(k.key)
			if err != nil {
				b.Fatal(err)
			}
			verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: -1, Issuers: []jwt.Issuer{{
				Issuer: benchIssuer, Audience: []string{benchAudience}, Keys: keys, User: jwt.SubjectUser}}})
			if err != nil {
				b.Fatal(err)
			}
			token := k.token(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := verifier.VerifyToken(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGolangJWT(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			token := k.token(b)
			parser := golang.NewParser(golang.WithValidMethods([]string{string(k.algorithm)}),
				golang.WithIssuer(benchIssuer),
				golang.WithAudience(benchAudience), golang.WithExpirationRequired(), golang.WithIssuedAt())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parser.ParseWithClaims(token, &golang.RegisteredClaims{},
					func(*golang.Token) (any, error) { return k.public, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBareCrypto(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			token := k.token(b)
			dot := strings.LastIndexByte(token, '.')
			signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !k.bare(token[:dot], signature) {
					b.Fatal("bad signature")
				}
			}
		})
	}
}

// BenchmarkForged is tokens with the signature of another token.
func BenchmarkForged(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			token := k.token(b)
			dot := strings.LastIndexByte(token, '.')
			other := k.token(b)
			serveBench(b, k.guard(b, 0), token[:dot]+other[strings.LastIndexByte(other, '.'):], 401)
		})
	}
}

func BenchmarkGarbage(b *testing.B) {
	k := benchKeys(b)[2]
	for name, token := range map[string]string{
		"opaque":   strings.Repeat("x", 40),
		"dots":     strings.Repeat(".", 8000),
		"long":     strings.Repeat("x", 4000) + "." + strings.Repeat("y", 4000) + ".z",
		"unsigned": "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.AA",
	} {
		b.Run(name, func(b *testing.B) { serveBench(b, k.guard(b, 0), token, 401) })
	}
	b.Run("1MiB", func(b *testing.B) { serveBench(b, k.guard(b, 0), strings.Repeat("x", 1<<20), 400) })
}

// benchUser has no stamp; one with a stamp compares two strings more.
type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

func benchTokens(b *testing.B, k benchKey) *jwt.Tokens {
	keys, err := jwt.NewKeySet(k.key)
	if err != nil {
		b.Fatal(err)
	}
	var alice auth.User = benchUser{}
	tokens, err := jwt.New(jwt.Config{Issuer: benchIssuer, Keys: keys, Store: jwt.NewMemoryStore(),
		LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
	if err != nil {
		b.Fatal(err)
	}
	return tokens
}

// BenchmarkCachedStateful also asks the store in memory whether the login has
// ended, and loads the user.
func BenchmarkCachedStateful(b *testing.B) {
	tokens := benchTokens(b, benchKeys(b)[2])
	pair, err := tokens.Issue(b.Context(), "alice", jwt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		b.Fatal(err)
	}
	serveBench(b, guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		pair.Access.Reveal(), 200)
}

// BenchmarkIssue makes a pair, in memory.
func BenchmarkIssue(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			tokens := benchTokens(b, k)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokens.Issue(b.Context(), "alice", jwt.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefresh exchanges a refresh token, in memory.
func BenchmarkRefresh(b *testing.B) {
	for _, k := range benchKeys(b) {
		b.Run(string(k.algorithm), func(b *testing.B) {
			tokens := benchTokens(b, k)
			pair, err := tokens.Issue(b.Context(), "alice", jwt.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if pair, err = tokens.Refresh(b.Context(), pair.Refresh.Reveal()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefusedVerify is forged tokens and garbage without the Guard, which
// writes an answer.
func BenchmarkRefusedVerify(b *testing.B) {
	k := benchKeys(b)[0]
	tokens := benchTokens(b, k)
	token := k.token(b)
	for name, bad := range map[string]string{
		"forged":  token[:len(token)-4] + "AAAA",
		"opaque":  strings.Repeat("x", 40),
		"8k dots": strings.Repeat(".", 8000),
		"8k":      strings.Repeat("x", 4000) + "." + strings.Repeat("y", 4000) + ".z",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := tokens.VerifyToken(b.Context(), bad); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
