package knox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
)

// person is a user of the tests.
type person struct{ name, stamp string }

func (p *person) UserID() string    { return p.name }
func (p *person) AuthStamp() string { return p.stamp }

// people are the users there are.
type people struct {
	mu       sync.Mutex
	inactive map[string]bool
	stamps   map[string]string
	down     error
}

func (p *people) load(_ context.Context, id string) (auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down != nil:
		return nil, p.down
	case p.inactive[id]:
		return nil, auth.ErrUserInactive
	case id != "alice" && id != "bob":
		return nil, auth.ErrUserNotFound
	}
	return &person{id, p.stamps[id]}, nil
}

func (p *people) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// service is a small API with knox tokens, as an application would have it.
type service struct {
	t       testing.TB
	people  *people
	store   knox.Store
	tokens  *knox.Tokens
	handler http.Handler
	events  *events
}

// start runs a service with the configuration that change makes.
func start(t testing.TB, change func(*knox.Config)) *service {
	t.Helper()
	s := &service{t: t, people: &people{inactive: map[string]bool{}, stamps: map[string]string{}}, events: &events{}}
	config := knox.Config{Store: knox.NewMemoryStore(), LoadUser: s.people.load, Observer: s.events,
		Schemes: []string{"Token", "Bearer"}}
	if change != nil {
		change(&config)
	}
	s.store = config.Store
	var err error
	if s.tokens, err = knox.New(config); err != nil {
		t.Fatal(err)
	}
	// Every password is the user's name and "-secret".
	basic, err := header.NewBasic(header.BasicConfig{Remember: -1,
		Check: func(r *http.Request, username, password string) (auth.User, error) {
			if password != username+"-secret" {
				return nil, auth.ErrInvalid
			}
			return auth.UserLoader(s.people.load).Load(r.Context(), username)
		}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens, basic},
		Login: []auth.Authenticator{basic}, Observer: s.events})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	mux.Handle("/me", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[*person](r.Context())
		w.Write([]byte(user.name))
	})))
	mux.Handle("/reports", guard.Require(auth.Scopes("reports:read"))(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	s.handler = mux
	return s
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	text   string
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(a.text), &body); err != nil {
		t.Fatalf("%q: %v", a.text, err)
	}
	return body
}

// do sends a request with an Authorization header, if there is one, and a JSON
// body, if there is one.
func (s *service) do(method, path, authorization, body string, more ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// basicOf is the Authorization of a user's password.
func basicOf(user string) string {
	r, _ := http.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, user+"-secret")
	return r.Header.Get("Authorization")
}

// login returns a new token of a user.
func (s *service) login(user string) string {
	s.t.Helper()
	got := s.do("POST", "/auth/login/", basicOf(user), "")
	token, _ := got.json(s.t)["token"].(string)
	if got.status != http.StatusOK || token == "" {
		s.t.Fatalf("login: %d %s", got.status, got.text)
	}
	return token
}

// me returns the status of a request with a token.
func (s *service) me(token string) int {
	s.t.Helper()
	return s.do("GET", "/me", "Token "+token, "").status
}

// rows returns the records of a user, expired or not.
func (s *service) rows(user string) []*knox.Record {
	s.t.Helper()
	records, err := s.store.List(s.t.Context(), user, "", 10_000, time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	return records
}

// events keeps what was observed.
type events struct {
	mu   sync.Mutex
	seen []auth.Event
}

func (e *events) Observe(_ context.Context, event auth.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event)
}

// count returns how many events of a kind there were.
func (e *events) count(kind auth.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.seen {
		if event.Kind == kind {
			n++
		}
	}
	return n
}
