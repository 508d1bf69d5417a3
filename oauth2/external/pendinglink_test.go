package external_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/external"
)

// factors is an app where alice@example.com is authoritative and finds alice, with a second factor.
type factors struct {
	*app
	guarded sync.Mutex
	pending []string // of each login that SignIn was given
	tokens  int      // how often KeepTokens was called
}

// newFactors has a SignIn that returns err, after the sign-in of the app if err is nil.
func newFactors(t *testing.T, err error, configure func(*app, *external.Config)) *factors {
	t.Helper()
	f := &factors{}
	f.app = newApp(t, func(a *app, c *external.Config) {
		acme := a.acme()
		acme.Domains = []string{"example.com"}
		c.Providers = []external.Provider{acme}
		c.Accounts.ByEmail = func(context.Context, string) (external.Account, error) {
			return external.Account{User: a.users["alice"], Verified: true}, nil
		}
		c.Accounts.KeepTokens = func(context.Context, auth.User, *external.Profile, *external.Tokens) error {
			f.tokens++
			return nil
		}
		signIn := c.SignIn
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, login *external.Credential) error {
			f.guarded.Lock()
			f.pending = append(f.pending, login.PendingLink())
			f.guarded.Unlock()
			if errors.Is(err, external.ErrAnswered) {
				http.Error(w, "second factor", http.StatusForbidden)
			}
			if err != nil {
				return err
			}
			return signIn(w, r, u, login)
		}
		if configure != nil {
			configure(a, c)
		}
	})
	return f
}

func (f *factors) wantLinked(sentence string, want ...string) {
	f.Helper()
	if got := f.identities("alice"); !slices.Equal(got, want) {
		f.Errorf("%s: alice has the identities %q, want %q", sentence, got, want)
	}
	if len(f.changes) != len(want) {
		f.Errorf("%s: Changed was told %q", sentence, f.changes)
	}
}

func TestUnitLinkedWhenTheLoginIsComplete(t *testing.T) {
	t.Run("a second factor that is never passed links nothing", func(t *testing.T) {
		f := newFactors(t, external.ErrAnswered, nil)
		for range 2 {
			f.browser().visit("/login/acme/")
		}
		f.wantLinked("two logins without it")
		if f.tokens != 0 || len(f.pending) != 2 || f.pending[0] == "" || len(f.pending[0]) > 4096 {
			t.Fatalf("got %q, KeepTokens was called %d times", f.pending, f.tokens)
		}
		// The second factor was passed. To complete again changes nothing.
		for range 2 {
			if err := f.logins.CompleteLink(t.Context(), f.users["alice"], f.pending[1]); err != nil {
				t.Fatal(err)
			}
			f.wantLinked("complete", "1")
		}
		f.browser().visit("/login/acme/")
		if f.pending[2] != "" {
			t.Errorf("got %q, and the identity is linked", f.pending[2])
		}
		if err := f.logins.CompleteLink(t.Context(), f.users["alice"], ""); err != nil {
			t.Errorf("nothing to link: %v", err)
		}
	})
	t.Run("a SignIn that refuses links nothing", func(t *testing.T) {
		f := newFactors(t, external.ErrNotAllowed, nil)
		f.browser().visit("/login/acme/")
		f.wantLinked("refused")
	})
	t.Run("a SignIn that signs in links, and keeps the tokens then", func(t *testing.T) {
		f := newFactors(t, nil, nil)
		b := f.browser()
		if b.visit("/login/acme/"); b.who() != "alice" || f.tokens != 1 {
			t.Errorf("signed in as %q, KeepTokens was called %d times", b.who(), f.tokens)
		}
		f.wantLinked("signed in", "1")
	})
}

func TestUnitSessionsOfLoginsThatFail(t *testing.T) {
	t.Run("where the link or the tokens fail, the browser does not get the session", func(t *testing.T) {
		for sentence, configure := range map[string]func(*app, *external.Config){
			"the link": func(a *app, c *external.Config) { c.Store = &failing{Store: a.store, method: "LinkFirst"} },
			"the tokens": func(_ *app, c *external.Config) {
				c.Accounts.KeepTokens = func(context.Context, auth.User, *external.Profile, *external.Tokens) error {
					return errDown
				}
			},
		} {
			f := newFactors(t, nil, configure)
			b := f.browser()
			p := b.visit("/login/acme/")
			b.wants(sentence, p, 503, "temporarily_unavailable")
			for _, set := range p.header.Values("Set-Cookie") {
				if !strings.HasPrefix(set, "__Host-login-") || !strings.Contains(set, "Max-Age=0") {
					t.Errorf("%s: got the cookie %s", sentence, set)
				}
			}
			if b.who() != "" || f.logged() != 1 {
				t.Errorf("%s: signed in as %q", sentence, b.who())
			}
		}
	})
	t.Run("an identity that was linked to another user in SignIn signs nobody in", func(t *testing.T) {
		f := newFactors(t, nil, func(a *app, c *external.Config) {
			signIn := c.SignIn
			c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, login *external.Credential) error {
				if _, _, err := a.store.Link(r.Context(), login.Profile.Identity("bob", time.Now())); err != nil {
					return err
				}
				return signIn(w, r, u, login)
			}
		})
		b := f.browser()
		b.wants("taken", b.visit("/login/acme/"), 409, "taken")
		if b.who() != "" {
			t.Errorf("signed in as %q", b.who())
		}
	})
}

func TestUnitComplete(t *testing.T) {
	f := newFactors(t, nil, nil)
	alice := f.users["alice"]
	profile := &external.Profile{Provider: "acme", Issuer: f.idp.URL(), Subject: "1"}
	stamp := backend.Stamp("login", alice)
	now := time.Now()
	good := f.logins.PendingAt(profile.Identity("alice", now), stamp, now)
	refused := func(sentence string, user auth.User, pending string, kind error) {
		t.Helper()
		if err := f.logins.CompleteLink(t.Context(), user, pending); auth.KindOf(err) != kind {
			t.Errorf("%s: got %v, want %v", sentence, err, kind)
		}
		f.wantLinked(sentence)
	}
	t.Run("what was changed, expired or is of another user is refused", func(t *testing.T) {
		refused("another user", f.users["bob"], good, auth.ErrInvalid)
		other := f.logins.PendingAt(profile.Identity("alice", now), "another", now)
		refused("another stamp", alice, other, auth.ErrInvalid)
		refused("a character less", alice, good[1:], auth.ErrInvalid)
		refused("another text", alice, "x", auth.ErrInvalid)
		late := f.logins.PendingAt(profile.Identity("alice", now), stamp, now.Add(-time.Hour))
		refused("late", alice, late, auth.ErrInvalid)
		refused("without an identity", alice, f.logins.PendingAt(nil, stamp, now), auth.ErrInvalid)
		b := f.browser()
		p := b.do("GET", "/login/acme/", nil)
		for _, c := range (&http.Response{Header: p.header}).Cookies() {
			refused("what is sealed for an attempt", alice, c.Value, auth.ErrInvalid)
		}
	})
	t.Run("an identity that was linked to another user meanwhile stays there", func(t *testing.T) {
		other := &external.Profile{Provider: "acme", Issuer: f.idp.URL(), Subject: "2"}
		if _, _, err := f.store.Link(t.Context(), other.Identity("bob", now)); err != nil {
			t.Fatal(err)
		}
		err := f.logins.CompleteLink(t.Context(), alice, f.logins.PendingAt(other.Identity("alice", now), stamp, now))
		var told *auth.Error
		if !errors.As(err, &told) || told.Kind != auth.ErrInsufficient || told.Code != "taken" ||
			strings.Contains(told.Detail, "{") {
			t.Errorf("got %v %+v", err, told)
		}
		f.wantLinked("taken")
	})
	t.Run("what is good links", func(t *testing.T) {
		if err := f.logins.CompleteLink(t.Context(), alice, good); err != nil {
			t.Error(err)
		}
		f.wantLinked("good", "1")
	})
}

func TestUnitLinkedByApps(t *testing.T) {
	t.Run("a code links when the login has succeeded for which it was exchanged", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		code := f.browser().code(appStart)
		f.wantLinked("the code was issued")
		u, credential, err := f.redeem(code, verifier)
		if err != nil || u.UserID() != "alice" || credential.(*external.Credential).PendingLink() != "" {
			t.Errorf("got %v %+v, %v", u, credential, err)
		}
		f.wantLinked("the code was exchanged, and nothing issued for it yet")
		if err := backend.Finish(t.Context(), credential); err != nil {
			t.Error(err)
		}
		f.wantLinked("the login has succeeded", "1")
	})
	t.Run("a code with a second factor to come links nothing until the login is complete", func(t *testing.T) {
		f := newFactors(t, nil, func(a *app, c *external.Config) {
			withApp(a, c)
			c.Apps.SecondFactor = true
		})
		u, credential, err := f.redeem(f.browser().code(appStart), verifier)
		if err != nil {
			t.Fatal(err)
		}
		f.wantLinked("the code was exchanged")
		if err := f.logins.CompleteLink(t.Context(), u, credential.(*external.Credential).PendingLink()); err != nil {
			t.Error(err)
		}
		f.wantLinked("complete", "1")
	})
	t.Run("a code with another verifier links nothing", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		if _, _, err := f.redeem(f.browser().code(appStart), verifier[:42]+"X"); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, want ErrInvalid", err)
		}
		f.wantLinked("another verifier")
	})
	t.Run("a code whose identity cannot be linked fails the login", func(t *testing.T) {
		f := newFactors(t, nil, func(a *app, c *external.Config) {
			withApp(a, c)
			c.Store = &failing{Store: a.store, method: "LinkFirst"}
		})
		_, credential, err := f.redeem(f.browser().code(appStart), verifier)
		if err != nil {
			t.Fatal(err)
		}
		if err := backend.Finish(t.Context(), credential); !errors.Is(err, errDown) || auth.KindOf(err) != nil {
			t.Errorf("got %v, want the outage", err)
		}
	})
	t.Run("an ID token of an app links when the application says that the login is complete", func(t *testing.T) {
		f := newFactors(t, nil, nil)
		token := f.idp.MintWith(map[string]any{"typ": "JWT"}, map[string]any{"aud": f.idp.ClientID, "sub": "1",
			"nonce": "n", "email": "alice@example.com", "email_verified": true})
		f.idp.SignIn(authtest.Person{Subject: "1", Email: "alice@example.com", EmailVerified: true})
		u, login, err := f.logins.FromIDToken(t.Context(), "acme", auth.Secret(token), "n")
		if err != nil || u.UserID() != "alice" || login.PendingLink() == "" {
			t.Fatalf("got %v %+v, %v", u, login, err)
		}
		f.wantLinked("before")
		if err := f.logins.CompleteLink(t.Context(), u, login.PendingLink()); err != nil {
			t.Error(err)
		}
		f.wantLinked("complete", "1")
	})
}

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

func TestUnitPendingOfAnotherService(t *testing.T) {
	t.Run("a pending link of another service with the same keys is refused", func(t *testing.T) {
		f, other := newFactors(t, nil, nil), newFactors(t, nil, nil)
		now := time.Now()
		profile := &external.Profile{Provider: "acme", Issuer: other.idp.URL(), Subject: "1"}
		pending := other.logins.PendingAt(profile.Identity("alice", now), backend.Stamp("login", f.users["alice"]), now)
		if err := f.logins.CompleteLink(t.Context(), f.users["alice"], pending); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, linked %q", err, f.identities("alice"))
		}
	})
}
