package external_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitWhatStrangersLeaveInTheStore(t *testing.T) {
	t.Run("a person that NewUser refuses leaves no reservation for more than a day", func(t *testing.T) {
		s := newSignups(t)
		s.after = func(string) error { return external.ErrNotAllowed }
		s.browser().visit("/login/acme/")
		tomorrow := time.Now().Add(24 * time.Hour)
		id, _, err := s.store.Reserve(t.Context(), &external.Reservation{ID: "probe", Issuer: s.idp.URL(), Subject: "1",
			ExpiresAt: tomorrow.Add(time.Hour)}, tomorrow)
		if err != nil || id != "probe" {
			t.Errorf("got %q, %v: the row of a person who was refused is still there", id, err)
		}
	})
}

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

func TestAnAddressAloneLinksNothing(t *testing.T) {
	// The provider's alice says she has the address of the local one, verified or not.
	for _, verified := range []any{true, false, nil, "true"} {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Accounts.ByEmail = func(_ context.Context, address string) (external.Account, error) {
				t.Errorf("asked for %s", address)
				return external.Account{User: a.users["alice"], Verified: true}, nil
			}
		})
		a.idp.SignIn(authtest.Person{Subject: "666", Email: "alice@example.com", EmailVerified: verified,
			Username: "alice"})
		b := a.browser()
		if b.visit("/login/acme/"); b.who() != "acme-666" || len(a.identities("alice")) != 0 {
			t.Errorf("%v: signed in as %q", verified, b.who())
		}
	}
}

func TestAnAuthoritativeAddressFindsAnAccountThatProvedIt(t *testing.T) {
	for sentence, row := range map[string]struct {
		account external.Account
		err     error
		drop    bool
		who     string
		status  int
		reason  string
	}{
		"one that proved it": {external.Account{User: &user{name: "alice"}, Verified: true}, nil, false,
			"alice", 200, ""},
		"one that did not": {external.Account{User: &user{name: "alice"}}, nil, false, "", 409,
			"account_exists"},
		"one that did not, and is cut": {external.Account{User: &user{name: "alice"}}, nil, true, "acme-1", 200, ""},
		"none":                         {external.Account{}, auth.ErrUserNotFound, false, "acme-1", 200, ""},
		"a fault":                      {external.Account{}, nil, false, "", 503, "temporarily_unavailable"},
		"an outage":                    {external.Account{}, errDown, false, "", 503, "temporarily_unavailable"},
	} {
		var dropped []string
		a := newApp(t, func(a *app, c *external.Config) {
			acme := a.acme()
			acme.Domains = []string{"example.com"}
			c.Providers = []external.Provider{acme}
			c.Accounts.ByEmail = func(_ context.Context, address string) (external.Account, error) {
				if address != "alice@example.com" {
					t.Errorf("asked for %s", address)
				}
				return row.account, row.err
			}
			if row.drop {
				c.Accounts.DropUnverified = func(_ context.Context, u auth.User, p *external.Profile) error {
					dropped = append(dropped, u.UserID()+" "+p.Email.Address)
					return nil
				}
			}
		})
		b := a.browser()
		p := b.visit("/login/acme/")
		if p.status != row.status || p.reason() != row.reason || b.who() != row.who ||
			row.drop != slices.Equal(dropped, []string{"alice alice@example.com"}) {
			t.Errorf("%s: %d %q, signed in as %q, dropped %v", sentence, p.status, p.reason(), b.who(), dropped)
		}
	}
}

func TestTheApplicationDecidesAboutStrangers(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(c *external.Config)
		status int
		reason string
	}{
		"nobody new": {func(c *external.Config) { c.Accounts.NewUser = nil }, 403, "no_account"},
		"an account elsewhere": {func(c *external.Config) {
			c.Accounts.NewUser = refuse(external.ErrAccountExists)
		}, 409,
			"account_exists"},
		"not this one": {func(c *external.Config) { c.Accounts.NewUser = refuse(external.ErrNotAllowed) }, 403,
			"not_allowed"},
		"an error of auth": {func(c *external.Config) { c.Accounts.NewUser = refuse(auth.ErrInsufficient) }, 403,
			"not_allowed"},
		"an outage": {func(c *external.Config) { c.Accounts.NewUser = refuse(errDown) }, 503,
			"temporarily_unavailable"},
		"neither": {func(c *external.Config) { c.Accounts.NewUser = refuse(nil) }, 503, "temporarily_unavailable"},
		"nobody at all": {func(c *external.Config) {
			c.Accounts.Allow = func(_ context.Context, p *external.Profile) error {
				if p.Subject != "1" || !p.Email.Verified {
					return nil
				}
				return external.ErrNotAllowed
			}
		}, 403, "not_allowed"},
		"somebody who is closed": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return &user{name: "carol"}, nil
			}
		}, 403, "inactive"},
		"somebody who is not there": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return &user{name: "ghost"}, nil
			}
		}, 403, "inactive"},
		"a machine": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return auth.Machine{ID: "m"}, nil
			}
			c.LoadUser = func(context.Context, string) (auth.User, error) { return auth.Machine{ID: "m"}, nil }
		}, 403, "inactive"},
		"a session that is refused": {func(c *external.Config) {
			c.SignIn = func(http.ResponseWriter, *http.Request, auth.User, *external.Credential) error {
				return auth.ErrInsufficient
			}
		}, 403, "not_allowed"},
	} {
		a := newApp(t, func(_ *app, c *external.Config) { row.change(c) })
		b := a.browser()
		b.wants(sentence, b.visit("/login/acme/"), row.status, row.reason)
		if b.who() != "" {
			t.Errorf("%s: signed in as %q", sentence, b.who())
		}
		if known, err := a.store.Identity(t.Context(), a.idp.URL(), "1"); err != nil || known != nil &&
			sentence != "a session that is refused" {
			t.Errorf("%s: linked: %+v %v", sentence, known, err)
		}
	}
}

func refuse(err error) func(context.Context, *external.Profile, string) (auth.User, error) {
	return func(context.Context, *external.Profile, string) (auth.User, error) { return nil, err }
}

func TestAUserWhoIsDisabledOrDeletedIsNotMadeAnew(t *testing.T) {
	a := newApp(t, nil)
	a.browser().visit("/login/acme/")
	a.mu.Lock()
	a.users["acme-1"].active = false
	a.mu.Unlock()
	b := a.browser()
	b.wants("disabled", b.visit("/login/acme/"), 403, "inactive")
	a.mu.Lock()
	delete(a.users, "acme-1")
	a.mu.Unlock()
	b.wants("deleted", b.visit("/login/acme/"), 403, "inactive")
	if err := a.logins.RemoveUser(t.Context(), "acme-1"); err != nil {
		t.Fatal(err)
	}
	if b.visit("/login/acme/"); b.who() != "acme-1" {
		t.Errorf("signed in as %q, want acme-1", b.who())
	}
}

func TestOfFirstLoginsAtOnceOneMakesTheUser(t *testing.T) {
	var mu sync.Mutex
	n := 0
	a := newApp(t, func(a *app, c *external.Config) {
		c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return a.add(strings.Repeat("x", n)), nil
		}
	})
	var all sync.WaitGroup
	who := make([]string, 16)
	for i := range who {
		b := a.browser()
		back := b.away("/login/acme/")
		all.Go(func() {
			b.next(back)
			who[i] = b.who()
		})
	}
	all.Wait()
	slices.Sort(who)
	if who[0] == "" || who[0] != who[len(who)-1] {
		t.Errorf("signed in as %q, want one user for all", who)
	}
}

func TestHooksThatFailChangeNothing(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Linking.HasOtherWay = func(context.Context, auth.User) (bool, error) { return false, errDown }
		c.Linking.Changed = func(context.Context, auth.User, external.Change, *external.Identity) error {
			return errDown
		}
	})
	b := a.browser().signedInAs("alice")
	if p := b.follow(b.do("POST", "/login/acme/link/", nil)); p.status != 200 ||
		!strings.Contains(a.log.String(), "Config.Linking.Changed") {
		t.Errorf("a mail that is not sent: %d %s", p.status, a.log)
	}
	all, _ := a.logins.Identities(t.Context(), "alice")
	b.wants("unknown whether there is another way", b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}}),
		503, "temporarily_unavailable")
	if len(a.identities("alice")) != 1 {
		t.Error("unlinked")
	}
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B

const appStart = "/login/acme/?return_to=com.example.app:/done&" +
	"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=xyz"

func TestALoginThatWasSlowerIsTheOtherOnesUser(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		c.Accounts.NewUser = func(ctx context.Context, p *external.Profile, _ string) (auth.User, error) {
			if _, _, err := c.Store.Link(ctx, &external.Identity{ID: "x", UserID: "bob", Issuer: p.Issuer,
				Subject: p.Subject}); err != nil {
				return nil, err
			}
			return a.add("late"), nil
		}
	})
	b := a.browser()
	if b.visit("/login/acme/"); b.who() != "bob" || len(a.identities("late")) != 0 || len(a.changes) != 0 {
		t.Errorf("signed in as %q, with the changes %v, want bob, and none", b.who(), a.changes)
	}
}
