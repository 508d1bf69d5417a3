package auth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// The tests of this file are about mistakes of a newcomer: each must leave a line that says what to do.

func TestUnitABackendThatCannotDecideIsNamedInTheLog(t *testing.T) {
	down := errors.New("connection refused")
	unnamed := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) { return nil, nil, down })
	for name, row := range map[string]struct {
		backend auth.Authenticator
		log     string
	}{
		"a function that means a refusal": {unnamed, "the backend cannot decide, since its error has no kind such as " +
			"auth.ErrInvalid: connection refused"},
		"a backend with a name": {speaking("Token", down),
			`error="the backend cannot decide: connection refused"`},
		"one that says so itself": {speaking("Token", &auth.Error{Cause: down}),
			`error="auth: undecided: connection refused"`},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := logging(t, row.backend, speaking("Other", nil))
			wantStatus(t, get(g.Require()(whoami)), 503)
			if !strings.Contains(log.String(), row.log) {
				t.Errorf("log %q, want %q", log, row.log)
			}
		})
	}
	t.Run("a policy is told apart", func(t *testing.T) {
		g, log := logging(t, speaking("Token", nil))
		get(g.Require(func(*http.Request, auth.User, auth.Credential) error { return down })(whoami))
		if strings.Contains(log.String(), "the backend cannot decide") {
			t.Errorf("log %q", log)
		}
	})
}

func TestUnitAUserLoaderThatFailsIsNamed(t *testing.T) {
	down := errors.New("connection refused")
	for name, row := range map[string]struct {
		user auth.User
		err  error
		want string
	}{
		"an outage": {nil, down, "auth: user loader: connection refused"},
		"no user": {nil, nil, "user loader returned neither user nor error. Return auth.ErrUserNotFound for an " +
			"unknown user"},
		"no such row": {nil, errors.New("sql: no rows in result set"),
			"Return auth.ErrUserNotFound for an unknown user"},
	} {
		t.Run(name, func(t *testing.T) {
			load := auth.UserLoader(func(context.Context, string) (auth.User, error) { return row.user, row.err })
			_, err := load.Load(t.Context(), "alice")
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if row.err == down && (!errors.Is(err, down) || auth.KindOf(err) != nil) {
				t.Errorf("%v is not the outage any more", err)
			}
		})
	}
}

func TestUnitAPageThatIsAnsweredWithJSONIsSaidOnce(t *testing.T) {
	page := []string{"Sec-Fetch-Mode", "navigate"}
	for name, row := range map[string]struct {
		scheme string
		header []string
		render func(http.ResponseWriter, *http.Request, *auth.Problem)
		want   int // lines of the log
	}{
		"a browser that opens a page": {"Cookie", page, nil, 1},
		"a script of a page":          {"Cookie", []string{"Sec-Fetch-Mode", "cors"}, nil, 0},
		"a program":                   {"Cookie", nil, nil, 0},
		"with a token":                {"Cookie", append([]string{"Authorization", "Cookie x"}, page...), nil, 0},
		"a service without sessions":  {"Token", page, nil, 0},
		"where pages have a rendering": {"Cookie", page, func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
			auth.WriteProblem(w, p)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			g := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking(row.scheme, auth.ErrNoCredentials)},
				Render: row.render,
				Logger: slog.New(slog.NewTextHandler(&log, nil))})
			for range 3 {
				wantStatus(t, get(g.Require()(whoami), row.header...), 401)
			}
			if got := strings.Count(log.String(), "was answered with JSON"); got != row.want {
				t.Errorf("%d lines, want %d: %s", got, row.want, log.String())
			}
		})
	}
}

func TestUnitAPatternWithoutItsFirstSlash(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("DELETE /users/{id}", whoami)
	mux.Handle("GET shop.example/", whoami)
	for pattern, want := range map[string]string{
		"DELETE users/{id}":  `It is for the host "users". If that is a part of the path, a slash is missing before it`,
		"GET shop.example/x": `Such requests are served by "GET shop.example/"`,
		"DELETE /user/{id}":  "Is it misspelled?",
	} {
		t.Run(pattern, func(t *testing.T) {
			err := guardOf(t, tokens("Token")).Protect(mux, auth.Open(pattern)).Check()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}
