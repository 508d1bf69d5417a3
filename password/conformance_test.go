package password_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/password"
)

// presenting returns requests by HTTP Basic.
func presenting(username, password string) authtest.Request {
	return func() *http.Request { return byBasic(username, password) }
}

func TestUnitAuthenticatorKeepsTheContractOfABackend(t *testing.T) {
	account := func(ctx context.Context, username string) (auth.User, string, error) {
		if username == "lost" {
			return nil, "", errors.New("the database is down")
		}
		return find(ctx, username)
	}
	unthrottled := newLogin(t, func(c *password.Config) { c.AllowUnthrottled, c.Account = true, account })
	body := func(contentType, text string) authtest.Request {
		return func() *http.Request { return post(contentType, text) }
	}
	authtest.Backend(t, unthrottled, authtest.Cases{
		Good: []authtest.Good{
			{Request: presenting("alice", "password"), User: "alice"},
			{Request: body(typeJSON, `{"username": "alice", "password": "password"}`), User: "alice"},
			{Request: body(typeForm, "username=alice&password=password"), User: "alice"},
		},
		Absent: []authtest.Request{authtest.RequestWith("Authorization", "Bearer abc"), body(typeJSON, `{}`),
			body("text/plain", "")},
		Invalid: []authtest.Request{presenting("alice", "wrong"), presenting("carol", "password"),
			body(typeJSON, `{"username": "gone", "password": "wrong"}`)},
		Malformed: []authtest.Request{presenting("alice\x00", "password"), body(typeJSON, `{"username": "alice"}`)},
		Outage:    []authtest.Request{presenting("lost", "password")},
	})
}

func TestUnitAThrottledAuthenticatorKeepsTheContractOfABackend(t *testing.T) {
	// Tries that are under way count too, so some of alice's must be free.
	const free = 500
	throttled := newLogin(t, func(c *password.Config) {
		c.Limits = password.Limits{AccountFree: free, AddressFree: 10_000, FirstDelay: 10 * time.Minute}
	})
	tried := presenting("mallory", "wrong")
	for range free {
		if _, _, err := throttled.Authenticate(tried()); auth.KindOf(err) != auth.ErrInvalid {
			t.Fatalf("want ErrInvalid for the first %d tries, got %v", free, err)
		}
	}
	authtest.Backend(t, throttled, authtest.Cases{
		Good:      []authtest.Good{{Request: presenting("alice", "password"), User: "alice"}},
		Throttled: []authtest.Request{tried},
	})
}
