package password_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

const (
	oldOne = "password" // what cheap is of
	newOne = "umbrella cabinet tractor"
)

// service is a service of users with cheap stored, which is their stamp too,
// and log in by their id and "@"; bob has the same password as alice.
type service struct {
	t      testing.TB
	hasher *password.Hasher
	login  *password.Authenticator
	tokens *knox.Tokens // that prove the sender of a change
	guard  *auth.Guard
	log    *eventLog
	render *auth.Problem // the last refusal
	logged bytes.Buffer

	mu      sync.Mutex
	stored  map[string]string
	names   map[string]string // other names of users
	inSet   func() error      // called by Set, before it writes
	loading error             // of LoadUser
	onRead  func()            // called by Account, after it read

	others, more *recorder
}

// recorder is a Revoker that remembers what it was asked.
type recorder struct {
	calls     []string // user, stamp and the credential that is kept
	fault     error
	cancelled bool
}

func (c *recorder) RevokeOthers(w http.ResponseWriter, r *http.Request, user auth.User) error {
	kept := "nothing"
	if credential, ok := auth.CredentialFrom[*knox.Token](r.Context()); ok {
		kept = credential.UserID() + "'s token"
	}
	if who, ok := auth.UserFrom[auth.User](r.Context()); ok && kept == "nothing" {
		kept = "nothing, but proved " + who.UserID()
	}
	stamp := "a new stamp"
	if user.(stamped).stamp == cheap {
		stamp = "the old stamp"
	}
	c.calls = append(c.calls, fmt.Sprintf("%s with %s keeps %s", user.UserID(), stamp, kept))
	c.cancelled = r.Context().Err() != nil
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "renewed"})
	return c.fault
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, hasher: newHasher(t, password.HasherConfig{}), log: &eventLog{}, others: &recorder{},
		more:   &recorder{},
		stored: map[string]string{"alice": cheap, "bob": cheap}, names: map[string]string{}}
	var err error
	s.login, err = password.New(password.Config{Hasher: s.hasher, Decoy: cheap, Account: s.account})
	if err == nil {
		s.tokens, err = knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: s.loadForTokens})
	}
	if err == nil {
		s.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens}, Observer: s.log,
			Render: func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
				s.mu.Lock()
				s.render = p
				s.mu.Unlock()
				auth.WriteProblem(w, p)
			}, Logger: slog.New(slog.NewTextHandler(&s.logged, nil))})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *service) account(_ context.Context, username string) (auth.User, string, error) {
	s.mu.Lock()
	id, ok := strings.CutSuffix(username, "@")
	if other := s.names[id]; other != "" {
		id = other
	}
	stored := s.stored[id]
	onRead := s.onRead
	s.onRead = nil
	s.mu.Unlock()
	if onRead != nil {
		onRead()
	}
	if !ok || stored == "" {
		return nil, "", auth.ErrUserNotFound
	}
	return stamped{id, stored}, stored, nil
}

func (s *service) load(_ context.Context, id string) (auth.User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loading != nil {
		return nil, s.loading
	}
	if s.stored[id] == "" {
		return nil, auth.ErrUserNotFound
	}
	return stamped{id, s.stored[id]}, nil
}

// loadForTokens loads users without a stamp: these tokens are to prove requests
// before and after a change.
func (s *service) loadForTokens(context.Context, string) (auth.User, error) {
	return user("alice"), nil
}

func (s *service) set(ctx context.Context, u auth.User, encoded string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inSet != nil {
		if err := s.inSet(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.stored[u.UserID()] != u.(stamped).stamp {
		return password.ErrChanged
	}
	s.stored[u.UserID()] = encoded
	return nil
}

func (s *service) updateConfig() password.UpdateConfig {
	return password.UpdateConfig{Hasher: s.hasher, Set: s.set, LoadUser: s.load,
		Revokers: []auth.Revoker{s.others, s.more},
		Observer: s.log,
		Attributes: func(u auth.User) []password.Attribute {
			return []password.Attribute{{Name: "username", Value: u.UserID() + ".liddell"}}
		}}
}

func (s *service) change(redirect string) *password.Change {
	s.t.Helper()
	c, err := password.NewChange(s.guard, password.ChangeConfig{UpdateConfig: s.updateConfig(), Authenticator: s.login,
		Redirect: redirect,
		Username: func(u auth.User) string { return u.UserID() + "@" }})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// changes is a request of alice, with a token of hers.
func (s *service) changes(contentType, body string) *http.Request {
	s.t.Helper()
	return s.withToken(post(contentType, body), knox.Options{})
}

func (s *service) withToken(r *http.Request, options knox.Options) *http.Request {
	issued, err := s.tokens.Issue(context.Background(), "alice", options)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+issued.Secret.Reveal())
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// code returns the status and the code of an answer.
func code(w *httptest.ResponseRecorder) string {
	var body struct{ Code string }
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", body.Code))
}

// is reports whether the stored password of a user is this one.
func (s *service) is(id, given string) bool {
	s.t.Helper()
	s.mu.Lock()
	stored := s.stored[id]
	s.mu.Unlock()
	result, err := s.hasher.Verify(context.Background(), given, stored)
	if err != nil {
		s.t.Fatal(err)
	}
	return result.OK
}

// untouched fails the test if anything was stored or revoked.
func (s *service) untouched(what string) {
	s.t.Helper()
	if s.stored["alice"] != cheap || s.stored["bob"] != cheap || len(s.others.calls)+len(s.more.calls) > 0 {
		s.t.Errorf("%s: stored %q, revoked %q %q", what, s.stored, s.others.calls, s.more.calls)
	}
}
