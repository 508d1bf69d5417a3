package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// purgeless is a throttle store that cannot purge.
type purgeless struct{ *password.MemoryThrottle }

func (purgeless) Purge(context.Context, time.Time, int) (int, error) {
	return 0, fmt.Errorf("%w: disk full", auth.ErrInvalid)
}

func TestUnitPurge(t *testing.T) {
	guess := func(t *testing.T, login *password.Authenticator, n int) {
		t.Helper()
		for i := range n {
			r := from(fmt.Sprintf("192.0.2.%d:1", i), fmt.Sprint("user", i), "wrong")
			if _, _, err := login.Authenticate(r); !errors.Is(err, auth.ErrInvalid) {
				t.Fatalf("got %v, want a refusal", err)
			}
		}
	}
	t.Run("counters leave once they expired, at most limit at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			login := newLogin(t, nil)
			guess(t, login, 3) // three counters each, for the name, the user and the address
			if n, err := login.Purge(t.Context(), 500); n != 0 || err != nil {
				t.Errorf("got %d, %v, want 0 before they expire", n, err)
			}
			time.Sleep(25 * time.Hour)
			for i, want := range []int{0, 4, 4, 1} {
				limit := 4
				if i == 0 {
					limit = 0 // for the store this would be no limit
				}
				if n, err := login.Purge(t.Context(), limit); n != want || err != nil {
					t.Errorf("batch %d: got %d, %v, want %d", i, n, err, want)
				}
			}
		})
	})
	t.Run("an authenticator that is not throttled has nothing to purge", func(t *testing.T) {
		login := newLogin(t, func(c *password.Config) { c.AllowUnthrottled = true })
		if n, err := login.Purge(t.Context(), 500); n != 0 || err != nil {
			t.Errorf("got %d, %v, want 0", n, err)
		}
	})
	t.Run("requests for mails leave their counters in the same way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			throttle, err := password.NewMailThrottle(password.MailThrottleConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if err := throttle.Count(httptest.NewRequest("POST", "/forgotten", nil), "alice"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(25 * time.Hour)
			for i, want := range []int{2, 0} {
				if n, err := throttle.Purge(t.Context(), 500); n != want || err != nil {
					t.Errorf("batch %d: got %d, %v, want %d", i, n, err, want)
				}
			}
		})
	})
	t.Run("a store that fails is an outage, whatever its error claims", func(t *testing.T) {
		login := newLogin(t, func(c *password.Config) { c.Throttle = purgeless{password.NewMemoryThrottle()} })
		if n, err := login.Purge(t.Context(), 500); n != 0 || err == nil || auth.KindOf(err) != nil {
			t.Errorf("got %d, %v, want an error without a kind", n, err)
		}
	})
}
