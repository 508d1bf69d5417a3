package knox_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// limited is a token that a decorator limits to one scope of its own.
type limited struct{ auth.Credential }

func (l limited) Unwrap() auth.Credential { return l.Credential }
func (limited) Scopes() ([]string, bool)  { return []string{"other"}, true }

// What a decorator refuses or limits, the handlers of knox refuse and limit, too.
func TestHandlersAskTheDecoratorOfTheGuard(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Issue.AllowFromToken = true })
	decorated := auth.Wrap(s.tokens, func(r *http.Request) (auth.User, auth.Credential, error) {
		u, c, err := s.tokens.Authenticate(r)
		if err == nil && u.UserID() == "alice" {
			return nil, nil, auth.ErrInvalid
		}
		return u, limited{c}, err
	})
	basic := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrNoCredentials
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{decorated}, Login: []auth.Authenticator{basic},
		Challenges: []auth.Challenge{{Scheme: "Token"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	s.handler = mux
	alice, bob := issue(t, s, "alice"), issue(t, s, "bob")
	for _, endpoint := range [][2]string{{"GET", "/auth/tokens/"}, {"GET", "/auth/tokens/ended/"},
		{"POST", "/auth/tokens/"}, {"POST", "/auth/logoutall/"},
		{"DELETE", "/auth/tokens/" + alice.ID() + "/"}, {"POST", "/auth/logout/"}} {
		body := ""
		if endpoint[1] == "/auth/tokens/" && endpoint[0] == "POST" {
			body = `{"name":"x","scopes":["files:write"]}`
		}
		if a := s.do(endpoint[0], endpoint[1], "Token "+alice.Secret.Reveal(), body); a.status != 401 {
			t.Errorf("alice: %v: %d %s, want 401", endpoint, a.status, a.text)
		}
		if endpoint[1] == "/auth/logout/" {
			continue
		}
		if a := s.do(endpoint[0], endpoint[1], "Token "+bob.Secret.Reveal(), body); a.status != 403 {
			t.Errorf("bob, limited: %v: %d %s, want 403", endpoint, a.status, a.text)
		}
	}
	if rows := len(s.rows("alice")) + len(s.rows("bob")); rows != 2 {
		t.Errorf("%d tokens are left, want 2", rows)
	}
	if a := s.do("POST", "/auth/logout/", "Token "+bob.Secret.Reveal(), ""); a.status != 204 ||
		len(s.rows("bob")) != 0 {
		t.Errorf("bob, logout: %d %s", a.status, a.text)
	}
}

func issue(t *testing.T, s *service, userID string) *knox.Issued {
	t.Helper()
	issued, err := s.tokens.Issue(t.Context(), userID, knox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// A refusal names the challenges of the endpoint that refuses: a token cannot be
// ended by Basic where Basic is no way to end it.
func TestRefusalsHaveTheChallengesOfTheirEndpoint(t *testing.T) {
	s := start(t, nil)
	token := s.login("alice")
	a := s.do("POST", "/auth/logout/", "Basic "+"x", "")
	if got := a.header.Values("WWW-Authenticate"); len(got) == 0 {
		t.Fatalf("no challenge: %d %s", a.status, a.text)
	}
	for _, challenge := range a.header.Values("WWW-Authenticate") {
		if challenge[:5] == "Basic" {
			t.Errorf("logout has the challenge %s", challenge)
		}
	}
	if vary := s.do("DELETE", "/auth/tokens/unknown/", "Token "+token, "").header.Values("Vary"); len(vary) != 1 ||
		vary[0] != "Authorization" {
		t.Errorf("Vary: %q", vary)
	}
}
