package jwt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestOpenReturnsWhatAKeyOfTheSetSignedAndNothingElse(t *testing.T) {
	ours, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	others, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwt.NewKeySet(ours)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key *jwt.Key, typ string) string {
		token, err := jwt.Sign(key, typ, map[string]any{"sub": "alice", "exp": 1})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	typ, claims, err := jwt.Open(set, sign(ours, "application/Logout+JWT"))
	if err != nil || typ != "logout+jwt" || string(claims) != `{"exp":1,"sub":"alice"}` {
		t.Errorf("an expired token of ours: %q %s %v", typ, claims, err)
	}
	good := sign(ours, "JWT")
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for sentence, token := range map[string]string{
		"of another key":     sign(others, "JWT"),
		"without signature":  head + "." + payload + ".",
		"of another payload": head + "." + payload[:len(payload)-2] + "AA." + signature,
		"with alg none":      "eyJhbGciOiJub25lIn0." + payload + ".",
		"no JWT":             "x",
		"empty":              "",
		"very long":          good + strings.Repeat("A", 9000),
	} {
		if _, _, err := jwt.Open(set, token); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("a token %s: %v", sentence, err)
		}
	}
}
