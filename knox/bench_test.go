package knox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/knox"
)

// nothing answers without doing anything.
var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// discard is a ResponseWriter with a header that is used again, as no server's is.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// serve measures a handler with one request.
func serve(b *testing.B, handler http.Handler, authorization string) {
	b.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", authorization)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

func benchTokens(b *testing.B, name, prefix string) (*knox.Tokens, string) {
	b.Helper()
	alice := auth.User(benchUser{})
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), Name: name,
		Token:    knox.TokenSettings{Prefix: prefix},
		LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
	if err != nil {
		b.Fatal(err)
	}
	issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return tokens, "Token " + issued.Secret.Reveal()
}

func benchGuard(b *testing.B, backends ...auth.Authenticator) http.Handler {
	b.Helper()
	guard, err := auth.New(auth.Config{Backends: backends})
	if err != nil {
		b.Fatal(err)
	}
	return guard.Require()(nothing)
}

// BenchmarkFloor is the least that any such middleware does: see package floor.
func BenchmarkFloor(b *testing.B) {
	_, authorization := benchTokens(b, "", "")
	token := strings.TrimPrefix(authorization, "Token ")
	serve(b, floor.Header("Token", floor.TenThousand(token, auth.User(benchUser{})), nothing), authorization)
}

func BenchmarkKnoxMemory(b *testing.B) {
	tokens, authorization := benchTokens(b, "", "")
	serve(b, benchGuard(b, tokens), authorization)
}

// BenchmarkChainOfFive has four backends before the one that matches: two that
// speak another scheme and two that speak this one with other tokens.
func BenchmarkChainOfFive(b *testing.B) {
	tokens, authorization := benchTokens(b, "", "")
	second, _ := benchTokens(b, "second", "b_")
	third, _ := benchTokens(b, "third", "c_")
	load := func(context.Context, string) (auth.User, error) { return benchUser{}, nil }
	basic, err := header.NewBasic(header.BasicConfig{LoadUser: load,
		Check: func(*http.Request, string, string) (auth.User, error) { return nil, auth.ErrInvalid }})
	if err != nil {
		b.Fatal(err)
	}
	proxied, err := header.New(header.Config{Header: "X-Username", LoadUser: load,
		Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: "0123456789abcdef"}})
	if err != nil {
		b.Fatal(err)
	}
	serve(b, benchGuard(b, basic, proxied, second, third, tokens), authorization)
}

func BenchmarkGarbageToken(b *testing.B) {
	tokens, _ := benchTokens(b, "", "")
	serve(b, benchGuard(b, tokens), "Token "+strings.Repeat("x", 40))
}

// BenchmarkHugeHeader refuses 1 MiB by its length. The answer is rendered by a
// function that does nothing, so that what is measured is the refusal.
func BenchmarkHugeHeader(b *testing.B) {
	tokens, _ := benchTokens(b, "", "")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Token "+strings.Repeat("x", 1<<20))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := tokens.Authenticate(r); auth.KindOf(err) != auth.ErrMalformed {
			b.Fatal(err)
		}
	}
}

func BenchmarkHugeHeaderThroughGuard(b *testing.B) {
	tokens, _ := benchTokens(b, "", "")
	serve(b, benchGuard(b, tokens), "Token "+strings.Repeat("x", 1<<20))
}
