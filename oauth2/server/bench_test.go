package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// discard is a ResponseWriter with a header that is used again, as no server's is.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

// bench is a server without a connection.
type bench struct {
	*testing.B
	server *server.Server
	secret string
	handle http.Handler
}

func newBench(b *testing.B, jwts bool) *bench {
	b.Helper()
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		b.Fatal(err)
	}
	alice := auth.User(benchUser{})
	guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Cookie"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return alice, login{session: "1", at: time.Now()}, nil
		})}})
	if err != nil {
		b.Fatal(err)
	}
	s, err := server.New(server.Config{Issuer: "https://login.example", Store: server.NewMemoryStore(), Keys: keys,
		OpenID:    server.OpenIDConfig{IDTokenAlgorithm: jwt.ES256},
		LoadUser:  func(context.Context, string) (auth.User, error) { return alice, nil },
		SignIn:    func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Scopes:    []server.Scope{{Name: "read"}},
		Resources: []server.Resource{{ID: "https://api.example/", JWT: jwts}}})
	if err != nil {
		b.Fatal(err)
	}
	_, secret, err := s.AddClient(b.Context(),
		server.Registration{ClientID: "web", RedirectURIs: []string{"https://web.example/cb"}, FirstParty: true,
			GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}})
	if err != nil {
		b.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		b.Fatal(err)
	}
	return &bench{b, s, secret.Reveal(), handlers}
}

// post asks the token endpoint and returns a member of the answer.
func (b *bench) post(form url.Values) answer {
	r := httptest.NewRequest("POST", "/o/token/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", b.secret)
	w := httptest.NewRecorder()
	b.handle.ServeHTTP(w, r)
	if w.Code != 200 {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer{w.Result(), w.Body.String()}
}

func (b *bench) code(scope string) string {
	w := httptest.NewRecorder()
	b.handle.ServeHTTP(w,
		httptest.NewRequest("GET", "/o/authorize/?"+url.Values{"client_id": {"web"}, "response_type": {"code"},
			"scope":          {scope},
			"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}.Encode(), nil))
	code := answer{Response: w.Result()}.location("code")
	if code == "" {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
	return code
}

func (b *bench) redeem(scope string) answer {
	return b.post(url.Values{"grant_type": {"authorization_code"}, "code": {b.code(scope)},
		"code_verifier": {verifier}})
}

// BenchmarkCheck is a request with an opaque token through the Guard, against the
// least that it could be: see package floor.
func BenchmarkCheck(b *testing.B) {
	s := newBench(b, false)
	token := s.redeem("read").text("access_token")
	api, err := oauth2.New(oauth2.Config{Resource: "https://api.example/", Sources: []oauth2.Source{s.server},
		LoadUser: func(context.Context, string) (auth.User, error) { return benchUser{}, nil }})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
	if err != nil {
		b.Fatal(err)
	}
	serve := func(b *testing.B, handler http.Handler) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := &discard{http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			handler.ServeHTTP(w, r)
		}
	}
	b.Run("floor", func(b *testing.B) {
		serve(b, floor.Header("Bearer", floor.TenThousand(token, auth.User(benchUser{})), nothing))
	})
	b.Run("opaque in memory", func(b *testing.B) { serve(b, guard.Require()(nothing)) })
}

func BenchmarkToken(b *testing.B) {
	for name, jwts := range map[string]bool{"opaque": false, "JWT": true} {
		b.Run("client credentials, "+name, func(b *testing.B) {
			s := newBench(b, jwts)
			s.B = b
			b.ReportAllocs()
			for b.Loop() {
				s.post(url.Values{"grant_type": {"client_credentials"}})
			}
		})
		b.Run("code, "+name, func(b *testing.B) {
			s := newBench(b, jwts)
			s.B = b
			for b.Loop() {
				s.redeem("read")
			}
		})
		b.Run("refresh, "+name, func(b *testing.B) {
			s := newBench(b, jwts)
			s.B = b
			refresh := s.redeem("read").text("refresh_token")
			b.ReportAllocs()
			for b.Loop() {
				refresh = s.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}).text(
					"refresh_token")
			}
		})
	}
	b.Run("code with an ID token", func(b *testing.B) {
		s := newBench(b, false)
		for b.Loop() {
			s.redeem("openid read")
		}
	})
	b.Run("ES256 signature alone", func(b *testing.B) {
		key, err := jwt.GenerateKey(jwt.ES256)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := jwt.Sign(key, "at+jwt", map[string]any{"sub": "alice"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
