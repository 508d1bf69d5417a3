package session_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// What a decorator refuses, the handlers of session refuse, too.
func TestHandlersAskTheDecoratorOfTheGuard(t *testing.T) {
	s := newService(t, session.Config{})
	alice, bob := s.login("alice"), s.login("bob")
	decorated := auth.Wrap(s.Sessions, func(r *http.Request) (auth.User, auth.Credential, error) {
		u, c, err := s.Sessions.Authenticate(r)
		if err == nil && u.UserID() == "alice" {
			return nil, nil, auth.ErrInvalid
		}
		return u, c, err
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{decorated},
		Login: []auth.Authenticator{bearer{}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	s.handler = mux
	for _, endpoint := range [][2]string{{"GET", "/session/sessions"}, {"DELETE", "/session/sessions"},
		{"POST", "/session/logoutall"}} {
		if answer := s.do(endpoint[0], endpoint[1], "", "Cookie", alice); answer.StatusCode != 401 {
			t.Errorf("alice: %v: %s, want 401", endpoint, answer.Status)
		}
		if endpoint[1] == "/session/logoutall" {
			continue // bob's session has a new cookie by now
		}
		if answer := s.do(endpoint[0], endpoint[1], "", "Cookie", bob); answer.StatusCode >= 400 {
			t.Errorf("bob: %v: %s %s", endpoint, answer.Status, text(answer))
		}
	}
}
