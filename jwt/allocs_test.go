package jwt_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// allocated returns how many allocations one call of Authenticate makes for a request with
// this token, and the error of that call.
func allocated(a auth.Authenticator, token string) (n float64, err error) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	_, _, _ = a.Authenticate(r) // remembers the token if it is good
	n = testing.AllocsPerRun(100, func() { _, _, err = a.Authenticate(r) })
	return n, err
}

func signed(t *testing.T, key *jwt.Key, issuer string, expires time.Time) string {
	t.Helper()
	token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": issuer, "sub": "alice", "aud": "https://api.example",
		"iat": expires.Add(-time.Hour).Unix(), "exp": expires.Unix(), "jti": "1", "sid": strings.Repeat("x", 100)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newTestVerifier(t *testing.T, key *jwt.Key) *jwt.Verifier {
	t.Helper()
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	alice := auth.User(person{id: "alice"})
	v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: "https://login.example",
		Audience: []string{"https://api.example"}, Keys: keys,
		LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUnitARememberedTokenAllocatesNothing(t *testing.T) {
	for _, algorithm := range []jwt.Algorithm{jwt.HS256, jwt.RS256, jwt.ES256, jwt.EdDSA} {
		t.Run("of another service, "+string(algorithm), func(t *testing.T) {
			key, err := jwt.GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			v := newTestVerifier(t, key)
			if n, err := allocated(v, signed(t, key, "https://login.example", time.Now().Add(time.Hour))); n != 0 ||
				err != nil {
				t.Errorf("want no allocation and no error, got %v and %v", n, err)
			}
		})
	}
	for name, user := range map[string]auth.User{"without a stamp": benchUser{},
		"with a stamp": person{id: "alice", stamp: "pbkdf2$1"}} {
		t.Run("of our own, whose login may be revoked, of a user "+name, func(t *testing.T) {
			tokens, _, _ := newTokens(t, func(c *jwt.Config) {
				c.LoadUser = func(context.Context, string) (auth.User, error) { return user, nil }
			})
			pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := allocated(tokens, pair.Access.Reveal()); n != 0 || err != nil {
				t.Errorf("want no allocation and no error, got %v and %v", n, err)
			}
		})
	}
}

func TestUnitARefusedTokenAllocatesLittle(t *testing.T) {
	key, err := jwt.GenerateKey(jwt.HS256)
	if err != nil {
		t.Fatal(err)
	}
	v := newTestVerifier(t, key)
	soon := time.Now().Add(time.Hour)
	good := signed(t, key, "https://login.example", soon)
	if _, _, err := v.VerifyToken(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	payload := good[strings.IndexByte(good, '.')+1 : strings.LastIndexByte(good, '.')]
	for _, row := range []struct {
		name, token string
		most        float64
		kind        error
	}{
		{"an opaque token", strings.Repeat("x", 40), 0, auth.ErrUnrecognized},
		{"a long opaque token", strings.Repeat("x", 8000), 0, auth.ErrUnrecognized},
		{"dots", strings.Repeat(".", 8000), 0, auth.ErrUnrecognized},
		{"three parts that are no JSON", "x.x.x", 2, auth.ErrUnrecognized},
		{"a token of another issuer: its payload", signed(t, key, "https://other.example", soon), 1,
			auth.ErrUnrecognized},
		{"the algorithm none: its three parts and why", "eyJhbGciOiJub25lIn0." + payload + ".AA", 6, auth.ErrInvalid},
		{"a character that no token has", good + "!", 0, auth.ErrMalformed},
		{"a header of 1 MiB", strings.Repeat("x", 1<<20), 0, auth.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			if n, err := allocated(v, row.token); n > row.most || auth.KindOf(err) != row.kind {
				t.Errorf("want %v and at most %v allocations, got %v and %v", row.kind, row.most, err, n)
			}
		})
	}
	t.Run("one that has expired allocates no more than a good one that is not remembered", func(t *testing.T) {
		keys, err := jwt.NewKeySet(key)
		if err != nil {
			t.Fatal(err)
		}
		alice := auth.User(benchUser{})
		forgetful, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: -1,
			Issuers: []jwt.Issuer{{Issuer: "https://login.example",
				Audience: []string{"https://api.example"}, Keys: keys,
				LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }}}})
		if err != nil {
			t.Fatal(err)
		}
		most, err := allocated(forgetful, good)
		if err != nil {
			t.Fatal(err)
		}
		expired := signed(t, key, "https://login.example", time.Now().Add(-time.Hour))
		if n, err := allocated(v, expired); n > most || auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("want ErrInvalid and at most %v allocations, got %v and %v", most, err, n)
		}
	})
}
