package external_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/google/uuid"
)

// signups is an app with a NewUser that keeps the id that it was given as that of the user.
type signups struct {
	*app
	fails *failing
	// after is called with each user that was made, in NewUser.
	after func(id string) error

	mu  sync.Mutex
	ids []string // each call of NewUser
}

func newSignups(t *testing.T) *signups {
	t.Helper()
	s := &signups{after: func(string) error { return nil }}
	s.app = newApp(t, func(a *app, c *external.Config) {
		s.fails = &failing{Store: a.store}
		c.Store = s.fails
		c.Accounts.NewUser = func(_ context.Context, _ *external.Profile, id string) (auth.User, error) {
			s.mu.Lock()
			s.ids = append(s.ids, id)
			s.mu.Unlock()
			user := a.add("user-" + id)
			return user, s.after(id)
		}
	})
	return s
}

// made returns the users that NewUser made.
func (s *signups) made() (all []string) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	for name := range s.users {
		if strings.HasPrefix(name, "user-") {
			all = append(all, name)
		}
	}
	return all
}

// wantOne checks that there is one account, which the identity is linked to and which was told once.
func (s *signups) wantOne() (name string) {
	s.Helper()
	all := s.made()
	if len(all) != 1 || !slices.Equal(s.identities(all[0]), []string{"1"}) {
		s.Fatalf("got the accounts %q, want one with the identity", all)
	}
	if !slices.Equal(s.changes, []string{all[0] + " linked 1"}) {
		s.Errorf("Changed was told %q, want once", s.changes)
	}
	return all[0]
}

func TestUnitAccountsAreMadeOnce(t *testing.T) {
	t.Run("of 60 callbacks of one identity at once all are of one account", func(t *testing.T) {
		s := newSignups(t)
		who := make([]string, 60)
		var all sync.WaitGroup
		for i := range who {
			b := s.browser()
			back := b.away("/login/acme/")
			all.Go(func() {
				b.next(back)
				who[i] = b.who()
			})
		}
		all.Wait()
		name := s.wantOne()
		for i, got := range who {
			if got != name {
				t.Errorf("callback %d signed in %q, want %q", i, got, name)
			}
		}
	})
	t.Run("a store that fails after NewUser leaves one account, which the next login links", func(t *testing.T) {
		s := newSignups(t)
		b := s.browser()
		s.fails.method = "Confirm"
		for range 3 {
			b.wants("a store that is down", b.visit("/login/acme/"), 503, "temporarily_unavailable")
		}
		if all := s.made(); len(all) != 1 || len(s.ids) != 3 || b.who() != "" {
			t.Fatalf("got the accounts %q by %d calls, signed in as %q", all, len(s.ids), b.who())
		}
		s.fails.method = ""
		if b.visit("/login/acme/"); b.who() != s.wantOne() {
			t.Errorf("signed in as %q", b.who())
		}
	})
}

func TestUnitAccountsThatAreFoundAgain(t *testing.T) {
	t.Run("a NewUser that made the account and returns an error is asked for the same one again", func(t *testing.T) {
		s := newSignups(t)
		b := s.browser()
		s.after = func(string) error { return errDown } // such as a connection that broke after the commit
		b.wants("an error", b.visit("/login/acme/"), 503, "temporarily_unavailable")
		s.after = func(string) error { return nil }
		if b.visit("/login/acme/"); b.who() != s.wantOne() {
			t.Errorf("signed in as %q", b.who())
		}
	})
	t.Run("a process that ends between the two steps leaves an account that the next login finds", func(t *testing.T) {
		s := newSignups(t)
		b := s.browser()
		back := b.away("/login/acme/")
		s.after = func(string) error { panic(http.ErrAbortHandler) }
		// The connection breaks, and the client may try once more by itself, with an attempt that is used up.
		if answer, err := b.client.Get(back.location); err == nil {
			answer.Body.Close()
		}
		if all := s.made(); len(all) != 1 || len(s.identities(all[0])) != 0 {
			t.Fatalf("got the accounts %q", all)
		}
		s.after = func(string) error { return nil }
		if b.visit("/login/acme/"); b.who() != s.wantOne() {
			t.Errorf("signed in as %q", b.who())
		}
	})
}

func TestUnitIDsOfNewAccounts(t *testing.T) {
	t.Run("each identity has an id of its own, a version 7 UUID", func(t *testing.T) {
		s := newSignups(t)
		for _, subject := range []string{"1", "2", "1"} {
			s.idp.SignIn(authtest.Person{Subject: subject})
			s.browser().visit("/login/acme/")
		}
		if len(s.ids) != 2 || s.ids[0] == s.ids[1] {
			t.Fatalf("got %q, want two", s.ids)
		}
		for _, id := range s.ids {
			if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 || parsed.String() != id {
				t.Errorf("got %q, want a version 7 UUID", id)
			}
		}
	})
	t.Run("an identity that was unlinked gets another account, and not that of before", func(t *testing.T) {
		s := newSignups(t)
		s.browser().visit("/login/acme/")
		first := s.wantOne()
		s.unlinkAll(first)
		b := s.browser()
		if b.visit("/login/acme/"); b.who() == "" || b.who() == first || len(s.ids) != 2 || s.ids[0] == s.ids[1] {
			t.Errorf("signed in as %q, and the first was %q: ids %q", b.who(), first, s.ids)
		}
	})
}

func TestUnitAccountsThatAreNotLinked(t *testing.T) {
	t.Run("a login that was late does not link again what was unlinked", func(t *testing.T) {
		s := newSignups(t)
		late, begun, goOn := s.browser(), make(chan struct{}), make(chan struct{})
		back := late.away("/login/acme/")
		var calls atomic.Int32
		s.after = func(string) error {
			if calls.Add(1) == 1 {
				close(begun)
				<-goOn
			}
			return nil
		}
		answers := make(chan page)
		go func() { answers <- late.next(back) }()
		<-begun
		s.browser().visit("/login/acme/")
		name := s.wantOne()
		s.unlinkAll(name)
		close(goOn)
		late.wants("late", <-answers, 400, "used")
		if got := s.identities(name); len(got) != 0 || late.who() != "" {
			t.Errorf("linked %q, signed in as %q", got, late.who())
		}
		if !strings.Contains(s.log.String(), "it was unlinked again") {
			t.Errorf("no cause in the log: %s", s.log)
		}
	})
	t.Run("an account that NewUser refuses is asked for again with the same id", func(t *testing.T) {
		s := newSignups(t)
		b := s.browser()
		s.after = func(string) error { return external.ErrNotAllowed }
		for range 2 {
			b.wants("refused", b.visit("/login/acme/"), 403, "not_allowed")
		}
		if len(s.ids) != 2 || s.ids[0] != s.ids[1] {
			t.Errorf("got %q", s.ids)
		}
	})
}

// unlinkAll takes all identities from a user.
func (a *app) unlinkAll(userID string) {
	a.Helper()
	all, err := a.logins.Identities(a.Context(), userID)
	for _, each := range all {
		_, verdict, fault := a.store.Unlink(a.Context(), userID, each.ID, false)
		if err = errors.Join(err, fault); verdict != external.UnlinkRemoved {
			a.Errorf("verdict %v", verdict)
		}
	}
	if err != nil {
		a.Fatal(err)
	}
}
