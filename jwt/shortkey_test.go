package jwt_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth/jwt"
)

func TestUnitShortKey(t *testing.T) {
	// As django-admin startproject makes one: 50 characters.
	secret := []byte("k3v!0q#2w8n4@x6z1j5h7g9f$s%d^a&p*o(i)u_y-t=r+eMlKj")
	t.Run("a SECRET_KEY of 50 characters signs and verifies by HS512, as at simplejwt", func(t *testing.T) {
		key, err := jwt.NewShortKey(jwt.HS512, secret)
		if err != nil {
			t.Fatal(err)
		}
		tokens, _, _ := newTokens(t, func(c *jwt.Config) {
			c.Issuer, c.Keys, c.Compat.Format = "", keySet(t, key), jwt.SimpleJWT()
			c.Compat.AllowNoIssuer, c.Compat.AllowNoAudience, c.Compat.AllowNoSession = true, true, true
		})
		claims := golang.MapClaims{"token_type": "access", "exp": time.Now().Add(time.Hour).Unix(), "jti": "one",
			"user_id": "alice"}
		theirs, err := golang.NewWithClaims(golang.SigningMethodHS512, claims).SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), theirs); err != nil {
			t.Errorf("got %v for a token of simplejwt, want that it is good", err)
		}
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := golang.Parse(pair.Access.Reveal(), func(*golang.Token) (any, error) { return secret, nil },
			golang.WithValidMethods([]string{"HS512"})); err != nil {
			t.Errorf("got %v for a token of ours, want that it is good there", err)
		}
	})
	for sentence, row := range map[string]struct {
		algorithm jwt.Algorithm
		length    int
		says      string // "" is that it is taken
	}{
		"32 bytes are enough for HS512":          {jwt.HS512, 32, ""},
		"63 bytes are short for HS512":           {jwt.HS512, 63, ""},
		"47 bytes are short for HS384":           {jwt.HS384, 47, ""},
		"31 bytes are too few for any":           {jwt.HS512, 31, "at least 32 bytes"},
		"31 bytes are too few for HS256":         {jwt.HS256, 31, "at least 32 bytes"},
		"no bytes are too few":                   {jwt.HS384, 0, "at least 32 bytes"},
		"64 bytes are for NewKey":                {jwt.HS512, 64, "use NewKey"},
		"32 bytes for HS256 are for NewKey":      {jwt.HS256, 32, "use NewKey"},
		"an algorithm of public keys is refused": {jwt.ES256, 40, "no algorithm with a secret"},
		"an unknown algorithm is refused":        {"HS1", 40, "no algorithm with a secret"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := jwt.NewShortKey(row.algorithm, bytes.Repeat([]byte("x"), row.length))
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want an error with %q", err, row.says)
			}
		})
	}
	t.Run("what becomes of the bytes later does not change the key", func(t *testing.T) {
		material := bytes.Clone(secret)
		key, err := jwt.NewShortKey(jwt.HS512, material)
		if err != nil {
			t.Fatal(err)
		}
		before := key.Thumbprint()
		clear(material)
		if got := key.Thumbprint(); got != before {
			t.Errorf("got another key: %s, want %s", got, before)
		}
	})
	t.Run("a keyring refuses it, because it could not read it again", func(t *testing.T) {
		key, err := jwt.NewShortKey(jwt.HS512, secret)
		if err != nil {
			t.Fatal(err)
		}
		store := jwt.NewMemoryKeyStore()
		ring := newRing(t, store, nil)
		if err := ring.Add(t.Context(), key, time.Now(), time.Now()); err == nil {
			t.Error("got no error, want one")
		}
	})
}
