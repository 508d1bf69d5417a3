package server_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// rsaKey is one RSA key for all tests, because making one takes a while.
var rsaKey = sync.OnceValue(func() *jwt.Key {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	key, err := jwt.NewKey(jwt.RS256, private)
	if err != nil {
		panic(err)
	}
	return key
})

// keysOf returns a set of new keys that sign by these algorithms, of which RS256 is always rsaKey.
func keysOf(t testing.TB, algorithms ...jwt.Algorithm) *jwt.KeySet {
	t.Helper()
	var signing []*jwt.Key
	for _, algorithm := range algorithms {
		key := rsaKey()
		if algorithm != jwt.RS256 {
			var err error
			if key, err = jwt.GenerateKey(algorithm); err != nil {
				t.Fatal(err)
			}
		}
		signing = append(signing, key)
	}
	set, err := jwt.NewSigningKeySet(signing)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestUnitIDTokenAlgorithm(t *testing.T) {
	algorithmOf := func(t *testing.T, token string) any {
		header, _ := parts(t, token)
		return header["alg"]
	}
	t.Run("ID tokens are RS256 and access tokens the first algorithm, and both keys are published", func(t *testing.T) {
		s := newService(t, nil)
		a := s.tokens("alice", "resource", "https://jwt.example/api", "scope", "openid read")
		if id, access := algorithmOf(t, a.text("id_token")), algorithmOf(t, a.text("access_token")); id != "RS256" ||
			access != "ES256" {
			t.Errorf("the ID token is %v, the access token %v", id, access)
		}
		published, err := jwt.ParseJWKS([]byte(s.stranger().do("GET", "/o/.well-known/jwks.json", "").body))
		if err != nil || len(published.Keys()) != 2 {
			t.Fatal(published.Keys(), err)
		}
		for _, token := range []string{a.text("id_token"), a.text("access_token")} {
			if _, _, err := jwt.Open(published, token); err != nil {
				t.Error(err)
			}
		}
		if want := server.HalfHash(jwt.RS256, a.text("access_token")); idToken(t, a)["at_hash"] != want {
			t.Errorf("at_hash %v, want %s", idToken(t, a)["at_hash"], want)
		}
	})
	t.Run("a client has the algorithm that it registered, from then on", func(t *testing.T) {
		s := newService(t, nil)
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		r := server.Registration{ClientID: "web", RedirectURIs: client.RedirectURIs, GrantTypes: client.GrantTypes,
			IDTokenAlgorithm: jwt.ES256}
		_, err = s.server.ChangeClient(t.Context(), client, r)
		s.must(err)
		a := s.tokens("alice")
		if got := algorithmOf(t, a.text("id_token")); got != "ES256" {
			t.Errorf("got %v", got)
		}
		if got := algorithmOf(t, s.refresh(a.text("refresh_token")).text("id_token")); got != "ES256" {
			t.Errorf("refreshed: %v", got)
		}
	})
	t.Run("the metadata lists RS256 first, and then what there is besides", func(t *testing.T) {
		s := newService(t, func(c *server.Config) { c.Keys = keysOf(t, jwt.ES256, jwt.EdDSA, jwt.RS256) })
		m := s.stranger().do("GET", "/.well-known/openid-configuration", "")
		if got := m.json("id_token_signing_alg_values_supported"); !slices.Equal(got.([]any),
			[]any{"RS256", "ES256", "EdDSA"}) {
			t.Error(got)
		}
	})
	t.Run("a client cannot register what the keys do not sign by", func(t *testing.T) {
		s := newService(t, nil)
		for _, algorithm := range []jwt.Algorithm{"none", "HS256", "EdDSA", "evil"} {
			_, _, err := s.server.AddClient(t.Context(),
				server.Registration{RedirectURIs: []string{"https://x.example/cb"}, IDTokenAlgorithm: algorithm})
			var e *server.Error
			if !errors.As(err, &e) || e.Code != "invalid_client_metadata" || !errors.Is(err, server.ErrUnsupported) ||
				!strings.Contains(e.Description, "id_token_signed_response_alg") {
				t.Errorf("%s: %v", algorithm, err)
			}
		}
	})
	t.Run("a key that is gone is an outage whose cause names the client and the algorithm", func(t *testing.T) {
		source := &swappedKeys{}
		source.set = keysOf(t, jwt.ES256, jwt.RS256)
		var log strings.Builder
		s := newService(t, func(c *server.Config) {
			c.Keys, c.Logger = source, slog.New(slog.NewTextHandler(&log, nil))
		})
		code := s.as("alice").code()
		source.set = keysOf(t, jwt.ES256)
		a := s.redeem(code)
		if a.StatusCode != 503 || !strings.Contains(log.String(), "RS256, which the client") {
			t.Errorf("%d %s\n%s", a.StatusCode, a.body, log.String())
		}
		source.set = keysOf(t, jwt.ES256, jwt.RS256)
		if a := s.redeem(code); a.StatusCode != 200 {
			t.Errorf("the code was used up: %d %s", a.StatusCode, a.body)
		}
	})
}

func TestUnitKeysOfAnOpenIDProvider(t *testing.T) {
	s := newService(t, nil)
	ring := func(algorithms ...jwt.Algorithm) *jwt.Keyring {
		ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(),
			Algorithms: algorithms,
			Keys:       []auth.Secret{auth.Secret(strings.Repeat("k", 32))}})
		s.must(err)
		return ring
	}
	for sentence, row := range map[string]struct {
		keys      jwt.KeySource
		algorithm jwt.Algorithm
		says      string // "" is no error
	}{
		"a set without RS256 is refused, and told the exit":     {keysOf(t, jwt.ES256), "", "IDTokenAlgorithm"},
		"a keyring without RS256 is refused, and told the exit": {ring(jwt.ES256), "", "jwt.KeyringConfig.Algorithms"},
		"an operator without RSA names another algorithm":       {keysOf(t, jwt.ES256), jwt.ES256, ""},
		"a keyring of the named algorithm is taken":             {ring(jwt.EdDSA), jwt.EdDSA, ""},
		"the default keyring is taken":                          {ring(), "", ""},
		"a set that does not sign by the named one is refused": {keysOf(t, jwt.RS256), jwt.ES256,
			"not by Config.OpenID.IDTokenAlgorithm"},
		"a symmetric algorithm is refused":        {keysOf(t, jwt.RS256), jwt.HS256, "HS256"},
		"no signature is refused":                 {keysOf(t, jwt.RS256), "none", "none"},
		"a source whose keys come later is taken": {&swappedKeys{keysOf(t, jwt.ES256)}, "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := s.config
			c.Keys, c.OpenID.IDTokenAlgorithm = row.keys, row.algorithm
			_, err := server.New(c)
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("want %q, got %v", row.says, err)
			}
		})
	}
	t.Run("a server without OpenID Connect needs no RS256", func(t *testing.T) {
		_, err := server.New(server.Config{Issuer: "https://login.example", Store: server.NewMemoryStore(),
			LoadUser: s.users.load,
			Keys:     keysOf(t, jwt.ES256),
			Tokens:   server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}}})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("Audit says that another default is not what clients expect", func(t *testing.T) {
		c := s.config
		c.OpenID.IDTokenAlgorithm = jwt.ES256
		found := server.Audit(c)
		if !slices.ContainsFunc(found, func(f server.Finding) bool { return f.Setting == "OpenID.IDTokenAlgorithm" }) {
			t.Error(found)
		}
		if slices.ContainsFunc(server.Audit(s.config), func(f server.Finding) bool {
			return f.Setting == "OpenID.IDTokenAlgorithm"
		}) {
			t.Error("it is listed for RS256, too")
		}
	})
}

// swappedKeys is a KeySource of which New cannot know what it will have.
type swappedKeys struct{ set *jwt.KeySet }

func (s *swappedKeys) Current(context.Context, time.Time) (*jwt.KeySet, error) { return s.set, nil }

func (s *swappedKeys) Renew(context.Context, string, time.Time) (*jwt.KeySet, error) {
	return s.set, nil
}
