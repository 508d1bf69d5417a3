package password_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func TestRequestsForMailsAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := password.NewMemoryThrottle()
		throttle, err := password.NewMailThrottle(password.MailThrottleConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(addr, account string) time.Duration {
			t.Helper()
			r := httptest.NewRequest("POST", "/forgotten", nil)
			r.RemoteAddr = addr
			err := throttle.Count(r, account)
			if err != nil && !errors.Is(err, auth.ErrThrottled) {
				t.Fatal(err)
			}
			return wait(err)
		}
		for i := range 3 {
			if d := ask(fmt.Sprintf("192.0.2.%d:1", i), "alice@example.org"); d != 0 {
				t.Errorf("request %d waits %v", i, d)
			}
		}
		for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			if d := ask("192.0.2.9:1", " Alice@Example.ORG"); d != want {
				t.Errorf("another spelling from elsewhere waits %v, want %v", d, want)
			}
			time.Sleep(want)
			if d := ask("192.0.2.9:1", "alice@example.org"); d != 0 {
				t.Errorf("after its time it waits %v", d)
			}
		}
		if d := ask("192.0.2.9:1", "bob@example.org"); d != 0 {
			t.Errorf("another account waits %v", d)
		}
		for i := range 20 {
			ask("198.51.100.7:1", fmt.Sprint(i))
		}
		if d := ask("198.51.100.7:1", "new"); d != time.Minute {
			t.Errorf("an address that asks for everybody waits %v", d)
		}
		for range 20 {
			ask("203.0.113.1:1", "alice")
		}
		login := newLogin(t, func(c *password.Config) { c.Throttle = store })
		if _, _, err := login.Authenticate(from("198.51.100.7:1", "alice", "password")); err != nil {
			t.Errorf("a login is held up by requests for mails: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		throttle, err := password.NewMailThrottle(password.MailThrottleConfig{})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/forgotten", nil)
		for range 20 { // the longest delay is an hour
			if err := throttle.Count(r, "alice"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if err := throttle.Count(r, "alice"); err != nil {
			t.Fatal(err)
		}
		if d := wait(throttle.Count(r, "alice")); d != time.Hour {
			t.Errorf("at last it waits %v", d)
		}
		time.Sleep(24*time.Hour - time.Second) // nearly a day after the last
		if err := throttle.Count(r, "alice"); err != nil {
			t.Fatal(err)
		}
		if d := wait(throttle.Count(r, "alice")); d != time.Hour {
			t.Errorf("before a day is over it waits %v", d)
		}
		time.Sleep(24 * time.Hour)
		for range 3 {
			if err := throttle.Count(r, "alice"); err != nil {
				t.Errorf("after a day: %v", err)
			}
		}
	})
	if _, err := password.NewMailThrottle(
		password.MailThrottleConfig{Limits: password.Limits{Forget: time.Minute}}); err == nil {
		t.Error("forgets too early: no error")
	}
}
