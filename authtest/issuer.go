package authtest

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth/jwt"
)

// Issuer is an issuer of JSON Web Tokens for tests. It is a server that publishes
// its keys and metadata, and mints the tokens that a test asks for. It can rotate
// its keys, answer slowly and go down.
//
//	issuer := authtest.NewIssuer(t)
//	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: issuer.URL()})
//	…
//	token := issuer.Mint(map[string]any{"sub": "alice", "aud": "https://api.example"})
//
// To make a token that another key signs, use [jwt.Sign].
//
// It is safe for concurrent use.
type Issuer struct {
	t      testing.TB
	server *httptest.Server

	mu          sync.Mutex
	keys        []*signingKey // the first signs
	down        bool
	broken      bool
	contentType string
	caching     string
	body        *string
	held        chan struct{}
	fetches     int
	more        map[string]any // metadata
	keyIssuer   string
}

// signingKey is a key and what golang-jwt signs with.
type signingKey struct {
	public *jwt.Key
	method golang.SigningMethod
	secret any
}

// NewIssuer starts an issuer, which stops when the test ends. It has one key, for
// ES256.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	return newIssuer(t, http.NewServeMux())
}

// newIssuer is NewIssuer with further handlers, which mux has already.
func newIssuer(t testing.TB, mux *http.ServeMux) *Issuer {
	t.Helper()
	i := &Issuer{t: t}
	i.keys = []*signingKey{i.newKey(jwt.ES256)}
	metadata := func(w http.ResponseWriter, r *http.Request) {
		all := map[string]any{"issuer": i.URL(), "jwks_uri": i.JWKSURL()}
		i.mu.Lock()
		maps.Copy(all, i.more)
		i.mu.Unlock()
		i.answer(w, r, all)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", metadata)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", metadata)
	mux.HandleFunc("GET /jwks.json", i.serveKeys)
	i.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		i.server.CloseClientConnections() // Close would wait for requests that Hold holds
		i.server.Close()
	})
	return i
}

func (i *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.fetched(r, func() { i.answer(w, r, i.jwks()) })
}

// fetched counts a request for the keys, and answers it when it is not held.
func (i *Issuer) fetched(r *http.Request, answer func()) {
	i.mu.Lock()
	i.fetches++
	held := i.held
	i.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	answer()
}

// URL is the issuer's identifier, which is the "iss" of its tokens.
func (i *Issuer) URL() string { return i.server.URL }

// JWKSURL is the address at which it publishes its keys.
func (i *Issuer) JWKSURL() string { return i.server.URL + "/jwks.json" }

// newKey makes a key. The library golang-jwt signs with it, so that tokens do not
// depend on the package under test.
func (i *Issuer) newKey(algorithm jwt.Algorithm) *signingKey {
	i.t.Helper()
	key, err := jwt.GenerateKey(algorithm)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := key.MarshalJWK(true)
	if err != nil {
		i.t.Fatal(err)
	}
	secret, err := privateKeyOf(text)
	if err != nil {
		i.t.Fatal(err)
	}
	return &signingKey{key.Public(), golang.GetSigningMethod(string(algorithm)), secret}
}

// Mint returns a token of the issuer. It has iss, sub "alice", aud "test", iat now,
// exp an hour later and a jti, unless claims say otherwise. A claim that is nil is
// left out.
func (i *Issuer) Mint(claims map[string]any) string {
	i.t.Helper()
	return i.MintWith(nil, claims)
}

// MintWith is Mint with other members of the header. By default that has alg, kid
// and typ "at+jwt" (RFC 9068 §2.1). "alg" changes what is written, not how the token
// is signed.
func (i *Issuer) MintWith(header, claims map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	key := i.keys[0]
	i.mu.Unlock()
	now := time.Now()
	all := golang.MapClaims{"iss": i.URL(), "sub": "alice", "aud": "test", "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix(), "jti": rand.Text()}
	merge(all, claims)
	token := golang.NewWithClaims(key.method, all)
	token.Header["kid"], token.Header["typ"] = key.public.ID(), "at+jwt"
	merge(token.Header, header)
	signed, err := token.SignedString(key.secret)
	if err != nil {
		i.t.Fatal(err)
	}
	return signed
}

func merge(into, changes map[string]any) {
	maps.Copy(into, changes)
	maps.DeleteFunc(into, func(_ string, value any) bool { return value == nil })
}

// Forge returns a token of these claims with the signature of another token.
func (i *Issuer) Forge(claims map[string]any) string {
	i.t.Helper()
	token, other := i.Mint(claims), i.Mint(map[string]any{"sub": "somebody else"})
	return token[:strings.LastIndexByte(token, '.')] + other[strings.LastIndexByte(other, '.'):]
}

// Rotate makes a new key, which signs from now on. The others stay published.
func (i *Issuer) Rotate(algorithm jwt.Algorithm) {
	i.t.Helper()
	key := i.newKey(algorithm)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append([]*signingKey{key}, i.keys...)
}

// Retire publishes only the key that signs.
func (i *Issuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[:1]
}

// Keys returns the keys that are published, without their private parts.
func (i *Issuer) Keys() []*jwt.Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	var keys []*jwt.Key
	for _, key := range i.keys {
		keys = append(keys, key.public)
	}
	return keys
}

// SetDown sets whether every request is answered with 503.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// SetBroken sets whether every connection ends without an answer.
func (i *Issuer) SetBroken(broken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = broken
}

// Hold makes requests for the keys wait until release is called. A test of a slow
// server then needs no sleep. The last Hold counts for the requests that come after
// it. All requests are released when the test ends.
func (i *Issuer) Hold() (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	held := make(chan struct{})
	i.held = held
	return sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.held == held { // Hold was not called again since
			i.held = nil
		}
		close(held)
	})
}

// SetAnswer sets the content type, the Cache-Control and the body of every answer.
// What is empty stays as the issuer sends it.
func (i *Issuer) SetAnswer(contentType, cacheControl, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.contentType, i.caching, i.body = contentType, cacheControl, nil
	if body != "" {
		i.body = &body
	}
}

// Fetches returns how many requests for the keys came.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// SetKeyIssuer publishes each key with this member "issuer", as Microsoft Entra ID does. Empty publishes them without.
func (i *Issuer) SetKeyIssuer(issuer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keyIssuer = issuer
}

func (i *Issuer) jwks() any {
	i.mu.Lock()
	keyIssuer := i.keyIssuer
	i.mu.Unlock()
	keys := []map[string]any{}
	for _, key := range i.Keys() {
		var members map[string]any
		if text, err := key.MarshalJWK(false); err != nil || json.Unmarshal(text, &members) != nil {
			continue
		}
		if keyIssuer != "" {
			members["issuer"] = keyIssuer
		}
		keys = append(keys, members)
	}
	return map[string]any{"keys": keys}
}

func (i *Issuer) answer(w http.ResponseWriter, _ *http.Request, body any) {
	i.mu.Lock()
	down, broken, contentType, caching, override := i.down, i.broken, i.contentType, i.caching, i.body
	i.mu.Unlock()
	switch {
	case broken:
		panic(http.ErrAbortHandler)
	case down:
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	if contentType == "" {
		contentType = "application/json"
	}
	w.Header().Set("Content-Type", contentType)
	if caching != "" {
		w.Header().Set("Cache-Control", caching)
	}
	if override != nil {
		_, _ = w.Write([]byte(*override))
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}
