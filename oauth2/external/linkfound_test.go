package external_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitAnAddressThatIsGivenToAnotherPerson(t *testing.T) {
	t.Run("another subject of the same issuer is another person, whatever the address", func(t *testing.T) {
		f := newFactors(t, nil, nil)
		f.browser().visit("/login/acme/") // Alice, before she leaves the enterprise
		f.idp.SignIn(authtest.Person{Subject: "2", Email: "alice@example.com", EmailVerified: true})
		b := f.browser()
		b.visit("/login/acme/") // another Alice, who is given the address
		if got := f.identities("alice"); b.who() == "alice" || !slices.Equal(got, []string{"1"}) {
			t.Errorf("signed in as %q, whose identities are %q", b.who(), got)
		}
	})
}

// meeting is a store in which two links begin at once.
type meeting struct {
	external.Store
	both sync.WaitGroup
}

func (m *meeting) Link(ctx context.Context, identity *external.Identity) (string, bool, error) {
	m.both.Done()
	m.both.Wait()
	return m.Store.Link(ctx, identity)
}

func (m *meeting) LinkFirst(ctx context.Context, identity *external.Identity) (string, bool, error) {
	m.both.Done()
	m.both.Wait()
	return m.Store.LinkFirst(ctx, identity)
}

func TestUnitTwoPersonsWithOneAddress(t *testing.T) {
	t.Run("of two that come at once, one gets the account of the address", func(t *testing.T) {
		f := newFactors(t, nil, func(a *app, c *external.Config) {
			store := &meeting{Store: a.store} // both were found to be alice by then
			store.both.Add(2)
			c.Store, c.Accounts.KeepTokens = store, nil
		})
		var all sync.WaitGroup
		ends := make([]page, 2)
		browsers := []*browser{f.browser(), f.browser()}
		for i, subject := range []string{"1", "2"} {
			f.idp.SignIn(authtest.Person{Subject: subject, Email: "alice@example.com", EmailVerified: true})
			back := browsers[i].away("/login/acme/")
			all.Go(func() { ends[i] = browsers[i].next(back) })
		}
		all.Wait()
		if linked := f.identities("alice"); len(linked) != 1 {
			t.Errorf("alice has the identities %q, want one", linked)
		}
		reasons := []string{ends[0].reason(), ends[1].reason()}
		if (reasons[0] == "account_exists") == (reasons[1] == "account_exists") {
			t.Errorf("got %d %q and %d %q, want one refusal", ends[0].status, reasons[0], ends[1].status, reasons[1])
		}
		if (browsers[0].who() == "alice") == (browsers[1].who() == "alice") {
			t.Errorf("got %q and %q, want alice once", browsers[0].who(), browsers[1].who())
		}
	})
	t.Run("of two that pass the second factor at once, one is linked", func(t *testing.T) {
		f := newFactors(t, external.ErrAnswered, nil)
		for _, subject := range []string{"1", "2"} {
			f.idp.SignIn(authtest.Person{Subject: subject, Email: "alice@example.com", EmailVerified: true})
			f.browser().visit("/login/acme/")
		}
		alice, errs := f.users["alice"], make([]error, 16)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = f.logins.CompleteLink(context.Background(), alice, f.pending[i%2]) })
		}
		all.Wait()
		if linked := f.identities("alice"); len(linked) != 1 {
			t.Errorf("alice has the identities %q, want one", linked)
		}
	})
}
