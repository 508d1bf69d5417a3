package server_test

import (
	"strings"
	"testing"
	"time"
)

// A browser repeats HTTP Basic with every request, and a proxy vouches for everybody:
// both seem to have signed in right now, and both have no session.

func TestWhoHasNoSessionIsAskedToSignInAgain(t *testing.T) {
	s := newService(t, nil)
	s.as("alice").code()
	basic := s.asOf("alice", "", time.Now().Add(time.Second))
	for _, parameter := range [][]string{{"prompt", "login"}, {"prompt", "select_account"}, {"max_age", "60"},
		{"max_age", "0"}} {
		s.logins = nil
		if a := basic.authorize(parameter...); a.StatusCode != 303 || len(s.logins) != 1 || !s.logins[0].Fresh {
			t.Fatalf("%v: %d %s, %d sign-ins", parameter, a.StatusCode, a.Header.Get("Location"), len(s.logins))
		}
		after := append([]string{"prompt", "none"}, parameter...)
		if parameter[0] == "max_age" {
			sent(t, s, "without a page", basic.authorize(after...), "login_required")
		}
		sent(t, s, "come back as before", basic.do("GET", s.logins[0].ReturnTo, ""), "login_required")
	}
	if a := basic.authorize(); a.location("code") == "" {
		t.Errorf("not asked for a new login: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
}

func TestASignOutIsConfirmedWhereThereIsNoSession(t *testing.T) {
	s := newService(t, nil)
	basic := s.asOf("alice", "", time.Now())
	hint := s.redeem(basic.code("scope", "openid read")).text("id_token")
	if hint == "" {
		t.Fatal("no ID token")
	}
	a := basic.do("GET", "/o/logout/?id_token_hint="+hint, "")
	if a.StatusCode != 200 || !strings.Contains(a.body, "Sign out of") || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
}
