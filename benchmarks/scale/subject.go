package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
)

// This file has what is done with a population.

// account is a user. The loader makes one of any identifier, so that no time is the application's.
type account struct{ id string }

func (a *account) UserID() string { return a.id }

func anyUser(_ context.Context, id string) (auth.User, error) { return &account{id}, nil }

// quiet is a log without lines at level Info: the Guard writes each refusal at this level.
var quiet = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))

// subject is a population with what uses it.
type subject struct {
	*population
	store  knox.Store
	tokens *knox.Tokens
	check  http.Handler // of a token, without its use being written
	use    http.Handler // of a token, with its use being written
	pairs  *jwt.Tokens

	unused  atomic.Int64 // tokens that were used first
	leaving atomic.Int64 // users that lost all
	purged  atomic.Int64 // tokens that were purged
	mu      sync.Mutex
	refresh []string // good refresh tokens
}

// newSubject opens the stores on a database.
func newSubject(ctx context.Context, d *database, p *population) (*subject, error) {
	s := &subject{population: p}
	var err error
	if s.store, err = d.knox(ctx); err != nil {
		return nil, err
	}
	if s.tokens, err = knox.New(knox.Config{Store: s.store, LoadUser: anyUser, Logger: quiet}); err != nil {
		return nil, err
	}
	silent, err := knox.New(knox.Config{Store: s.store, LoadUser: anyUser, TouchInterval: -1, Logger: quiet})
	if err != nil {
		return nil, err
	}
	if s.check, err = guarded(silent); err == nil {
		s.use, err = guarded(s.tokens)
	}
	if err != nil {
		return nil, err
	}
	logins, err := d.jwt(ctx)
	if err != nil {
		return nil, err
	}
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		return nil, err
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	s.pairs, err = jwt.New(jwt.Config{Issuer: "https://login.example", Keys: keys, Store: logins, LoadUser: anyUser,
		Logger: quiet})
	return s, err
}

// guarded returns a handler that answers with the user's identifier.
func guarded(backends ...auth.Authenticator) (http.Handler, error) {
	guard, err := auth.New(auth.Config{Backends: backends, Logger: quiet})
	if err != nil {
		return nil, err
	}
	return guard.Require()(http.HandlerFunc(writeUser)), nil
}

// writeUser answers with the user's identifier.
func writeUser(w http.ResponseWriter, r *http.Request) {
	if user, ok := auth.UserFrom[*account](r.Context()); ok {
		_, _ = w.Write([]byte(user.id))
	}
}

// step is something to measure. prepare is not measured. It reports whether there is something left to do.
type step struct {
	name    string
	prepare func(s *subject) (do func() error, ok bool)
	aim     float64 // of the ratio of large to small, 0 for no aim
}

func steps() []step {
	return []step{
		{"check of a token", (*subject).checkOne, 1.5},
		{"first use of a token", (*subject).firstUse, 0},
		{"login: a token is issued", (*subject).login, 0},
		{"list of a user's ten tokens", (*subject).list, 0},
		{"refresh of a JWT", (*subject).refreshOne, 0},
		{"revoke all of a user, ten tokens", (*subject).revokeAll, 0},
		{"purge of 100 expired tokens", (*subject).purgeBatch, 0},
	}
}

// anyUsed returns a token that was used, and that purges and revocations leave.
func (s *subject) anyUsed() int {
	for {
		n := s.tenths(5) + rand.IntN(s.tenths(9)-s.tenths(5))
		if n%s.users() < s.staying() {
			return n
		}
	}
}

func (s *subject) checkOne() (func() error, bool) { return s.request(s.check, s.anyUsed()), true }

// tenths returns so many tenths of the tokens.
func (s *subject) tenths(n int) int { return s.users() * n }

// staying is how many users keep their tokens: those with higher numbers lose them.
func (s *subject) staying() int { return max(1, s.users()*9/10) }

// request presents a token, and looks at the answer.
func (s *subject) request(handler http.Handler, n int) func() error {
	r, w := s.requestOf(n), httptest.NewRecorder()
	return func() error {
		handler.ServeHTTP(w, r)
		if got, want := w.Body.String(), s.owner(n); w.Code != http.StatusOK || got != want {
			return fmt.Errorf("a request was answered with %d %q, want %q", w.Code, got, want)
		}
		return nil
	}
}

func (s *subject) requestOf(n int) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/reports", nil)
	r.Header.Set("Authorization", "Token "+s.secret(n))
	return r
}

func (s *subject) firstUse() (func() error, bool) {
	for {
		n := s.tenths(9) + int(s.unused.Add(1)) - 1
		if n >= s.tenths(10) {
			return nil, false
		}
		if n%s.users() < s.staying() {
			return s.request(s.use, n), true
		}
	}
}

func (s *subject) login() (func() error, bool) {
	user := userID(rand.IntN(s.staying()))
	return func() error {
		_, err := s.tokens.Issue(context.Background(), user, sampleOptions)
		return err
	}, true
}

func (s *subject) list() (func() error, bool) {
	user := userID(rand.IntN(s.staying()))
	return func() error {
		found, _, err := s.tokens.List(context.Background(), user, backend.Page{})
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("user %s has no tokens", user)
		}
		return err
	}, true
}

// refreshOne refreshes a pair. There are as many as workers.
func (s *subject) refreshOne() (func() error, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refresh) == 0 {
		issued, err := s.pairs.Issue(context.Background(), userID(rand.IntN(s.staying())), jwt.Options{})
		if err != nil {
			return func() error { return err }, true
		}
		s.refresh = append(s.refresh, issued.Refresh.Reveal())
	}
	last := len(s.refresh) - 1
	token := s.refresh[last]
	s.refresh = s.refresh[:last]
	return func() error {
		pair, err := s.pairs.Refresh(context.Background(), token)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refresh = append(s.refresh, pair.Refresh.Reveal())
		return nil
	}, true
}

// revokeAll ends the tokens of a user that no other step needs.
func (s *subject) revokeAll() (func() error, bool) {
	n := s.staying() + int(s.leaving.Add(1)) - 1
	if n >= s.users() {
		return nil, false
	}
	return func() error {
		ended, err := s.tokens.RevokeAll(context.Background(), userID(n))
		if err == nil && ended != perUser {
			err = fmt.Errorf("%d tokens of %s were revoked, want %d", ended, userID(n), perUser)
		}
		return err
	}, true
}

// purgeable is how many tokens the step of purges may take. A purge beside traffic takes the others.
func (s *subject) purgeable() int { return max(1, s.count/20) }

func (s *subject) purgeBatch() (func() error, bool) {
	ending := s.expiredBefore(s.purgeable())
	return func() error {
		gone, err := s.store.Purge(context.Background(), 100, ending)
		if s.purged.Add(int64(len(gone))); len(gone) < 100 {
			s.purged.Store(int64(s.count)) // there are no more
		}
		return err
	}, int(s.purged.Load()) < s.purgeable()
}

// expiredBefore is an instant at which the first n tokens have expired.
func (s *subject) expiredBefore(n int) knox.Ending {
	return knox.Ending{Reason: knox.EndExpired, At: s.created(n - 1).Add(life)}
}
