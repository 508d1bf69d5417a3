package authtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Issuing is a backend that issues tokens or sessions at a login, with a store of its own. Its LoadUser must know the
// user "alice".
type Issuing struct {
	// Issuer goes into auth.Config.Backends.
	Issuer auth.Authenticator
	// Login returns the endpoint of the login for the guard. It is sent a POST without a body.
	Login func(guard *auth.Guard) (http.Handler, error)
	// Count returns how many tokens or sessions of alice there are.
	Count func(ctx context.Context) (int, error)
	// SetDown lets the store return an error when it is to end one.
	SetDown func()
}

// UnfinishedLogins tests what an issuing backend does with a login whose credential is a [backend.Finisher]: nothing is
// left of a login that cannot be finished, the client gets no credential, and the log names what the store cannot end.
// Each subtest calls start, which must give the logger to the backend:
//
//	func TestUnitUnfinishedLogins(t *testing.T) {
//		authtest.UnfinishedLogins(t, func(t *testing.T, logger *slog.Logger) authtest.Issuing {
//			…
//			return authtest.Issuing{Issuer: issuer, Login: login, Count: count, SetDown: store.setDown}
//		})
//	}
//
// The store should heed its context as package database/sql does. Otherwise one check proves less: that what was issued
// ends also if the client is gone.
func UnfinishedLogins(t *testing.T, start func(t *testing.T, logger *slog.Logger) Issuing) {
	t.Helper()
	for _, c := range unfinishedContract {
		t.Run(c.sentence, func(t *testing.T) {
			faults := c.run(t.Context(), func(logger *slog.Logger) Issuing { return start(t, logger) })
			for _, fault := range faults {
				t.Errorf("the backend breaks this sentence of its contract: %s. %s", c.sentence, fault)
			}
		})
	}
}

// unfinishedCheck is a login that cannot be finished, or one that can.
type unfinishedCheck struct {
	sentence   string
	good       bool
	gone, down bool // the client, the store
}

var unfinishedContract = []unfinishedCheck{
	{sentence: "a login that is finished is answered, and stays", good: true},
	{sentence: "nothing is left of a login that cannot be finished"},
	{sentence: "nothing is left of it where the client is gone", gone: true},
	{sentence: "the log names what the store cannot end", down: true},
}

// run returns the faults.
func (c unfinishedCheck) run(ctx context.Context, start func(*slog.Logger) Issuing) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var log bytes.Buffer
	issuing := start(slog.New(slog.NewTextHandler(&log, nil)))
	asking, leave := context.WithCancel(ctx)
	defer leave()
	login := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return User("alice"), unfinished{func(ctx context.Context) error { return c.finish(ctx, leave, issuing) }}, nil
	})
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{issuing.Issuer}, Login: []auth.Authenticator{login},
		Challenges: []auth.Challenge{{Scheme: "Authtest"}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return []string{"auth.New refuses the backend: " + err.Error()}
	}
	handler, err := issuing.Login(guard)
	if err != nil {
		return []string{"Issuing.Login returned an error: " + err.Error()}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://app.example/login/", nil).WithContext(asking))
	want := 0
	switch {
	case c.good && w.Code >= 400: // a browser may be led on
		fault("It answered %d %s", w.Code, w.Body)
	case !c.good && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Set-Cookie") != ""):
		fault("It answered %d %s, with the cookie %q, want 503 and no cookie", w.Code, w.Body,
			w.Header().Get("Set-Cookie"))
	}
	if c.good || c.down {
		want = 1
	}
	if n, err := issuing.Count(ctx); err != nil || n != want {
		fault("There are %d tokens or sessions (%v), want %d", n, err, want)
	}
	told := strings.Contains(log.String(), "alice")
	switch {
	case c.down && !told:
		fault("The log does not name the user: %q", log.String())
	case !c.down && told:
		fault("The log has %q, and nothing is left", log.String())
	}
	return faults
}

// finish is what is left to do.
func (c unfinishedCheck) finish(ctx context.Context, leave func(), issuing Issuing) error {
	switch {
	case c.good:
		return nil
	case c.gone:
		leave()
		return ctx.Err()
	case c.down:
		issuing.SetDown()
	}
	return errors.New("authtest: the login cannot be finished")
}

// unfinished is the credential of a login with something left to do.
type unfinished struct{ finish func(context.Context) error }

var _ backend.Finisher = unfinished{}

func (unfinished) Backend() string                    { return "authtest" }
func (unfinished) Ambient() bool                      { return false }
func (unfinished) Primary() bool                      { return true }
func (unfinished) Scopes() ([]string, bool)           { return nil, false }
func (u unfinished) Finish(ctx context.Context) error { return u.finish(ctx) }
