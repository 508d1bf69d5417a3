package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

func TestAPreflightReachesNoHandler(t *testing.T) {
	s := newService(t, session.Config{})
	for _, path := range []string{"/session/login", "/session/logout", "/session/logoutall", "/session/sessions",
		"/session/sessions/x"} {
		answer := s.do("OPTIONS", path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
		if answer.StatusCode != 204 || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
	}
}

func TestALogoutThatAReplacementOvertookEndsTheSuccessor(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	w := httptest.NewRecorder()
	if err := s.Renew(w, withCookie(cookie)); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Logout(httptest.NewRecorder(), withCookie(cookie)); !found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	s.want(401, "", s.do("GET", "/me", "", "Cookie", cookieOf(t, w.Result())))
}

func TestEndingAllOthersTwiceAtOnceKeepsTheOneInUse(t *testing.T) {
	for sentence, stamps := range map[string][2]string{
		"the same button":              {"a1", "a1"},
		"and a change of the password": {"a1", "a2"},
	} {
		s := newService(t, session.Config{})
		mine, other := s.login("alice"), s.login("alice")
		var last *http.Response
		s.guard.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for _, stamp := range stamps {
				user := &person{"alice", stamp}
				s.set("alice", user, nil)
				w := httptest.NewRecorder()
				if err := s.RevokeOthers(w, r, user); err != nil {
					t.Errorf("%s: %v", sentence, err)
				}
				if answer := w.Result(); answer.Header["Set-Cookie"] != nil {
					last = answer
				}
			}
		})).ServeHTTP(httptest.NewRecorder(), withCookie(mine))
		if last == nil {
			t.Fatalf("%s: no cookie", sentence)
		}
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookieOf(t, last)))
		s.want(401, "", s.do("GET", "/me", "", "Cookie", other))
	}
}

func TestASessionStartsNoOtherOne(t *testing.T) {
	s := newService(t, session.Config{Remember: monthly})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{bearer{}, s.Sessions},
		Challenges: []auth.Challenge{{Scheme: "X"}},
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(s.Sessions.Authenticate)}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := withCookie(s.login("alice"))
	r.Method = "POST"
	if handlers.Login.ServeHTTP(w, r); w.Code != 403 || w.Result().Header["Set-Cookie"] != nil {
		t.Errorf("got %d %v, want 403 and no cookie", w.Code, w.Result().Header)
	}
}

func TestMarkupAndControlsInAFlashFitToo(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := answerOf(t, "", func(w http.ResponseWriter, r *http.Request) {
		s.AddFlash(w, r, "first")
		s.AddFlash(w, r, strings.Repeat("<", 900))
		s.AddFlash(w, r, strings.Repeat("\x01", 900)+"last")
	})
	answerOf(t, cookie, func(w http.ResponseWriter, r *http.Request) {
		if got := s.Flashes(w, r); len(got) != 3 || got[0] != "first" || got[2] != "last" {
			t.Errorf("%d flashes: %.20q", len(got), got)
		}
	})
}
