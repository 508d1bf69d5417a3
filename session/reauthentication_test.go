package session_test

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// visitor is a person at a browser, with pages that lead to a login.
type visitor struct {
	s       *service
	pages   http.Handler
	cookies map[string]string
}

// newVisitor returns a visitor of pages that this policy guards.
func newVisitor(t *testing.T, policy auth.Policy) *visitor {
	t.Helper()
	s := newService(t, session.Config{})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.Sessions},
		Render: s.RedirectToLogin("/session/login", nil), Logger: slog.New(slog.NewTextHandler(s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{s: s, pages: guard.Require(policy)(http.HandlerFunc(whoami)), cookies: make(map[string]string)}
	s.handler.(*http.ServeMux).Handle("/danger", v.pages)
	return v
}

// send keeps the cookies of the answer, and returns its status.
func (v *visitor) send(method, path string, headers ...string) int {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(v.cookies)) {
		all = append(all, name+"="+v.cookies[name])
	}
	headers = append(headers, "Cookie", strings.Join(all, "; "), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site",
		"same-origin")
	answer := v.s.do(method, path, "", headers...)
	for _, c := range answer.Cookies() {
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return answer.StatusCode
}

// login logs in by a provider that does, or does not, tell when its user logged in.
func (v *visitor) login(told string) {
	v.s.t.Helper()
	if status := v.send("POST", "/session/login", "X-Login", "alice", "X-Login-Time", told); status != 303 {
		v.s.t.Fatalf("want a login, got %d", status)
	}
}

func (v *visitor) wantDanger(want ...int) {
	v.s.t.Helper()
	for i, each := range want {
		if status := v.send("GET", "/danger"); status != each {
			v.s.t.Fatalf("visit %d: want %d, got %d", i+1, each, status)
		}
	}
}

func TestUnitALoginThatCannotHelpIsAskedForOnce(t *testing.T) {
	t.Run("a login of an unknown time ends the way round, and another visit may try another login", func(t *testing.T) {
		v := newVisitor(t, auth.Fresh(time.Hour))
		v.wantDanger(303)
		v.login("unknown")
		v.wantDanger(303)
		v.login("unknown")
		v.wantDanger(401, 303)
		if log := v.s.log.String(); !strings.Contains(log, "Config.Accounts.AllowAssumedAuthTime") {
			t.Errorf("the log does not name the setting: %s", log)
		}
		v.login("")
		v.wantDanger(200)
	})
	t.Run("a user who goes back without a login is sent there again", func(t *testing.T) {
		v := newVisitor(t, auth.Fresh(time.Hour))
		v.login("unknown")
		v.wantDanger(303, 303)
	})
	t.Run("a page that asks for a second factor right after the login leads to it", func(t *testing.T) {
		v := newVisitor(t, auth.Fresh(time.Hour, "mfa"))
		v.wantDanger(303)
		v.login("")
		v.wantDanger(303)
	})
	t.Run("a session that has become too old meanwhile leads to a login", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := newVisitor(t, auth.Fresh(2*time.Minute))
			v.login("")
			time.Sleep(3 * time.Minute) // of the bubble
			v.wantDanger(303)
			v.login("")
			v.wantDanger(200)
			time.Sleep(3 * time.Minute)
			v.wantDanger(303)
			v.login("")
			v.wantDanger(200)
		})
	})
}
