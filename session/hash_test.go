package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// plainStore is a store without a look-up by hash.
type plainStore struct{ session.Store }

// ownFind is a store that embeds a store in memory, and has a Find of its own.
type ownFind struct {
	*session.MemoryStore
	asked int
}

func (s *ownFind) Find(ctx context.Context, digest string) (*session.Record, error) {
	s.asked++
	return s.MemoryStore.Find(ctx, digest)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// started returns the cookie of a new session, as a Cookie header has it.
func started(t testing.TB, sessions *session.Sessions, user auth.User) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://app.example/", nil)
	if _, err := sessions.SignIn(w, r, user, session.Options{}); err != nil {
		t.Fatal(err)
	}
	return cookieOf(t, w.Result())
}

func withCookies(t testing.TB, lines ...string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Cookie"] = lines
	return r
}

// verdict is all that a check says.
func verdict(user auth.User, credential auth.Credential, err error) string {
	if err != nil {
		header := http.Header{}
		var setter auth.HeaderSetter
		if errors.As(err, &setter) {
			setter.SetHeaders(header)
		}
		return fmt.Sprintf("%v, %q: %v", auth.KindOf(err), header, err)
	}
	id := credential.(*session.Session).ID()
	return fmt.Sprintf("user %s, backend %s, session %s", user.UserID(), credential.Backend(), id)
}

// pair is two Sessions of one store: one asks it by hash, the other by digest.
type pair struct {
	byHash, byDigest *session.Sessions
	cookies          []string // live, ended, renewed, expired, of the other one
}

func share(t testing.TB) pair {
	t.Helper()
	store, alice := session.NewMemoryStore(), &person{"alice", "a1"}
	load := func(_ context.Context, id string) (auth.User, error) { return &person{id, "a1"}, nil }
	config := session.Config{Store: store, LoadUser: load, TouchInterval: time.Minute}
	p := pair{byHash: must(session.New(config))}
	config.Store = plainStore{store}
	p.byDigest = must(session.New(config))
	for range 3 {
		p.cookies = append(p.cookies, started(t, p.byHash, alice))
	}
	if _, err := p.byHash.Logout(httptest.NewRecorder(), withCookies(t, p.cookies[1])); err != nil {
		t.Fatal(err)
	}
	if err := p.byHash.Renew(httptest.NewRecorder(), withCookies(t, p.cookies[2])); err != nil {
		t.Fatal(err)
	}
	config.LoadUser = func(_ context.Context, id string) (auth.User, error) { return &person{id, "other"}, nil }
	p.cookies = append(p.cookies, started(t, must(session.New(config)), &person{"bob", "other"})) // of another stamp
	p.cookies = append(p.cookies, started(t, p.byDigest, alice))
	return p
}

func TestUnitALookUpByHashGivesTheVerdictsOfALookUpByDigest(t *testing.T) {
	p := share(t)
	for i, cookie := range p.cookies {
		r := withCookies(t, cookie)
		if got, want := verdict(p.byHash.Authenticate(r)), verdict(p.byDigest.Authenticate(r)); got != want {
			t.Errorf("cookie %d: got  %s\nwant %s", i, got, want)
		}
	}
}

func FuzzUnitAuthenticateByHash(f *testing.F) {
	p := share(f)
	for _, cookie := range p.cookies {
		f.Add(cookie, "")
		f.Add("a=b; "+cookie, "c=d")
		f.Add(cookie, cookie)
		f.Add(cookie+"x", "")
		f.Add(cookie[:len(cookie)-1], "")
	}
	f.Add("__Host-session", "__Host-session="+strings.Repeat("x", 200))
	f.Fuzz(func(t *testing.T, first, second string) {
		r := withCookies(t, first, second)
		if got, want := verdict(p.byHash.Authenticate(r)), verdict(p.byDigest.Authenticate(r)); got != want {
			t.Errorf("%q, %q: got  %s\nwant %s", first, second, got, want)
		}
	})
}

func TestUnitAStoreThatEmbedsOneInMemoryIsAskedByItsOwnFind(t *testing.T) {
	store := &ownFind{MemoryStore: session.NewMemoryStore()}
	sessions := must(session.New(session.Config{Store: store, LoadUser: func(context.Context, string) (
		auth.User, error) {
		return &person{"alice", "a1"}, nil
	}}))
	cookie := started(t, sessions, &person{"alice", "a1"})
	for range 2 {
		if _, _, err := sessions.Authenticate(withCookies(t, cookie)); err != nil {
			t.Error(err)
		}
	}
	if store.asked != 2 {
		t.Errorf("its Find was asked %d times, want 2", store.asked)
	}
	t.Run("a store in memory answers for itself only", func(t *testing.T) {
		if store.HashFinder(store) != nil || store.HashFinder(nil) != nil ||
			store.HashFinder(store.MemoryStore) == nil {
			t.Error("it looks up by hash for another store, or not for itself")
		}
	})
}

// asked is a store that returns copies of its records, and counts what it is asked.
type asked struct {
	*session.MemoryStore
	byHash, byDigest int
}

func (s *asked) Find(ctx context.Context, digest string) (*session.Record, error) {
	s.byDigest++
	return s.MemoryStore.Find(ctx, digest)
}

func (s *asked) HashFinder(session.Store) session.FindHash {
	find := s.MemoryStore.HashFinder(s.MemoryStore)
	return func(ctx context.Context, hash [32]byte) (*session.Record, error) {
		s.byHash++
		record, err := find(ctx, hash)
		if record == nil {
			return nil, err
		}
		copied := *record
		return &copied, err
	}
}

func TestUnitAStoreIsAskedOnceForARecordWithoutACache(t *testing.T) {
	store := &asked{MemoryStore: session.NewMemoryStore()}
	load := func(_ context.Context, id string) (auth.User, error) { return &person{id, "a1"}, nil }
	sessions := must(session.New(session.Config{Store: store, LoadUser: load}))
	cookie := started(t, sessions, &person{"alice", "a1"})
	store.byHash, store.byDigest = 0, 0
	if _, _, err := sessions.Authenticate(withCookies(t, cookie)); err != nil || store.byHash != 1 ||
		store.byDigest != 0 {
		t.Errorf("want one question by hash, got %d, %d by digest and %v", store.byHash, store.byDigest, err)
	}
}
