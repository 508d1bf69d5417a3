package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/jwt"
)

// This file builds the lines of JSON Web Tokens.

const issuerURL, audience = "https://login.example", "https://api.example"

// signer is a key in the form of package jwt and in the form that golang-jwt wants.
type signer struct {
	algorithm jwt.Algorithm
	key       *jwt.Key
	public    any

	mutex  sync.Mutex
	signed []string // token i is of user i
}

// testKey returns the one key of the program for an algorithm. RSA has 2048 bits.
var testKey = memoized(func(algorithm jwt.Algorithm) *signer {
	s := &signer{algorithm: algorithm}
	var private any
	switch algorithm {
	case jwt.HS256:
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		private, s.public = secret, secret
	case jwt.RS256:
		key := must(rsa.GenerateKey(rand.Reader, 2048))
		private, s.public = key, &key.PublicKey
	case jwt.ES256:
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		private, s.public = key, &key.PublicKey
	default:
		public, key, err := ed25519.GenerateKey(rand.Reader)
		private, s.public = must(key, err), public
	}
	s.key = must(jwt.NewKey(algorithm, private))
	return s
})

func memoized[K comparable, V any](make func(K) V) func(K) V {
	var all sync.Map
	return func(k K) V {
		if v, ok := all.Load(k); ok {
			return v.(V)
		}
		v, _ := all.LoadOrStore(k, make(k))
		return v.(V)
	}
}

// must is for making keys, which does not fail.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// tokens returns a token of each user, of about 330 characters with HS256. They are kept, because RSA is slow.
func (s *signer) tokens(ids []string) ([]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := time.Now().Unix()
	for i := len(s.signed); i < len(ids); i++ {
		token, err := jwt.Sign(s.key, "at+jwt", map[string]any{"iss": issuerURL, "sub": ids[i], "aud": audience,
			"iat": now, "exp": now + 4*3600, "jti": strings.Repeat("5f", 20), "sid": rand.Text()})
		if err != nil {
			return nil, err
		}
		s.signed = append(s.signed, token)
	}
	return s.signed[:len(ids)], nil
}

// newVerifier returns a Verifier. A cache size of 0 remembers every token of the world.
func newVerifier(w *world, s *signer, cacheSize int) (*jwt.Verifier, error) {
	keys, err := jwt.NewKeySet(s.key)
	if err != nil {
		return nil, err
	}
	if cacheSize == 0 {
		cacheSize = 4 * len(w.ids)
	}
	return jwt.NewVerifier(jwt.VerifierConfig{CacheSize: cacheSize, Issuers: []jwt.Issuer{{
		Issuer: issuerURL, Audience: []string{audience}, Keys: keys,
		Profile: jwt.Gatewarden(), LoadUser: w.load}}})
}

// jwtClient returns a client with a token of each user.
func jwtClient(w *world, s *signer, cacheSize int) (*client, []string, error) {
	verifier, err := newVerifier(w, s, cacheSize)
	if err != nil {
		return nil, nil, err
	}
	handler, err := w.guard(verifier)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := s.tokens(w.ids)
	if err != nil {
		return nil, nil, err
	}
	return w.authorized(handler, "Bearer", tokens), tokens, nil
}

func jwtCached(algorithm jwt.Algorithm) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		ours, tokens, err := jwtClient(w, testKey(algorithm), 0)
		if err != nil {
			return comparison{}, err
		}
		return pair(ours, w.authorized(w.floorHeader("Bearer", tokens), "Bearer", tokens))
	}
}

// jwtOwn is of tokens that we issued: each check asks about the login's end and the user's stamp.
func jwtOwn(w *world) (comparison, error) {
	keys, err := jwt.NewKeySet(testKey(jwt.ES256).key)
	if err != nil {
		return comparison{}, err
	}
	issuer, err := jwt.New(jwt.Config{Issuer: issuerURL, Keys: keys, Store: jwt.NewMemoryStore(), LoadUser: w.load,
		Lifetimes: jwt.Lifetimes{Access: time.Hour}, Verify: jwt.VerifySettings{CacheSize: 4 * len(w.ids)}})
	if err != nil {
		return comparison{}, err
	}
	tokens := make([]string, len(w.ids))
	for i, id := range w.ids {
		pair, err := issuer.Issue(context.Background(), id, jwt.Options{})
		if err != nil {
			return comparison{}, err
		}
		tokens[i] = pair.Access.Reveal()
	}
	handler, err := w.guard(issuer)
	if err != nil {
		return comparison{}, err
	}
	return pair(w.authorized(handler, "Bearer", tokens),
		w.authorized(w.floorHeader("Bearer", tokens), "Bearer", tokens))
}

// jwtCold compares verification without a cache with golang-jwt, behind the least middleware.
func jwtCold(algorithm jwt.Algorithm) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		s := testKey(algorithm)
		ours, tokens, err := jwtClient(w, s, -1)
		if err != nil {
			return comparison{}, err
		}
		parser := golang.NewParser(golang.WithValidMethods([]string{string(algorithm)}), golang.WithIssuer(issuerURL),
			golang.WithAudience(audience), golang.WithExpirationRequired(), golang.WithIssuedAt())
		public := func(*golang.Token) (any, error) { return s.public, nil }
		find := func(token string) (auth.User, bool) {
			var claims golang.RegisteredClaims
			if _, err := parser.ParseWithClaims(token, &claims, public); err != nil {
				return nil, false
			}
			user, ok := w.users[claims.Subject]
			return user, ok
		}
		peer := floor.Header("Bearer", floor.Finder[auth.User](find), w.innerFloor())
		return pair(ours, w.authorized(peer, "Bearer", tokens))
	}
}

// jwtForged compares tokens with the signatures of others with good ones, both without a cache.
func jwtForged(w *world) (comparison, error) {
	good, tokens, err := jwtClient(w, testKey(jwt.ES256), -1)
	if err != nil {
		return comparison{}, err
	}
	forged := make([]string, len(tokens))
	for i, token := range tokens {
		other := tokens[(i+1)%len(tokens)]
		forged[i] = token[:strings.LastIndexByte(token, '.')] + other[strings.LastIndexByte(other, '.'):]
	}
	if len(tokens) < 2 {
		return comparison{}, fmt.Errorf("%d tokens are too few to forge one", len(tokens))
	}
	return pair(w.client(good.handler, "Authorization", prefixed("Bearer ", forged), http.StatusUnauthorized), good)
}

// refusedJWT compares refused values of the Authorization header with cached tokens that pass.
func refusedJWT(values []string, status int) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		good, _, err := jwtClient(w, testKey(jwt.ES256), 0)
		if err != nil {
			return comparison{}, err
		}
		return pair(w.client(good.handler, "Authorization", values, status), good)
	}
}
