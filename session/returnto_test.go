package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

func TestUnitBeforeLoginKnowsWhereTheLoginLeads(t *testing.T) {
	var seen string
	s := newService(t, session.Config{BeforeLogin: func(_ *http.Request, _ auth.User, o *session.Options) error {
		seen, o.AuthInfo.ACR = o.ReturnTo, "1"
		return nil
	}})
	cookie := "__Host-session-notes=" + s.Seal("/page?q=1", time.Now().Add(time.Minute))
	for sentence, row := range map[string]struct{ body, cookie, want string }{
		"to the next of the form": {form("next", "/o/authorize/?interaction=x"), "",
			"/o/authorize/?interaction=x"},
		"to the next rather than to the kept page":  {form("next", "/devices"), cookie, "/devices"},
		"to the page that RedirectToLogin has kept": {"", cookie, "/page?q=1"},
		"to the root if nothing is asked for":       {"", "", "/"},
		"to the root if the next is elsewhere":      {form("next", "https://evil.example/"), "", "/"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen = ""
			answer := s.do("POST", "/session/login", row.body, "X-Login", "alice", "Cookie", row.cookie)
			if seen != row.want || answer.Header.Get("Location") != row.want {
				t.Errorf("want %q, got %q and Location %q", row.want, seen, answer.Header.Get("Location"))
			}
		})
	}
}
