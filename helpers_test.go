package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
)

type user string

func (u user) UserID() string { return string(u) }

// ptrUser can be a typed nil.
type ptrUser struct{ id string }

func (u *ptrUser) UserID() string { return u.id }

type cred struct {
	backend string
	set     http.Header // headers that it adds to the answer
}

func (c cred) Backend() string { return c.backend }
func (c cred) SetHeaders(h http.Header) {
	for name, values := range c.set {
		for _, v := range values {
			h.Add(name, v)
		}
	}
}

// backend answers every request alike, or by a function, and counts.
type backend struct {
	name       string
	answer     func(r *http.Request) (auth.User, auth.Credential, error)
	challenges []auth.Challenge
	strip      []string
	classes    []auth.TokenClass
	ambient    bool

	mu    sync.Mutex
	asked int
}

func (b *backend) Backend() string              { return b.name }
func (b *backend) Challenges() []auth.Challenge { return b.challenges }
func (b *backend) StripHeaders() []string       { return b.strip }
func (b *backend) OwnTokens() []auth.TokenClass { return b.classes }
func (b *backend) Ambient() bool                { return b.ambient }
func (b *backend) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	b.mu.Lock()
	b.asked++
	b.mu.Unlock()
	return b.answer(r)
}

// speaking is a backend of a scheme that always answers err, or proves
// "<name>-user" if err is nil.
func speaking(scheme string, err error) *backend {
	return &backend{
		name:       strings.ToLower(scheme),
		challenges: []auth.Challenge{{Scheme: scheme, Params: []auth.Param{{Name: "realm", Value: "api"}}}},
		answer: func(*http.Request) (auth.User, auth.Credential, error) {
			if err != nil {
				return nil, nil, err
			}
			return user(strings.ToLower(scheme) + "-user"), cred{backend: strings.ToLower(scheme)}, nil
		},
	}
}

// tokens is a backend that reads tokens of schemes: "good-<id>" is a user,
// "other-…" not its own, all else bad.
func tokens(schemes ...string) *backend {
	b := &backend{name: "tokens", answer: func(r *http.Request) (auth.User, auth.Credential, error) {
		_, token, err := auth.TokenFrom(r, schemes...)
		if err != nil {
			return nil, nil, err
		}
		if id, ok := strings.CutPrefix(token, "good-"); ok {
			return user(id), cred{backend: "tokens"}, nil
		}
		if strings.HasPrefix(token, "other-") {
			return nil, nil, auth.ErrUnrecognized
		}
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Detail: "Invalid token."}
	}}
	for _, scheme := range schemes {
		b.challenges = append(b.challenges,
			auth.Challenge{Scheme: scheme, Params: []auth.Param{{Name: "realm", Value: "api"}}})
	}
	return b
}

func newGuard(t testing.TB, config auth.Config) *auth.Guard {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	g, err := auth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func guardOf(t testing.TB, backends ...auth.Authenticator) *auth.Guard {
	t.Helper()
	return newGuard(t, auth.Config{Backends: backends})
}

// whoami answers with the UserID, or "anonymous".
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
		_, _ = io.WriteString(w, u.UserID())
		return
	}
	_, _ = io.WriteString(w, "anonymous")
})

func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func get(h http.Handler, header ...string) *httptest.ResponseRecorder {
	return do(h, request("GET", "/", header...))
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantStatus(t testing.TB, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
	}
}

func wantUser(t testing.TB, w *httptest.ResponseRecorder, id string) {
	t.Helper()
	if w.Code != 200 || w.Body.String() != id {
		t.Errorf("status %d body %q, want 200 %q", w.Code, w.Body, id)
	}
}

func member(t testing.TB, w *httptest.ResponseRecorder, name string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return body[name]
}

// recorder keeps the events it is told.
type recorder struct {
	mu     sync.Mutex
	events []auth.Event
}

func (o *recorder) Observe(_ context.Context, e auth.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *recorder) take() []auth.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events = nil
	return events
}
