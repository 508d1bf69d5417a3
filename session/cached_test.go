package session_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

type bare string

func (u bare) UserID() string { return string(u) }

// always loads the same user.
func always(user auth.User) auth.UserLoader {
	return func(context.Context, string) (auth.User, error) { return user, nil }
}

func TestUnitACheckInMemoryAllocatesNothing(t *testing.T) {
	allocs := func(sessions *session.Sessions, lines ...string) float64 {
		r := withCookies(t, lines...)
		return testing.AllocsPerRun(200, func() { _, _, _ = sessions.Authenticate(r) })
	}
	for sentence, user := range map[string]auth.User{
		"a user": bare("alice"), "a user with a stamp": &person{"alice", "password hash"},
	} {
		t.Run(sentence, func(t *testing.T) {
			config := session.Config{Store: session.NewMemoryStore(), LoadUser: always(user)}
			sessions := must(session.New(config))
			config.Store = session.NewMemoryStore()
			good, unknown := started(t, sessions, user), started(t, must(session.New(config)), user)
			for what, lines := range map[string][]string{
				"a good cookie": {"theme=dark; " + good + "; lang=en"}, "an unknown one": {unknown},
				"a broken one": {good[:40]}, "a long one": {good + strings.Repeat("x", 5000)},
				"one twice":      {good, good},
				"another cookie": {"theme=dark"}, "no cookie": nil,
			} {
				if n := allocs(sessions, lines...); n != 0 {
					t.Errorf("%s: got %v allocations, want none", what, n)
				}
			}
			r := withCookies(t, good)
			if got, _, err := sessions.Authenticate(r); err != nil || got.UserID() != "alice" {
				t.Errorf("got %v, %v", got, err)
			}
			if err := sessions.Renew(httptest.NewRecorder(), r); err != nil {
				t.Fatal(err)
			}
			if n := allocs(sessions, good); n > 1 { // its tombstone is found by its digest
				t.Errorf("a cookie that was replaced: got %v allocations, want at most 1", n)
			}
		})
	}
	t.Run("an expired session allocates the cause alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			alice := bare("alice")
			sessions := must(session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: always(alice)}))
			cookie := started(t, sessions, alice)
			time.Sleep(2 * time.Hour)
			r := withCookies(t, cookie)
			if n := testing.AllocsPerRun(200, func() { _, _, _ = sessions.Authenticate(r) }); n != 1 {
				t.Errorf("got %v allocations, want 1", n)
			}
			_, _, err := sessions.Authenticate(r)
			if auth.KindOf(err) != auth.ErrNoCredentials || !strings.Contains(err.Error(), "has expired") {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestUnitARecordsCredentialIsOfTheSessionsThatCheckIt(t *testing.T) {
	store, alice := session.NewMemoryStore(), &person{"alice", "a1"}
	make := func(name string) *session.Sessions {
		return must(session.New(session.Config{Store: store, Name: name, LoadUser: always(alice)}))
	}
	one, two := make("one"), make("two")
	cookie := started(t, one, alice)
	prove := func(sessions *session.Sessions) *session.Session {
		t.Helper()
		_, credential, err := sessions.Authenticate(withCookies(t, cookie))
		if err != nil {
			t.Fatal(err)
		}
		return credential.(*session.Session)
	}
	t.Run("two that share a store, each in turn", func(t *testing.T) {
		for range 3 {
			if got := prove(one).Backend() + prove(two).Backend(); got != "onetwo" {
				t.Errorf("got %s", got)
			}
		}
	})
	record := func() *session.Record { return must(store.List(t.Context(), "alice", "", 1, time.Time{}))[0] }
	t.Run("it is made once, and again when something is written", func(t *testing.T) {
		if first, second := prove(one), prove(one); first != second {
			t.Error("got two credentials of one record")
		}
		used := backend.StoreTime(time.Now().Add(time.Second))
		if err := store.Touch(t.Context(), session.Touch{Digest: record().Digest, Used: used,
			ExpiresAt: record().ExpiresAt}); err != nil {
			t.Fatal(err)
		}
		first, second := prove(one), prove(one)
		if got := first.LastUsed(); !got.Equal(used) || first != second {
			t.Errorf("got %v, want %v, and one credential", got, used)
		}
	})
	t.Run("a copy of a record with another stamp is compared anew", func(t *testing.T) {
		prove(one) // it remembers the stamp
		copied := *record()
		copied.Stamp = backend.Stamp("session", &person{"alice", "a2"})
		if replaced, err := store.Replace(t.Context(), copied.Digest+"?", &copied, time.Now()); err != nil || replaced {
			t.Fatalf("got %v, %v, want false and no error", replaced, err)
		}
		other := session.NewMemoryStore()
		if _, err := other.Add(t.Context(), &copied, "", 0, false, time.Now()); err != nil {
			t.Fatal(err)
		}
		three := must(session.New(session.Config{Store: other, LoadUser: always(alice)}))
		if _, _, err := three.Authenticate(withCookies(t, cookie)); auth.KindOf(err) != auth.ErrNoCredentials {
			t.Errorf("got %v, want ErrNoCredentials", err)
		}
	})
}

// Requests, touches and a new cookie meet at one record.
func TestRaceARecordIsSharedByAllChecks(t *testing.T) {
	store := session.NewMemoryStore()
	make := func(name, stamp string) *session.Sessions {
		return must(session.New(session.Config{Store: store, Name: name, TouchInterval: time.Nanosecond,
			LoadUser: always(&person{"alice", stamp})}))
	}
	one, two, changed := make("one", "a1"), make("two", "a1"), make("changed", "a2")
	cookie := started(t, one, &person{"alice", "a1"})
	var wg sync.WaitGroup
	for _, sessions := range []*session.Sessions{one, one, two, changed} {
		wg.Go(func() {
			for range 300 {
				_, credential, err := sessions.Authenticate(withCookies(t, cookie))
				switch {
				case err != nil && auth.KindOf(err) != auth.ErrNoCredentials:
					t.Error(err)
				case err == nil && (credential.Backend() != sessions.Backend() || sessions == changed):
					t.Errorf("got a credential of %s from %s", credential.Backend(), sessions.Backend())
				}
			}
		})
	}
	wg.Go(func() {
		if err := one.Renew(httptest.NewRecorder(), withCookies(t, cookie)); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}
