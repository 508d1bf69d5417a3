package jwt_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

func TestUnitEd25519IsTheNameOfEdDSAInRFC9864(t *testing.T) {
	key := signing(t, jwt.EdDSA).WithID("1")
	named := func(token string) string { return withHeader(t, key, token, "Ed25519") }
	for sentence, row := range map[string]struct {
		alg   any // of the JWK
		named bool
	}{
		"the key says Ed25519, and the token EdDSA":   {"Ed25519", false},
		"the key says Ed25519, and so does the token": {"Ed25519", true},
		"the key says EdDSA, and the token Ed25519":   {"EdDSA", true},
		"the key says nothing, and the token Ed25519": {nil, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			keys, log := fetchedFrom(t, "application/json", setOf(t, key, map[string]any{"alg": row.alg}))
			token := mintBy(t, key, nil)
			if row.named {
				token = named(token)
			}
			if got := verdictOf(t, refetchVerifier(t, keys), token); got != nil {
				t.Errorf("want the token to be good, got %v: %s", got, log)
			}
		})
	}
	t.Run("TokenChecks.Algorithms takes either name", func(t *testing.T) {
		set, err := jwt.NewKeySet(nil, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []jwt.Algorithm{"Ed25519", jwt.EdDSA} {
			v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: refetchIssuer, Keys: set,
				Audience: []string{"api"}, User: jwt.SubjectUser,
				Checks: jwt.TokenChecks{Algorithms: []jwt.Algorithm{name}}}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{mintBy(t, key, nil), named(mintBy(t, key, nil))} {
				if got := verdictOf(t, v, token); got != nil {
					t.Errorf("%s: want the token to be good, got %v", name, got)
				}
			}
		}
	})
	t.Run("a key of another type does not verify it", func(t *testing.T) {
		keys, _ := fetchedFrom(t, "application/json", setOf(t, signing(t, jwt.ES256).WithID("1"), nil))
		if got := verdictOf(t, refetchVerifier(t, keys), named(mintBy(t, key, nil))); got == nil {
			t.Error("want a refusal")
		}
	})
}

// withHeader returns a token with another "alg", signed anew.
func withHeader(t *testing.T, key *jwt.Key, token, alg string) string {
	t.Helper()
	header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, key.ID())
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(token, ".")[1]
	signature, err := jwt.SignText(key, input)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
