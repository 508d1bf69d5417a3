package external_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitUnlinkedWhileALoginIsUnderWay(t *testing.T) {
	t.Run("a pending link that was completed does not link again what was unlinked", func(t *testing.T) {
		f, user := kept(t)
		f.browser().visit("/login/acme/")
		if err := f.logins.CompleteLink(t.Context(), user(), f.pending[0]); err != nil {
			t.Fatal(err)
		}
		f.unlinkAll("alice")
		err := f.logins.CompleteLink(t.Context(), user(), f.pending[0])
		if got := f.identities("alice"); len(got) != 0 {
			t.Errorf("got %v, linked %q", err, got)
		}
	})
	t.Run("a NewUser that returns the owner, as with ConfirmIn, does not link again what the owner unlinked",
		func(t *testing.T) {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Accounts.NewUser = func(ctx context.Context, p *external.Profile, _ string) (auth.User, error) {
					// Meanwhile bob links the identity, and ConfirmIn tells that he is the owner.
					if _, _, err := a.store.Link(ctx, p.Identity("bob", time.Now())); err != nil {
						return nil, err
					}
					// Then bob unlinks it.
					a.unlinkAll("bob")
					return a.users["bob"], nil
				}
			})
			b := a.browser()
			b.visit("/login/acme/")
			if got := a.identities("bob"); len(got) != 0 || b.who() != "" {
				t.Errorf("signed in as %q, bob has the identities %q", b.who(), got)
			}
		})
	t.Run("an identity that was linked by hand and unlinked gets another id, as the page says", func(t *testing.T) {
		s := newSignups(t)
		s.fails.method = "Confirm"
		s.browser().visit("/login/acme/")
		s.fails.method = ""
		profile := &external.Profile{Provider: "acme", Issuer: s.idp.URL(), Subject: "1"}
		if _, _, err := s.store.Link(t.Context(), profile.Identity("bob", time.Now())); err != nil {
			t.Fatal(err)
		}
		s.unlinkAll("bob")
		s.browser().visit("/login/acme/")
		if len(s.ids) != 2 || s.ids[0] == s.ids[1] {
			t.Errorf("got the ids %q", s.ids)
		}
	})
}

func TestUnitCodesOfWhatWasUnlinked(t *testing.T) {
	t.Run("a code of an identity that was unlinked since signs nobody in", func(t *testing.T) {
		a := newApp(t, withApp)
		b := a.browser()
		b.visit("/login/acme/") // makes acme-1
		code := a.browser().code(appStart)
		a.unlinkAll("acme-1")
		if u, _, err := a.redeem(code, verifier); err == nil {
			t.Errorf("signed in as %s", u.UserID())
		}
	})
}
