package session_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// person is a user with a stamp.
type person struct{ name, stamp string }

func (p *person) UserID() string    { return p.name }
func (p *person) AuthStamp() string { return p.stamp }

// service is sessions with all around them, and switches for what can go wrong.
type service struct {
	*session.Sessions
	t       testing.TB
	store   *switchStore
	guard   *auth.Guard
	handler http.Handler
	log     *lockedLog

	mu     sync.Mutex
	people map[string]*person
	faults map[string]error // of the loader, by user
	events []auth.Event
}

var errDown = errors.New("the disk is gone")

// switchStore is a store that can be down.
type switchStore struct {
	session.Store
	mu   sync.Mutex
	down bool
}

func (s *switchStore) fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	return nil
}

func (s *switchStore) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *switchStore) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	if err := s.fail(); err != nil {
		return session.Added{}, err
	}
	return s.Store.Add(ctx, r, replaced, limit, evict, now)
}

func (s *switchStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Find(ctx, digest)
}

// HashFinder lets the tests go by the look-up that a store in memory has.
func (s *switchStore) HashFinder(session.Store) session.FindHash {
	find := s.Store.(*session.MemoryStore).HashFinder(s.Store)
	return func(ctx context.Context, hash [32]byte) (*session.Record, error) {
		if err := s.fail(); err != nil {
			return nil, err
		}
		return find(ctx, hash)
	}
}

func (s *switchStore) Replace(ctx context.Context, digest string, successor *session.Record, now time.Time) (
	bool, error) {
	if err := s.fail(); err != nil {
		return false, err
	}
	return s.Store.Replace(ctx, digest, successor, now)
}

func (s *switchStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.RevokeAll(ctx, userID, kept)
}

type lockedLog struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}

func (l *lockedLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.String()
}

// newService returns a service with a login that believes the header X-Login, which
// stands for a password.
func newService(t testing.TB, config session.Config) *service {
	t.Helper()
	return newServiceBehind(t, config, auth.Proxies{})
}

// newServiceBehind is newService behind proxies.
func newServiceBehind(t testing.TB, config session.Config, proxies auth.Proxies) *service {
	t.Helper()
	s := &service{t: t, store: &switchStore{Store: session.NewMemoryStore()}, log: &lockedLog{},
		people: map[string]*person{"alice": {"alice", "a1"}, "bob": {"bob", "b1"}}, faults: map[string]error{}}
	if config.Store == nil {
		config.Store = s.store
	}
	config.LoadUser = s.load
	config.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	config.Observer = auth.ObserverFunc(func(_ context.Context, e auth.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	})
	var err error
	if s.Sessions, err = session.New(config); err != nil {
		t.Fatal(err)
	}
	byHeader := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		name := r.Header.Get("X-Login")
		if name == "" {
			return nil, nil, auth.ErrNoCredentials
		}
		user, err := s.load(r.Context(), name)
		if stamp := r.Header.Get("X-Login-Stamp"); stamp != "" { // the password as it was proved
			return &person{name, stamp}, primary{}, nil
		}
		if r.Header.Get("X-Login-Time") == "unknown" {
			return user, primary{}, err
		}
		return user, primary{time.Now()}, err
	})
	guardConfig := auth.Config{Backends: []auth.Authenticator{bearer{}, s.Sessions},
		Login:   []auth.Authenticator{byHeader, bearer{}},
		Proxies: proxies, Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	if s.guard, err = auth.New(guardConfig); err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(s.guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	guardConfig.Render = s.RedirectToLogin("/session/login", nil)
	pages, err := auth.New(guardConfig)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/me", s.guard.Require()(http.HandlerFunc(whoami)))
	mux.Handle("/public", s.guard.Optional()(http.HandlerFunc(whoami)))
	mux.Handle("/page", pages.Require()(http.HandlerFunc(whoami)))
	mux.Handle("/fresh", s.guard.Require(auth.Fresh(time.Hour))(http.HandlerFunc(whoami)))
	mux.Handle("/admins", pages.Require(func(*http.Request, auth.User, auth.Credential) error {
		return auth.ErrInsufficient
	})(http.HandlerFunc(whoami)))
	s.handler = mux
	return s
}

// primary is what the login guard proves by, at an instant that may not be known.
type primary struct{ at time.Time }

func (primary) Backend() string          { return "test" }
func (primary) Primary() bool            { return true }
func (primary) Scopes() ([]string, bool) { return nil, false }
func (p primary) AuthInfo() auth.AuthInfo {
	return auth.AuthInfo{AuthTime: p.at, AMR: []string{"pwd"}}
}

// bearer is another backend: one token is good.
type bearer struct{}

func (bearer) Backend() string          { return "bearer" }
func (bearer) Scopes() ([]string, bool) { return nil, false }
func (bearer) Ambient() bool            { return false }
func (bearer) Challenges() []auth.Challenge {
	return []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: "api"}}}}
}
func (b bearer) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil {
		return nil, nil, err
	}
	if token != "good" {
		return nil, nil, auth.ErrInvalid
	}
	return &person{"tokenuser", ""}, b, nil
}

// loginBy returns a guard of the service with the backends of a login.
func (s *service) loginBy(backends ...auth.Authenticator) *auth.Guard {
	s.t.Helper()
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{bearer{}, s.Sessions}, Login: backends})
	if err != nil {
		s.t.Fatal(err)
	}
	return guard
}

func whoami(w http.ResponseWriter, r *http.Request) {
	name := "nobody"
	if u, ok := auth.UserFrom[*person](r.Context()); ok {
		name = u.name
	}
	_, _ = io.WriteString(w, name)
}

func (s *service) load(_ context.Context, id string) (auth.User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.faults[id]; err != nil {
		return nil, err
	}
	p, ok := s.people[id]
	if !ok {
		return nil, auth.ErrUserNotFound
	}
	copied := *p
	return &copied, nil
}

// set changes what the loader says of a user.
func (s *service) set(id string, p *person, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == nil {
		delete(s.people, id)
	} else {
		s.people[id] = p
	}
	s.faults[id] = fault
}

// kinds returns the kinds of events since it was last asked.
func (s *service) kinds() (kinds []auth.EventKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		kinds = append(kinds, e.Kind)
	}
	s.events = nil
	return kinds
}

// do sends a request to the handler; headers are pairs, "Cookie" among them.
func (s *service) do(method, path, body string, headers ...string) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(method, "https://app.example"+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	if body != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

// login returns the cookie of a new session as a Cookie header has it.
func (s *service) login(name string, headers ...string) string {
	s.t.Helper()
	answer := s.do("POST", "/session/login", "", append([]string{"X-Login", name}, headers...)...)
	if answer.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("login: %s %s", answer.Status, text(answer))
	}
	return cookieOf(s.t, answer)
}

// cookieOf returns the session cookie that an answer sets.
func cookieOf(t testing.TB, answer *http.Response) string {
	t.Helper()
	for _, c := range answer.Cookies() {
		if !strings.HasSuffix(c.Name, "-notes") && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatalf("no cookie in %v", answer.Header)
	return ""
}

func text(answer *http.Response) string {
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

const cleared = "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"

func (s *service) want(status int, body string, answer *http.Response) {
	s.t.Helper()
	if got := text(answer); answer.StatusCode != status || body != "" && !strings.Contains(got, body) {
		s.t.Errorf("%s %q, want %d %q", answer.Status, got, status, body)
	}
}

func (s *service) wantCleared(want bool, answer *http.Response) {
	s.t.Helper()
	if got := slices.Contains(answer.Header["Set-Cookie"], cleared); got != want {
		s.t.Errorf("cleared %v, want %v: %q", got, want, answer.Header["Set-Cookie"])
	}
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
