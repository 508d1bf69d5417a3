package header_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// numbered is a user with an identifier that is not the name in the header.
type numbered string

func (n numbered) UserID() string { return string(n) }

func TestUnitAHeaderUserThatIsForgottenByTheUserIDIsLoadedAgain(t *testing.T) {
	off := false
	users := auth.CacheUsers(func(context.Context, string) (auth.User, error) {
		if off {
			return nil, auth.ErrUserInactive
		}
		return numbered("42"), nil
	}, auth.UserCache{TTL: time.Hour})
	h, err := header.New(header.Config{Header: "X-Remote-User", LoadUser: users.Load,
		Trust: header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Remote-User", "alice@example.com")
	u, _, err := h.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	off = true
	users.Forget(u.UserID())
	if _, _, err := h.Authenticate(r); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("got %v, want that the disabled user is out", err)
	}
}
