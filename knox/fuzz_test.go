package knox_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
)

// FuzzAuthorization sends headers of any bytes: no panic, no 5xx, no write, and
// no proof but by a token that was issued.
func FuzzAuthorization(f *testing.F) {
	s := start(f, nil)
	token := s.login("alice")
	for _, seed := range []string{"", "Token", "Token a b", "Token \xff", "Bearer " + token, "token " + token[:39],
		"Digest x", "Basic =a="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		s := *s
		s.t = t
		got := s.do("GET", "/me", authorization, "")
		if got.status >= 500 {
			t.Fatalf("got %d, want no server error", got.status)
		}
		if got.status == 200 && got.text != "alice" {
			t.Fatalf("proved %q", got.text)
		}
		if n := len(s.rows("alice")); n != 1 {
			t.Fatalf("%d rows", n)
		}
	})
}

// FuzzVerifyToken takes any text for a token.
func FuzzVerifyToken(f *testing.F) {
	s := start(f, nil)
	token := s.login("alice")
	f.Add(token)
	f.Add(token + "=")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		user, _, err := s.tokens.VerifyToken(t.Context(), text)
		switch kind := auth.KindOf(err); {
		case err == nil && (text != token || user.UserID() != "alice"):
			t.Fatalf("%q was proved", text)
		case err != nil && kind != auth.ErrUnrecognized && kind != auth.ErrInvalid:
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// FuzzPersonalToken sends bodies of any bytes: an answer of 201 or 4xx, and a
// row for each 201.
func FuzzPersonalToken(f *testing.F) {
	f.Add(`{"name":"ci","scopes":["a"],"expires_in":60}`)
	f.Add(`{"name":"\ud800","scopes":["a"]}`)
	f.Add(`{"name":"a","scopes":[null]}`)
	f.Fuzz(func(t *testing.T, body string) {
		s := start(t, nil)
		got := s.do("POST", "/auth/tokens/", basicOf("alice"), body)
		if got.status != http.StatusCreated && (got.status < 400 || got.status >= 500) {
			t.Fatalf("got %d %s, want 201 or a client error", got.status, got.text)
		}
		if n := len(s.rows("alice")); (n == 1) != (got.status == http.StatusCreated) {
			t.Fatalf("%d, %d rows", got.status, n)
		}
	})
}
