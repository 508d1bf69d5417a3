package external_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

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

func TestUnitOddClaimsOfAnIDToken(t *testing.T) {
	null := json.RawMessage("null")
	t.Run("what only tokens of this library mean says nothing in those of a provider", func(t *testing.T) {
		for sentence, claims := range map[string]map[string]any{
			"a stamp":         {"stamp": "2026-11-27"},
			"text as gen":     {"gen": "three"},
			"a number as gen": {"gen": 7},
			"an object sid":   {"sid": map[string]any{}},
			"a number as sid": {"sid": 5},
			"refresh_exp":     {"refresh_exp": "never"},
			"a scope":         {"scope": []string{"a", "b"}, "scp": 7},
			"a client":        {"client_id": 7, "cid": nil, "appid": map[string]any{}},
			"a machine":       {"idtyp": "app", "gty": "client-credentials"},
			"a key":           {"cnf": map[string]string{"jkt": "x"}},
			"a kind":          {"typ": "Refresh", "token_use": "id", "token_type": "refresh"},
		} {
			a := newApp(t, nil)
			a.idp.SignIn(authtest.Person{Subject: "42", Claims: claims})
			b := a.browser()
			if p := b.visit("/login/acme/"); p.status != 200 || b.who() != "acme-42" {
				t.Errorf("%s: got %d: %s", sentence, p.status, a.log)
			}
		}
	})
	t.Run("an optional claim that is null or of another type is not there", func(t *testing.T) {
		for _, name := range []string{"acr", "amr", "auth_time", "sid", "jti", "azp", "at_hash", "c_hash", "nbf",
			"email", "name",
			"email_verified", "preferred_username", "picture", "locale"} {
			for _, value := range []any{null, 7.5, map[string]any{"a": 1}, []any{1, "a"}, true} {
				if text, _ := json.Marshal(value); name == "at_hash" && string(text) != "null" || name == "nbf" &&
					string(text) != "null" {
					continue // which restrict the token, and so refuse it
				}
				a := newApp(t, nil)
				a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c[name] = value }})
				if p := a.browser().visit("/login/acme/"); p.status != 200 {
					t.Errorf("%s %v: got %d: %s", name, value, p.status, a.log)
					continue
				}
				got := a.last()
				if got.AuthInfo.ACR != "" || len(got.AuthInfo.AMR) > 0 || got.Subject != "1" {
					t.Errorf("%s %v: got %+v", name, value, got)
				}
			}
		}
	})
}

// signing makes ID tokens by a function of the claims.
func signing(sign func(claims map[string]any) string) func(*browser) page {
	return quirk(authtest.Quirks{Sign: func(claims map[string]any) string {
		for name, value := range claims {
			if value == nil {
				delete(claims, name)
			}
		}
		return sign(claims)
	}})
}

// by signs with a key, which has the identifier of the provider's if named is set.
func by(t *testing.T, algorithm jwt.Algorithm, named bool) func(*browser) page {
	t.Helper()
	key, err := jwt.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return func(b *browser) page {
		if named {
			key = key.WithID(b.idp.Keys()[0].ID())
		}
		return signing(func(claims map[string]any) string {
			text, _ := jwt.Sign(key, "JWT", claims)
			return text
		})(b)
	}
}

func TestUnitARefusedIDTokenLeavesTheReasonInTheLog(t *testing.T) {
	unnamed := func(b *browser) page { // of two keys, and the token does not say which
		b.idp.Rotate(jwt.ES256)
		return signing(func(claims map[string]any) string {
			return b.idp.MintWith(map[string]any{"typ": "JWT", "kid": nil}, claims)
		})(b)
	}
	leavesTheReason(t, "INFO", nil, map[string]refused{
		"no iss": {claiming(func(c map[string]any) { c["iss"] = nil }),
			`the iss of the ID token is another issuer…want "IDP", see Issuer of the provider`, 400, "untrusted"},
		"no aud": {claiming(func(c map[string]any) { c["aud"] = nil }), "the ID token is refused: aud is missing", 400,
			"untrusted"},
		"no iat": {claiming(func(c map[string]any) { c["iat"] = nil }), "the ID token is refused: iat is missing", 400,
			"untrusted"},
		"no exp": {claiming(func(c map[string]any) { c["exp"] = nil }), "the ID token is refused: exp is missing", 400,
			"untrusted"},
		"an iat of the future": {claiming(func(c map[string]any) { c["iat"] = time.Now().Add(time.Hour).Unix() }),
			"the ID token is refused: iat is ahead of our clock by 59m", 400, "untrusted"},
		"an exp that is text": {claiming(func(c map[string]any) { c["exp"] = "soon" }),
			"the ID token is refused: exp is not a number of seconds since 1970", 400, "untrusted"},
		"a signature of another key of this name": {by(t, jwt.ES256, true),
			"the ID token is refused: …the signature of the token does not hold: another key signed it", 400,
			"untrusted"},
		"a signature of an unknown key": {by(t, jwt.ES256, false), "the ID token is refused: …kid", 400,
			"untrusted"},
		"a signature by a secret": {by(t, jwt.HS256, true),
			"the ID token is refused: alg of the header is not accepted", 400, "untrusted"},
		"no signature": {signing(func(claims map[string]any) string {
			payload, _ := json.Marshal(claims)
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
				base64.RawURLEncoding.EncodeToString(payload) + "."
		}), "the ID token is refused, and the provider did not sign it: …the token is not three parts", 400,
			"untrusted"},
		"no kid, and several keys": {unnamed, "the ID token is refused: …kid", 400, "untrusted"},
		"no ID token": {quirk(authtest.Quirks{Sign: func(map[string]any) string { return "" }}),
			"there is no ID token", 400, "untrusted"},
		"another at_hash": {claiming(func(c map[string]any) { c["at_hash"] = strings.Repeat("A", 22) }),
			"the ID token is not of this access token (at_hash)", 400, "untrusted"},
		"no nonce": {claiming(func(c map[string]any) { c["nonce"] = nil }), "the ID token has another nonce, or none",
			400, "untrusted"},
		"no subject": {claiming(func(c map[string]any) { c["sub"] = nil }), "the ID token is refused: sub", 400,
			"untrusted"},
	})
}

func TestAnIDTokenMayHaveHundredsOfGroups(t *testing.T) {
	a := newApp(t, nil)
	var groups []string
	for range 400 {
		groups = append(groups, tenant)
	}
	a.idp.SignIn(authtest.Person{Subject: "1", Claims: map[string]any{"groups": groups}})
	if p := a.browser().visit("/login/acme/"); p.status != 200 || len(a.last().Claims["groups"].([]any)) != 400 {
		t.Errorf("got %d, want 200 with 400 groups: %s", p.status, a.log)
	}
	a.idp.SignIn(authtest.Person{Subject: "1", Claims: map[string]any{"groups": strings.Repeat("x", 70_000)}})
	b := a.browser()
	b.wants("too much", b.visit("/login/acme/"), 400, "untrusted")
}
