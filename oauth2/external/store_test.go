package external_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

// countdown is a store of which one call fails: before it does anything, or after.
type countdown struct {
	external.Store
	left  int // calls until the one that fails; that is never if negative
	after bool
}

// call runs a call of the store, and fails it if it is its turn.
func (c *countdown) call(run func() error) error {
	c.left--
	switch {
	case c.left != 0:
		return run()
	case c.after:
		_ = run()
	}
	return errDown
}

func (c *countdown) Identity(ctx context.Context, issuer, subject string) (i *external.Identity, err error) {
	err = c.call(func() error { i, err = c.Store.Identity(ctx, issuer, subject); return err })
	return i, err
}

func (c *countdown) Identities(ctx context.Context, userID string) (all []*external.Identity, err error) {
	err = c.call(func() error { all, err = c.Store.Identities(ctx, userID); return err })
	return all, err
}

func (c *countdown) Link(ctx context.Context, i *external.Identity) (owner string, linked bool, err error) {
	err = c.call(func() error { owner, linked, err = c.Store.Link(ctx, i); return err })
	return owner, linked, err
}

func (c *countdown) LinkFirst(ctx context.Context, i *external.Identity) (owner string, linked bool, err error) {
	err = c.call(func() error { owner, linked, err = c.Store.LinkFirst(ctx, i); return err })
	return owner, linked, err
}

func (c *countdown) Touch(ctx context.Context, i *external.Identity) error {
	return c.call(func() error { return c.Store.Touch(ctx, i) })
}

func (c *countdown) Reserve(ctx context.Context, r *external.Reservation, now time.Time) (id, owner string, err error) {
	err = c.call(func() error { id, owner, err = c.Store.Reserve(ctx, r, now); return err })
	return id, owner, err
}

func (c *countdown) Confirm(ctx context.Context, id string, i *external.Identity, now time.Time) (owner string,
	linked bool, err error) {
	err = c.call(func() error { owner, linked, err = c.Store.Confirm(ctx, id, i, now); return err })
	return owner, linked, err
}

func (c *countdown) PutOnce(ctx context.Context, key string, expires, now time.Time) (fresh bool, err error) {
	err = c.call(func() error { fresh, err = c.Store.PutOnce(ctx, key, expires, now); return err })
	return fresh, err
}

func (c *countdown) AddCode(ctx context.Context, code *external.Code) error {
	return c.call(func() error { return c.Store.AddCode(ctx, code) })
}

func (c *countdown) TakeCode(ctx context.Context, digest string, now time.Time) (code *external.Code, err error) {
	err = c.call(func() error { code, err = c.Store.TakeCode(ctx, digest, now); return err })
	return code, err
}

// everyCall runs a flow with each of its calls of the store failing in turn, and then once without a failure.
func everyCall(t *testing.T, configure func(*app, *external.Config), flow func(a *app) error,
	check func(a *app, how string)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			store := &countdown{left: -1, after: after}
			a := newApp(t, func(a *app, c *external.Config) {
				store.Store = c.Store
				c.Store = store
				if configure != nil {
					configure(a, c)
				}
			})
			how := fmt.Sprintf("call %d, after it %v", n, after)
			store.left = n
			err := flow(a)
			failed := store.left <= 0
			store.left = -1
			if err != nil && auth.KindOf(err) != nil {
				t.Errorf("%s: got %v, want an outage", how, err)
			}
			if again := flow(a); again != nil {
				t.Errorf("%s: then got %v, want a login", how, again)
			}
			check(a, how)
			if !failed {
				break
			}
			if n > 40 {
				t.Fatal("no end")
			}
		}
	}
}

// outcome returns nil if a page is that of a login, and an outage if it is that of one.
func outcome(p page) error {
	switch {
	case p.status == 200:
		return nil
	case p.status == 503 && p.reason() == "temporarily_unavailable":
		return errDown
	}
	return auth.ErrInvalid
}

func TestUnitAStoreThatFailsAtAnyCall(t *testing.T) {
	browse := func(a *app) error { return outcome(a.browser().visit("/login/acme/")) }
	found := func(a *app, c *external.Config) {
		acme := a.acme()
		acme.Domains = []string{"example.com"}
		c.Providers = []external.Provider{acme}
		c.Accounts.ByEmail = func(context.Context, string) (external.Account, error) {
			return external.Account{User: a.users["alice"], Verified: true}, nil
		}
	}
	linkedOnce := func(a *app, how string) {
		if got := a.identities("alice"); !slices.Equal(got, []string{"1"}) || len(a.identities("bob")) != 0 {
			t.Errorf("%s: alice has the identities %q, want one", how, got)
		}
	}
	t.Run("leaves one account of a new person, which the next login finds", func(t *testing.T) {
		byID := func(a *app, c *external.Config) {
			c.Accounts.NewUser = func(_ context.Context, _ *external.Profile, id string) (auth.User, error) {
				return a.add("user-" + id), nil
			}
		}
		everyCall(t, byID, browse, func(a *app, how string) {
			made := 0
			for name := range a.users {
				if strings.HasPrefix(name, "user-") {
					made++
					if got := a.identities(name); !slices.Equal(got, []string{"1"}) {
						t.Errorf("%s: %s has the identities %q", how, name, got)
					}
				}
			}
			if made != 1 {
				t.Errorf("%s: got %d accounts, want 1", how, made)
			}
		})
	})
	t.Run("leaves an account that an address finds with one identity", func(t *testing.T) {
		everyCall(t, found, browse, linkedOnce)
	})
	t.Run("leaves an app that comes back with a code as it was", func(t *testing.T) {
		everyCall(t, func(a *app, c *external.Config) { found(a, c); withApp(a, c) }, func(a *app) error {
			b := a.browser()
			answer := mustURL(b.next(b.away(appStart)).location).Query()
			if answer.Get("error") == "temporarily_unavailable" {
				return errDown
			}
			_, credential, err := a.redeem(answer.Get("login_code"), verifier)
			if err != nil {
				return err
			}
			return credential.(*external.Credential).Finish(t.Context())
		}, linkedOnce)
	})
	t.Run("leaves a link as it was, or made", func(t *testing.T) {
		everyCall(t, nil, func(a *app) error {
			b := a.browser().signedInAs("alice")
			return outcome(b.follow(b.do("POST", "/login/acme/link/", nil)))
		}, linkedOnce)
	})
	t.Run("leaves a pending link to be begun again", func(t *testing.T) {
		pending := ""
		everyCall(t, func(a *app, c *external.Config) {
			found(a, c)
			c.SignIn = func(_ http.ResponseWriter, _ *http.Request, _ auth.User, login *external.Credential) error {
				pending = login.PendingLink() // and the answer is a page that asks for a second factor
				return external.ErrAnswered
			}
		}, func(a *app) error {
			if err := outcome(a.browser().visit("/login/acme/")); err != nil {
				return err
			}
			return a.logins.CompleteLink(t.Context(), a.users["alice"], pending)
		}, linkedOnce)
	})
}
