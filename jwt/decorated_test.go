package jwt_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth"
)

// What a decorator refuses, the handlers of jwt refuse, too.
func TestHandlersAskTheDecoratorOfTheGuard(t *testing.T) {
	s := newService(t, nil)
	alice, _ := s.obtain("alice")
	decorated := auth.Wrap(s.tokens, func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrInvalid
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{decorated},
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(s.people.passwords)},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/api/token")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	old := s.url
	s.url = server.URL
	if got := s.do("POST", "/api/token/logoutall/", "", "Authorization", "Bearer "+alice); got.status != 401 {
		t.Errorf("logoutall: %d %s, want 401", got.status, got.text)
	}
	s.url = old
	if got := s.me(alice); got.status != 200 {
		t.Errorf("the token has ended: %d %s", got.status, got.text)
	}
}
