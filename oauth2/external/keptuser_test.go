package external_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

// kept is an app that keeps the user and the pending link of a login until the second factor, as the page says.
func kept(t *testing.T) (f *factors, user func() auth.User) {
	t.Helper()
	var last auth.User
	f = newFactors(t, external.ErrAnswered, func(_ *app, c *external.Config) {
		signIn := c.SignIn
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, login *external.Credential) error {
			last = u
			return signIn(w, r, u, login)
		}
	})
	return f, func() auth.User { return last }
}

func TestUnitCompleteOfAUserThatWasKept(t *testing.T) {
	t.Run("a user whose AuthStamp has changed since is refused", func(t *testing.T) {
		f, user := kept(t)
		f.browser().visit("/login/acme/")
		f.mu.Lock()
		f.users["alice"].stamp = "new password"
		f.mu.Unlock()
		err := f.logins.CompleteLink(t.Context(), user(), f.pending[0])
		if auth.KindOf(err) != auth.ErrInvalid || len(f.identities("alice")) != 0 {
			t.Errorf("got %v, linked %q", err, f.identities("alice"))
		}
	})
	t.Run("a user who was closed since is refused", func(t *testing.T) {
		f, user := kept(t)
		f.browser().visit("/login/acme/")
		f.mu.Lock()
		f.users["alice"].active = false
		f.mu.Unlock()
		err := f.logins.CompleteLink(t.Context(), user(), f.pending[0])
		if err == nil || len(f.identities("alice")) != 0 {
			t.Errorf("got %v, linked %q", err, f.identities("alice"))
		}
	})
	t.Run("a user who was removed since leaves nothing to the next one of that name", func(t *testing.T) {
		f, user := kept(t)
		f.browser().visit("/login/acme/")
		f.mu.Lock()
		delete(f.users, "alice")
		f.mu.Unlock()
		if err := f.logins.RemoveUser(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		err := f.logins.CompleteLink(t.Context(), user(), f.pending[0])
		f.add("alice") // another person
		if err == nil || len(f.identities("alice")) != 0 {
			t.Errorf("got %v, the new alice has the identities %q", err, f.identities("alice"))
		}
	})
}
