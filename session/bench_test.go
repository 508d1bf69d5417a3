package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/session"
)

// nothing answers without doing anything.
var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// discard is a ResponseWriter with a header that is used again, as no server's is.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// serve measures a handler with one request.
func serve(b *testing.B, handler http.Handler, cookie string) {
	b.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "theme=dark; "+cookie+"; lang=en")
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

// BenchmarkFloor is the least that any such middleware does: see package floor.
func BenchmarkFloor(b *testing.B) {
	value := strings.Repeat("x", 40)
	find := floor.TenThousand(value, auth.User(&person{"alice", "a1"}))
	serve(b, floor.Cookie("__Host-session", find, nothing), "__Host-session="+value)
}

type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

func BenchmarkSessionMemory(b *testing.B) { benchSession(b, benchUser{}) }

// BenchmarkSessionMemoryStamp is of a user with a stamp, which is hashed and compared.
func BenchmarkSessionMemoryStamp(b *testing.B) {
	benchSession(
		b,
		&person{
			"alice",
			"argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$QmFzZTY0IG9mIDMyIGJ5dGVzIG9mIGEgaGFzaCBoZXJl"})
}

func benchSession(b *testing.B, alice auth.User) {
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(),
		LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{sessions}})
	if err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	if _, err := sessions.SignIn(w, httptest.NewRequest("POST", "https://app.example/", nil), alice,
		session.Options{}); err != nil {
		b.Fatal(err)
	}
	cookie := cookieOf(b, w.Result())
	if w := httptest.NewRecorder(); true {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookie)
		if guard.Require()(nothing).ServeHTTP(w, r); w.Code != 200 {
			b.Fatalf("got %v, want 200", w.Code)
		}
	}
	serve(b, guard.Require()(nothing), cookie)
}
