package external_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitRemovedWhileALoginEnds(t *testing.T) {
	remove := func(f *app, name string) {
		f.mu.Lock()
		delete(f.users, name)
		f.mu.Unlock()
		if err := f.logins.RemoveUser(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	t.Run("in SignIn, before the link", func(t *testing.T) {
		f := newFactors(t, nil, func(a *app, c *external.Config) {
			signIn := c.SignIn
			c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, login *external.Credential) error {
				err := signIn(w, r, u, login)
				remove(a, "alice")
				return err
			}
		})
		f.browser().visit("/login/acme/")
		if got := f.identities("alice"); len(got) != 0 {
			t.Errorf("a user who is not there any more has the identities %q", got)
		}
	})
	t.Run("before Confirm", func(t *testing.T) {
		var a *app
		a = newApp(t, func(app *app, c *external.Config) {
			c.Store = &removing{Store: app.store, before: func(id string) { remove(a, id) }}
		})
		a.browser().visit("/login/acme/")
		if got := a.identities("acme-1"); len(got) != 0 {
			t.Errorf("a user who is not there any more has the identities %q", got)
		}
	})
}

// removing calls before with the user before it confirms.
type removing struct {
	external.Store
	before func(userID string)
}

func (s *removing) Confirm(ctx context.Context, id string, i *external.Identity, now time.Time) (string, bool, error) {
	s.before(i.UserID)
	return s.Store.Confirm(ctx, id, i, now)
}
