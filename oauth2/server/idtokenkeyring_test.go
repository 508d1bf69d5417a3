package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// openRing opens a keyring of a store.
func openRing(t testing.TB, store jwt.KeyStore, generate bool, algorithms ...jwt.Algorithm) *jwt.Keyring {
	t.Helper()
	ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Generate: generate, Algorithms: algorithms,
		Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestUnitKeyringsAndTheKeyOfIDTokens(t *testing.T) {
	t.Run("a keyring changed from ES256 to another algorithm signs ID tokens by that at once, and access tokens later",
		func(t *testing.T) {
			store := jwt.NewMemoryKeyStore()
			openRing(t, store, true, jwt.ES256)
			ring := openRing(t, store, true, jwt.EdDSA) // as RS256 instead of ES256
			s := newService(t, func(c *server.Config) { c.Keys, c.OpenID.IDTokenAlgorithm = ring, jwt.EdDSA })
			a := s.tokens("alice", "resource", "https://jwt.example/api", "scope", "openid read")
			id, _ := parts(t, a.text("id_token"))
			access, _ := parts(t, a.text("access_token"))
			if id["alg"] != "EdDSA" || access["alg"] != "ES256" {
				t.Errorf("the ID token is %v, the access token %v", id["alg"], access["alg"])
			}
			set, err := ring.Current(t.Context(), time.Now().Add(25*time.Hour))
			if err != nil || set.Signing().Algorithm() != jwt.EdDSA || set.Signing().ID() != id["kid"] {
				t.Errorf("%v signs when it has been published, %v", set.Signing(), err)
			}
		})
	for sentence, row := range map[string]struct {
		algorithms []jwt.Algorithm // of the keyring that is opened
		wanted     jwt.Algorithm
		says       string // "" is no error
	}{
		"a keyring whose keys are brought is refused while it has ES256 only": {nil, "", "RS256"},
		"a keyring is refused while it lacks the key of Config.OpenID.IDTokenAlgorithm": {
			[]jwt.Algorithm{jwt.ES256, jwt.EdDSA}, jwt.EdDSA, "EdDSA"},
		"a keyring of several algorithms is taken if it has that of ID tokens": {
			[]jwt.Algorithm{jwt.EdDSA, jwt.ES256}, jwt.ES256, ""},
		"a key that signs in place of that of ID tokens is not taken for one of it": {[]jwt.Algorithm{jwt.EdDSA},
			jwt.EdDSA, "EdDSA"},
	} {
		t.Run(sentence, func(t *testing.T) {
			store := jwt.NewMemoryKeyStore()
			openRing(t, store, true, jwt.ES256)
			c := newService(t, nil).config
			c.Keys, c.OpenID.IDTokenAlgorithm = openRing(t, store, false, row.algorithms...), row.wanted
			_, err := server.New(c)
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("want %q, got %v", row.says, err)
			}
		})
	}
	t.Run("a client cannot register an algorithm whose key the keyring lacks, and can when it is there",
		func(t *testing.T) {
			ring := openRing(t, jwt.NewMemoryKeyStore(), false, jwt.ES256, jwt.EdDSA)
			add := func(algorithm jwt.Algorithm) {
				key, err := jwt.GenerateKey(algorithm)
				if err != nil {
					t.Fatal(err)
				}
				if err := ring.Add(t.Context(), key, time.Now().Add(-time.Hour), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			add(jwt.ES256)
			s := newService(t, func(c *server.Config) { c.Keys, c.OpenID.IDTokenAlgorithm = ring, jwt.ES256 })
			register := func() error {
				_, _, err := s.server.NewClient(server.Registration{RedirectURIs: []string{"https://x.example/cb"},
					IDTokenAlgorithm: jwt.EdDSA})
				return err
			}
			if err := register(); err == nil {
				t.Errorf("each login of the client would be 503: %v", err)
			}
			add(jwt.EdDSA)
			if err := register(); err != nil {
				t.Error(err)
			}
		})
}
