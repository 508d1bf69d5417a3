package jwt_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// person is an application's user, with a stamp.
type person struct{ id, stamp string }

func (p person) UserID() string    { return p.id }
func (p person) AuthStamp() string { return p.stamp }

// people are an application's users, and which of them may log in.
type people struct {
	mu       sync.Mutex
	stamps   map[string]string
	inactive map[string]bool
	down     bool
	loads    int
}

func newPeople() *people {
	return &people{stamps: map[string]string{"alice": "a1", "bob": "b1", "17": "n1"}, inactive: map[string]bool{}}
}

var errDown = errors.New("the database is down")

func (p *people) load(_ context.Context, id string) (auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loads++
	stamp, ok := p.stamps[id]
	switch {
	case p.down:
		return nil, errDown
	case !ok:
		return nil, auth.ErrUserNotFound
	case p.inactive[id]:
		return nil, auth.ErrUserInactive
	}
	return person{id, stamp}, nil
}

func (p *people) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

// proof is what the login of these tests leaves: a primary credential.
type proof = authtest.Credential

// passwords is a login backend: the password is the user's name, twice. It reads
// what password.Authenticator reads, and puts the body back as that does.
func (p *people) passwords(r *http.Request) (auth.User, auth.Credential, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	var form struct{ Username, Password *string }
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		clone := r.Clone(r.Context())
		clone.Body = io.NopCloser(bytes.NewReader(text))
		username, password := clone.PostFormValue("username"), clone.PostFormValue("password")
		form.Username, form.Password = &username, &password
	} else if json.Unmarshal(text, &form) != nil || form.Username == nil && form.Password == nil {
		return nil, nil, auth.ErrNoCredentials
	}
	if form.Username == nil || form.Password == nil {
		return nil, nil, auth.ErrMalformed
	}
	if *form.Username+*form.Username != *form.Password {
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid}
	}
	user, err := p.load(r.Context(), *form.Username)
	if err != nil {
		return nil, nil, err
	}
	return user,
		proof{Name: "password", IsPrimary: true, Auth: auth.AuthInfo{AuthTime: time.Now(), AMR: []string{"pwd"}}}, nil
}

// events keeps what an observer is told.
type events struct {
	mu  sync.Mutex
	all []auth.Event
}

func (e *events) Observe(_ context.Context, event auth.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) count(kind auth.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// service is a service that issues tokens, over a real connection.
type service struct {
	t      *testing.T
	url    string
	people *people
	events *events
	store  jwt.Store
	tokens *jwt.Tokens
}

const serviceIssuer = "https://service.example"

func signing(t testing.TB, algorithm jwt.Algorithm) *jwt.Key {
	t.Helper()
	key, err := jwt.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keySet(t testing.TB, signing *jwt.Key, others ...*jwt.Key) *jwt.KeySet {
	t.Helper()
	keys, err := jwt.NewKeySet(signing, others...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// newTokens returns Tokens that change may configure otherwise.
func newTokens(t testing.TB, change func(*jwt.Config)) (*jwt.Tokens, *people, *events) {
	t.Helper()
	people, events := newPeople(), &events{}
	config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.EdDSA)), Store: jwt.NewMemoryStore(),
		LoadUser: people.load, Observer: events}
	if change != nil {
		change(&config)
	}
	tokens, err := jwt.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, people, events
}

func newService(t *testing.T, change func(*jwt.Config)) *service {
	t.Helper()
	s := &service{t: t}
	reuse := false
	s.tokens, s.people, s.events = newTokens(t, func(c *jwt.Config) {
		if change != nil {
			change(c)
		}
		s.store, reuse = c.Store, c.Compat.AllowRefreshReuse
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens},
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(s.people.passwords)},
		Challenges: []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: "api"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	browser, err := s.tokens.BrowserHandlers(guard)
	if (err != nil) != reuse {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/api/token")
	if !reuse {
		browser.Register(mux, "/browser")
	}
	mux.Handle("GET /me", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_, _ = io.WriteString(w, user.UserID())
	})))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// response is an answer that was read.
type response struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r response) member(name string) string { s, _ := r.body[name].(string); return s }

// do sends a request; body is JSON unless it is "".
func (s *service) do(method, path, body string, header ...string) response {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return s.send(r, header...)
}

// send sends a request with further headers.
func (s *service) send(r *http.Request, header ...string) response {
	s.t.Helper()
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	answer := response{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &answer.body)
	return answer
}

func (s *service) post(path string, members ...string) response {
	s.t.Helper()
	body := map[string]string{}
	for i := 0; i < len(members); i += 2 {
		body[members[i]] = members[i+1]
	}
	text, _ := json.Marshal(body)
	return s.do("POST", path, string(text))
}

// obtain logs a user in.
func (s *service) obtain(user string) (access, refresh string) {
	s.t.Helper()
	answer := s.post("/api/token/", "username", user, "password", user+user)
	if answer.status != 200 {
		s.t.Fatalf("obtain: %d %s", answer.status, answer.text)
	}
	return answer.member("access"), answer.member("refresh")
}

// me asks for the user of a token, and what the answer says.
func (s *service) me(token string) response {
	s.t.Helper()
	return s.do("GET", "/me", "", "Authorization", "Bearer "+token)
}

func (s *service) want(what string, got response, status int, detail string) {
	s.t.Helper()
	if got.status != status || detail != "" && got.member("detail") != detail {
		s.t.Errorf("%s: %d %s, want %d %q", what, got.status, got.text, status, detail)
	}
}

// claimsOf reads what a token says, without checking it.
func claimsOf(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func names(claims map[string]any) string {
	var all []string
	for name := range claims {
		all = append(all, name)
	}
	return fmt.Sprint(sorted(all))
}
