package external_test

import (
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitAKeyThatWasJustPublished(t *testing.T) {
	t.Run("a login by it waits, and is not refused, whatever was fetched before", func(t *testing.T) {
		a := newApp(t, nil)
		for _, algorithm := range []jwt.Algorithm{jwt.ES256, jwt.RS256, jwt.EdDSA, jwt.ES256} {
			if p := a.browser().visit("/login/acme/"); p.status != 200 {
				t.Fatalf("%s: got %d %s: %s", algorithm, p.status, p.reason(), a.log)
			}
			a.idp.Rotate(algorithm)
			a.idp.Retire()
		}
	})
	t.Run("many logins by it share one fetch", func(t *testing.T) {
		a := newApp(t, nil)
		a.browser().visit("/login/acme/")
		a.idp.Rotate(jwt.ES256)
		before := a.idp.Fetches()
		const logins = 8
		tokens, ends := make([]string, logins), make(chan error, logins)
		for i := range tokens {
			nonce := string(rune('a' + i))
			tokens[i] = a.idp.MintWith(map[string]any{"typ": "JWT"},
				map[string]any{"aud": a.idp.ClientID, "sub": "1", "nonce": nonce})
			go func() {
				_, _, err := a.logins.FromIDToken(t.Context(), "acme", auth.Secret(tokens[i]), nonce)
				ends <- err
			}()
		}
		for range logins {
			if err := <-ends; err != nil {
				t.Errorf("got %v", err)
			}
		}
		// One that was late joins the next fetch.
		if n := a.idp.Fetches() - before; n < 1 || n > 2 {
			t.Errorf("got %d fetches, want 1", n)
		}
	})
	t.Run("a login by a key that is not published is refused all the same", func(t *testing.T) {
		a := newApp(t, nil)
		a.browser().visit("/login/acme/")
		stranger, err := jwt.GenerateKey(jwt.ES256)
		if err != nil {
			t.Fatal(err)
		}
		a.idp.SetQuirks(authtest.Quirks{Sign: func(c map[string]any) string {
			delete(c, "jti")
			text, _ := jwt.Sign(stranger, "JWT", c)
			return text
		}})
		b := a.browser()
		b.wants("a stranger's key", b.visit("/login/acme/"), 400, "untrusted")
	})
}
