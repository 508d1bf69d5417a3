package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// A cookie that is no good counts as absent and is cleared. Why is for the log.
func TestWhyACookieIsStale(t *testing.T) {
	for _, row := range []struct {
		sentence string
		spoil    func(people *people, s *session.Sessions, value string) string
		cause    string // "ID" is the identifier of the session
	}{
		{"garbage", func(_ *people, _ *session.Sessions, value string) string { return value + "x" },
			"the cookie's value is not one that SignIn makes"},
		{"twice", func(_ *people, _ *session.Sessions, value string) string {
			return value + "; __Host-session=" + value
		},
			"the cookie came twice"},
		{"ended", func(_ *people, s *session.Sessions, value string) string {
			_, _ = s.RevokeAll(t.Context(), "alice")
			return value
		}, "the store has no such session: it was ended"},
		{"expired", func(_ *people, _ *session.Sessions, value string) string {
			time.Sleep(time.Hour)
			return value
		}, "session ID of user alice: has expired"},
		{"another stamp", func(p *people, _ *session.Sessions, value string) string { p.stamp = "new"; return value },
			"session ID of user alice: began before the user's AuthStamp changed"},
		{"inactive", func(p *people, _ *session.Sessions, value string) string {
			p.fault = auth.ErrUserInactive
			return value
		},
			"session ID of user alice: auth: invalid credential: User inactive or deleted."},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &people{}
				s, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: p.load})
				if err != nil {
					t.Fatal(err)
				}
				w := httptest.NewRecorder()
				started, err := s.SignIn(w, httptest.NewRequest("POST", "https://app.example/", nil),
					&person{"alice", ""}, session.Options{})
				if err != nil {
					t.Fatal(err)
				}
				value := row.spoil(p, s, w.Result().Cookies()[0].Value)
				r := httptest.NewRequest("GET", "https://app.example/", nil)
				r.Header.Set("Cookie", "__Host-session="+value)
				_, _, err = s.Authenticate(r)
				want := strings.ReplaceAll(row.cause, "ID", started.ID())
				if auth.KindOf(err) != auth.ErrNoCredentials || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want no credentials and %q", err, want)
				}
				if strings.Contains(err.Error(), value) {
					t.Errorf("the cookie is in %v", err)
				}
				h := http.Header{}
				var setter auth.HeaderSetter
				if !errors.As(err, &setter) {
					t.Fatalf("%T clears no cookie", err)
				}
				if setter.SetHeaders(h); !strings.Contains(h.Get("Set-Cookie"), "__Host-session=;") {
					t.Errorf("not cleared: %v", h)
				}
			})
		})
	}
}

// people is a directory of one user that can be changed.
type people struct {
	stamp string
	fault error
}

func (p *people) load(_ context.Context, id string) (auth.User, error) {
	return &person{id, p.stamp}, p.fault
}
