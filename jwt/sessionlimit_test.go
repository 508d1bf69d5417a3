package jwt_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitLoginsThatAStampEndedDoNotCountAgainstTheLimit(t *testing.T) {
	for name, evict := range map[string]bool{"one more is refused": false, "the oldest is evicted": true} {
		t.Run(name, func(t *testing.T) {
			tokens, people, events := newTokens(t, func(c *jwt.Config) { c.Limit, c.EvictOldest = 2, evict })
			issue := func(want error) *jwt.Pair {
				t.Helper()
				pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
				if !errors.Is(err, want) {
					t.Fatalf("%v, want %v", err, want)
				}
				return pair
			}
			issue(nil)
			issue(nil)
			people.change(func() { people.stamps["alice"] = "a2" })
			first, second := issue(nil), issue(nil)
			for _, pair := range []*jwt.Pair{first, second} {
				if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
					t.Errorf("a login after the change: %v", err)
				}
			}
			if n := events.count(auth.EventRevoked); n != 2 {
				t.Errorf("%d logins were revoked, want the two from before the change", n)
			}
			if !evict {
				issue(jwt.ErrLimit)
			}
		})
	}
}

// unlisted is a store that cannot list.
type unlisted struct{ jwt.Store }

func (unlisted) List(context.Context, string, string, int, time.Time) ([]*jwt.Session, error) {
	return nil, errDown
}

func TestUnitALimitIsAnOutageWhereLoginsCannotBeListed(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Limit, c.Store = 1, unlisted{jwt.NewMemoryStore()} })
	if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); !errors.Is(err, errDown) ||
		auth.KindOf(err) != nil {
		t.Errorf("%v, want an outage", err)
	}
}

func TestUnitALoginIsNotEndedForAUserOfBeforeTheChange(t *testing.T) {
	tokens, people, events := newTokens(t, func(c *jwt.Config) { c.Limit = 2 })
	stamp := func(stamp string) { people.change(func() { people.stamps["alice"] = stamp }) }
	var last *jwt.Pair
	for _, each := range []string{"a1", "a2"} {
		stamp(each)
		var err error
		if last, err = tokens.Issue(t.Context(), "alice", jwt.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	stamp("a1") // as a replica that lags returns it
	if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); !errors.Is(err, jwt.ErrLimit) {
		t.Errorf("got %v, want ErrLimit", err)
	}
	stamp("a2")
	if _, err := tokens.Refresh(t.Context(), last.Refresh.Reveal()); err != nil {
		t.Errorf("got %v for the newest login, want it refreshed", err)
	}
	if n := events.count(auth.EventRevoked); n != 0 {
		t.Errorf("got %d logins ended, want none", n)
	}
}
