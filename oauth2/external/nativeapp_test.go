package external_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
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

func TestAnAppOfFacebookSendsItsToken(t *testing.T) {
	a := preset(t, "facebook", nil)
	ada := authtest.Person{Subject: "42", Name: "Ada"}
	u, proof, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(a.idp.IssueToken(ada, "")))
	if err != nil || u.UserID() != "facebook-42" || proof.Profile.Name != "Ada" || !proof.Primary() {
		t.Fatalf("got %v, error %v, want the user facebook-42 with the name Ada", u, err)
	}
	for sentence, row := range map[string]struct {
		token string
		kind  error
	}{
		"another app's": {a.idp.IssueToken(ada, "evil"), auth.ErrInvalid},
		"unknown":       {"guessed", auth.ErrInvalid},
		"empty":         {"", auth.ErrInvalid},
		"two lines":     {"a\r\nb", auth.ErrInvalid},
	} {
		if _, _, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(row.token)); auth.KindOf(
			err) != row.kind {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	a.mu.Lock()
	a.users["facebook-42"].active = false
	a.mu.Unlock()
	if _, _, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(a.idp.IssueToken(ada, ""))); auth.KindOf(
		err) != auth.ErrInsufficient {
		t.Errorf("disabled: %v", err)
	}
	a.idp.SetDown(true)
	if _, _, err := a.logins.FromToken(t.Context(), "facebook", "x"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("down: %v", err)
	}
	other := newApp(t, nil) // with a provider that cannot tell
	if _, _, err := other.logins.FromToken(t.Context(), "acme", "x"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("got the error %v, want one without a kind", err)
	}
}

func TestAnAppSendsAnIDToken(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		c.Providers = []external.Provider{external.Google{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
			BaseURL: a.idp.URL(), AppClientIDs: []string{"android"}}, plain(a, nil)}
	})
	mint := func(pairs ...any) auth.Secret {
		claims := map[string]any{"aud": a.idp.ClientID, "sub": "42", "nonce": "n", "email": "ada@example.com",
			"email_verified": true, "name": "Ada"}
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		return auth.Secret(a.idp.MintWith(map[string]any{"typ": "JWT"}, claims))
	}
	good := mint()
	u, proof, err := a.logins.FromIDToken(t.Context(), "google", good, "n")
	if err != nil || u.UserID() != "google-42" || !proof.Profile.Email.Verified || proof.Profile.Name != "Ada" {
		t.Fatalf("got %v, error %v, want the user google-42 with a verified address and the name Ada", u, err)
	}
	for sentence, row := range map[string]struct {
		token auth.Secret
		nonce string
		kind  error
	}{
		"of an app":                   {mint("aud", "android", "nonce", "n5"), "n5", nil},
		"the nonce again, for an app": {mint("aud", "android"), "n", auth.ErrInvalid},
		"the nonce again, for longer": {mint("exp", time.Now().Add(5*time.Hour).Unix()), "n", auth.ErrInvalid},
		"the nonce again, for two": {mint("aud", []string{a.idp.ClientID, "x"}, "azp", a.idp.ClientID), "n",
			auth.ErrInvalid},
		"for the service, by an app": {mint("azp", "android", "nonce", "n2"), "n2", nil},
		"by an app of somebody":      {mint("azp", "evil"), "n", auth.ErrInvalid},
		"of another app":             {mint("aud", "evil"), "n", auth.ErrInvalid},
		"twice":                      {good, "n", auth.ErrInvalid},
		"another nonce":              {mint(), "m", auth.ErrInvalid},
		"no nonce in it":             {mint("nonce", nil), "n", auth.ErrInvalid},
		"forged": {
			auth.Secret(a.idp.Forge(map[string]any{"aud": a.idp.ClientID, "nonce": "n"})), "n", auth.ErrInvalid},
		"expired":                        {mint("exp", time.Now().Add(-time.Hour).Unix()), "n", auth.ErrInvalid},
		"no subject":                     {mint("sub", nil), "n", auth.ErrInvalid},
		"no token":                       {"", "n", auth.ErrInvalid},
		"a very long one":                {auth.Secret(strings.Repeat("x", 70_000)), "n", auth.ErrInvalid},
		"of the app, for a web callback": {mint("at_hash", "whatever", "nonce", "n3"), "n3", nil},
	} {
		if _, _, err := a.logins.FromIDToken(t.Context(), "google", row.token, row.nonce); auth.KindOf(
			err) != row.kind || (err == nil) != (row.kind == nil) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	for _, name := range []string{"plain", "nobody"} {
		if _, _, err := a.logins.FromIDToken(t.Context(), name, mint(), "n"); err == nil || auth.KindOf(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := a.logins.FromIDToken(t.Context(), "google", mint(), ""); err == nil || auth.KindOf(err) != nil {
		t.Errorf("without a nonce: %v", err)
	}
	// A browser's callback takes no app's token.
	a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["aud"] = "android" }})
	b := a.browser()
	b.wants("an app's token", b.visit("/login/google/"), 400, "untrusted")
	// Of many at once, one is taken.
	token, taken := mint("nonce", "n4"), make(chan bool, 16)
	for range 16 {
		go func() {
			_, _, err := a.logins.FromIDToken(t.Context(), "google", token, "n4")
			taken <- err == nil
		}()
	}
	n := 0
	for range 16 {
		if <-taken {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d logins took the ID token, want 1", n)
	}
}
