package password_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/password"
)

// strictOnce is a store of the strictest database: it answers a text that it cannot keep with an error.
type strictOnce struct{ password.OneTimeStore }

func (s strictOnce) Add(ctx context.Context, r *password.OneTimeRecord, limit int, now time.Time) error {
	if err := texttest.CheckStorable(r); err != nil {
		return err
	}
	return s.OneTimeStore.Add(ctx, r, limit, now)
}

func (s strictOnce) Find(ctx context.Context, digest string) (*password.OneTimeRecord, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, err
	}
	return s.OneTimeStore.Find(ctx, digest)
}

func (s strictOnce) RemoveUnused(ctx context.Context, userID string) (int, error) {
	if err := texttest.CheckStorable(userID); err != nil {
		return 0, err
	}
	return s.OneTimeStore.RemoveUnused(ctx, userID)
}

// strictThrottle is such a store of counters.
type strictThrottle struct{ password.ThrottleStore }

func (s strictThrottle) Update(ctx context.Context, keys []string, now time.Time,
	change func([]password.Counter)) error {
	if err := texttest.CheckStorable(keys); err != nil {
		return err
	}
	return s.ThrottleStore.Update(ctx, keys, now, change)
}

func TestUnitOddTextsOfOneTimeTokens(t *testing.T) {
	m := newMailroom(t, func(c *password.OneTimeConfig) {
		c.Store = strictOnce{c.Store}
		c.LoadUser = func(_ context.Context, id string) (auth.User, error) { return stamped{id, "1"}, nil }
	})
	texttest.Run(t, texttest.Unstorable, "as a UserID is an error of the application, and has no tokens",
		func(t *testing.T, id string) {
			if _, err := m.Issue(t.Context(), id, password.PurposeReset, ""); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("got %v from Issue, want auth.ErrInternal", err)
			}
			if n, err := m.RevokeAll(t.Context(), id); n != 0 || err != nil {
				t.Errorf("got %d, %v from RevokeAll, want none", n, err)
			}
		})
	texttest.Run(t, texttest.Unstorable, "as what a token is about is malformed", func(t *testing.T, about string) {
		_, err := m.Issue(t.Context(), "alice", password.PurposeReset, about)
		if auth.KindOf(err) != auth.ErrMalformed {
			t.Errorf("got %v, want auth.ErrMalformed", err)
		}
	})
	texttest.Run(t, texttest.Unstorable, "as a token is invalid", func(t *testing.T, token string) {
		if _, _, err := m.Redeem(t.Context(), password.PurposeReset, token); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, want auth.ErrInvalid", err)
		}
	})
}

func TestUnitOddTextsOfLogins(t *testing.T) {
	asked := 0
	passwords := newLogin(t, func(c *password.Config) {
		c.Throttle = strictThrottle{password.NewMemoryThrottle()}
		c.Account = func(context.Context, string) (auth.User, string, error) {
			asked++
			return nil, "", auth.ErrUserNotFound
		}
	})
	texttest.Run(t, texttest.Unstorable, "as a username is malformed, and Account is not asked",
		func(t *testing.T, name string) {
			_, err := passwords.Check(httptest.NewRequest("POST", "/", nil), name, "open sesame")
			if auth.KindOf(err) != auth.ErrMalformed || asked != 0 {
				t.Errorf("got %v, and Account was asked %d times, want auth.ErrMalformed", err, asked)
			}
		})
	t.Run("a username of 255 bytes is counted in any script", func(t *testing.T) {
		for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("\U0001f512", 63), "Zo\u00eb",
			"Zoe\u0308"} {
			if _, err := passwords.Check(httptest.NewRequest("POST", "/", nil), name,
				"open sesame"); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("got %v for %q, want auth.ErrInvalid", err, name)
			}
		}
	})
}
