package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// TestUnitAnOutageLosesNoPage lets each call of the store fail in turn while a form is sent, and sends the form again.
func TestUnitAnOutageLosesNoPage(t *testing.T) {
	const consent, logout = "/o/authorize/", "/o/logout/"
	for name, row := range map[string]struct {
		path, button string
		status       int
		good         func(a answer) bool
	}{
		"allowing": {consent, "allow", 303, func(a answer) bool { return a.location("code") != "" }},
		"denying":  {consent, "deny", 303, func(a answer) bool { return a.location("error") == "access_denied" }},
		"signing out": {logout, "allow", 200, func(a answer) bool {
			return strings.Contains(a.Header.Get("Set-Cookie"), "login=")
		}},
		"staying": {logout, "deny", 200, func(a answer) bool {
			return strings.Contains(a.body, "You are still signed in.")
		}},
	} {
		t.Run(name+" is possible after each outage", func(t *testing.T) {
			broken := &failing{}
			s := newService(t, func(c *server.Config) { broken.Store = c.Store; c.Store = broken })
			alice := s.as("alice")
			for nth := int32(1); ; nth++ {
				page := alice.do("GET", row.path, "")
				if row.path == consent {
					page = alice.authorize("prompt", "consent")
				}
				form := with(fields(page.body), row.button, "1").Encode()
				broken.fail(nth)
				a := alice.do("POST", row.path, form)
				called := broken.calls.Load()
				broken.fail(0)
				if called < nth {
					if a.StatusCode != row.status || !row.good(a) {
						t.Errorf("got %d %v without an outage", a.StatusCode, a.Header)
					}
					break
				}
				if a.StatusCode != 503 || a.Header.Get("Location") != "" {
					t.Errorf("got %d %v while call %d fails, want a page that says so", a.StatusCode, a.Header, nth)
				}
				if a := alice.do("POST", row.path, form); a.StatusCode != row.status || !row.good(a) {
					t.Errorf("got %d %v %s after call %d failed", a.StatusCode, a.Header, a.body, nth)
				}
			}
		})
	}
}

// late is a store where the answer to an approval is lost, though it was made.
type late struct{ server.Store }

func (l late) Approve(ctx context.Context, a server.Approval) (server.Added, error) {
	if _, err := l.Store.Approve(ctx, a); err != nil {
		return server.Added{}, err
	}
	return server.Added{}, errBroken
}

func TestUnitAnAnswerWhoseOutcomeIsLostIsNotGivenTwice(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Store = late{c.Store} })
	alice := s.as("alice")
	form := with(fields(alice.authorize().body), "allow", "1").Encode()
	if a := alice.do("POST", "/o/authorize/", form); a.StatusCode != 503 {
		t.Errorf("got %d, want 503", a.StatusCode)
	}
	if a := alice.do("POST", "/o/authorize/", form); a.StatusCode != 403 {
		t.Errorf("got %d the second time, want 403", a.StatusCode)
	}
	live, err := s.config.Store.Grants(t.Context(), "alice", "", 9, time.Now())
	if err != nil || len(live) != 1 {
		t.Errorf("got %d grants, %v, want the one whose code was lost", len(live), err)
	}
}
