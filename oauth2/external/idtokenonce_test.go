package external_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// otherSignature returns the token with the other signature that ECDSA has for it.
func otherSignature(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil || len(signature) != 64 {
		t.Fatalf("the signature has %d bytes: %v", len(signature), err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return token[:at] + base64.RawURLEncoding.EncodeToString(signature)
}

func TestUnitIDTokensAreGoodOnce(t *testing.T) {
	mint := func(a *app, claims map[string]any) string {
		all := map[string]any{"aud": a.idp.ClientID, "sub": "42", "nonce": "n"}
		for name, value := range claims {
			all[name] = value
		}
		return a.idp.MintWith(map[string]any{"typ": "JWT"}, all)
	}
	t.Run("with another signature, or made anew for the same nonce, too", func(t *testing.T) {
		for sentence, second := range map[string]func(*app, string) string{
			"another signature": func(_ *app, token string) string { return otherSignature(t, token) },
			"made anew":         func(a *app, _ string) string { return mint(a, map[string]any{"jti": "other"}) },
			"the same":          func(_ *app, token string) string { return token },
		} {
			a := newApp(t, nil)
			token := mint(a, nil)
			if _, _, err := a.logins.FromIDToken(t.Context(), "acme", auth.Secret(token), "n"); err != nil {
				t.Fatalf("%s: the first: %v", sentence, err)
			}
			_, _, err := a.logins.FromIDToken(t.Context(), "acme", auth.Secret(second(a, token)), "n")
			if auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("%s: got %v, want ErrInvalid", sentence, err)
			}
		}
	})
	t.Run("one with another nonce is another login", func(t *testing.T) {
		a := newApp(t, nil)
		for _, nonce := range []string{"n", "m"} {
			token := auth.Secret(mint(a, map[string]any{"nonce": nonce}))
			if _, _, err := a.logins.FromIDToken(t.Context(), "acme", token, nonce); err != nil {
				t.Errorf("%s: %v", nonce, err)
			}
		}
	})
	t.Run("of many at once with both signatures one is taken", func(t *testing.T) {
		a := newApp(t, nil)
		a.idp.SignIn(authtest.Person{Subject: "42"})
		token := mint(a, nil)
		both := []string{token, otherSignature(t, token)}
		var taken atomic.Int32
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				if _, _, err := a.logins.FromIDToken(t.Context(), "acme", auth.Secret(both[i%2]), "n"); err == nil {
					taken.Add(1)
				}
			})
		}
		wait.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("got %d, want 1", n)
		}
	})
}
