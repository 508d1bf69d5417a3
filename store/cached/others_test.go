package cached_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
)

// counted are stores that count what is asked of them.
type (
	countedSessions struct {
		session.Store
		asked int
	}
	countedOAuth struct {
		server.Store
		asked int
	}
	countedJWT struct {
		jwt.Store
		asked int
	}
)

func (s *countedSessions) Find(ctx context.Context, digest string) (*session.Record, error) {
	s.asked++
	return s.Store.Find(ctx, digest)
}

func (s *countedOAuth) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	s.asked++
	return s.Store.FindAccess(ctx, digest)
}

func (s *countedOAuth) Client(ctx context.Context, id string) (*server.Client, error) {
	s.asked++
	return s.Store.Client(ctx, id)
}

func (s *countedJWT) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	s.asked++
	return s.Store.Revoked(ctx, c, now)
}

// wantAsked fails unless look asks the store so often.
func wantAsked(t *testing.T, asked *int, want int, what string, look func()) {
	t.Helper()
	before := *asked
	look()
	if got := *asked - before; got != want {
		t.Errorf("%s: the store was asked %d times, want %d", what, got, want)
	}
}

func TestUnitASession(t *testing.T) {
	newStore := func(t *testing.T) (*countedSessions, *cached.SessionStore, func(digest string) *session.Record) {
		t.Helper()
		counted := &countedSessions{Store: session.NewMemoryStore()}
		store := must[*cached.SessionStore](t)(cached.Sessions(counted, minute))
		now := time.Now()
		r := &session.Record{Digest: "a", ID: "1", UserID: "alice", Created: now, ExpiresAt: now.Add(time.Hour),
			MaxExpiresAt: now.Add(time.Hour)}
		if _, err := store.Add(t.Context(), r, "", 0, false, now); err != nil {
			t.Fatal(err)
		}
		return counted, store, func(digest string) *session.Record {
			t.Helper()
			found, err := store.Find(t.Context(), digest)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	t.Run("is looked up once, and again after it was forgotten", func(t *testing.T) {
		counted, store, find := newStore(t)
		wantAsked(t, &counted.asked, 1, "twice", func() { find("a"); find("a") })
		store.Forget("alice")
		wantAsked(t, &counted.asked, 1, "forgotten", func() { find("a"); find("a") })
		store.ForgetAll()
		wantAsked(t, &counted.asked, 1, "all forgotten", func() { find("a"); find("a") })
		resume := store.Suspend()
		wantAsked(t, &counted.asked, 2, "suspended", func() { find("a"); find("a") })
		resume()
		wantAsked(t, &counted.asked, 1, "resumed", func() { find("a"); find("a") })
	})
	t.Run("that got another cookie is a tombstone by the old one, which is looked up each time", func(t *testing.T) {
		counted, store, find := newStore(t)
		successor := *find("a")
		successor.Digest = "b"
		if ok, err := store.Replace(t.Context(), "a", &successor, time.Now()); !ok || err != nil {
			t.Fatalf("Replace: got %v, %v, want true", ok, err)
		}
		wantAsked(t, &counted.asked, 2, "the tombstone", func() {
			for range 2 {
				if got := find("a"); got == nil || !got.IsTombstone() {
					t.Errorf("got %+v, want a tombstone", got)
				}
			}
		})
		if got := find("b"); got == nil || got.IsTombstone() {
			t.Errorf("got %+v, want the session", got)
		}
	})
}

func TestUnitALoginOfJWTs(t *testing.T) {
	counted := &countedJWT{Store: jwt.NewMemoryStore()}
	store := must[*cached.JWTStore](t)(cached.JWT(counted, minute))
	now := time.Now()
	for _, id := range []string{"1", "2"} {
		family := &jwt.Session{ID: id, UserID: "alice", Created: now, ExpiresAt: now.Add(time.Hour)}
		first := &jwt.Refresh{Digest: id + " first", SessionID: id, Issued: now, ExpiresAt: now.Add(time.Hour)}
		if _, err := store.Start(t.Context(), family, first, nil, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	revoked := func(c jwt.Claimed, want bool) {
		t.Helper()
		for range 2 {
			if got, err := store.Revoked(t.Context(), c, time.Now()); got != want || err != nil {
				t.Errorf("%+v: got %v, %v, want %v", c, got, err, want)
			}
		}
	}
	access := jwt.Claimed{SessionID: "1", UserID: "alice", IssuedAt: now}
	later := access
	later.IssuedAt = now.Add(time.Minute)
	sliding := jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 first"}
	wantAsked(t, &counted.asked, 1, "all access tokens of a login", func() {
		revoked(access, false)
		revoked(later, false)
	})
	wantAsked(t, &counted.asked, 2, "a sliding token", func() { revoked(sliding, false) })
	if ok, err := store.Revoke(t.Context(), "alice", "1", time.Now()); !ok || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", ok, err)
	}
	wantAsked(t, &counted.asked, 2, "a login that ended", func() { revoked(access, true) })
	access.SessionID = "2"
	revoked(access, false)
	if _, err := counted.RevokeAll(t.Context(), "alice", "", "", time.Now()); err != nil { // another process
		t.Fatal(err)
	}
	wantAsked(t, &counted.asked, 0, "a login that ended elsewhere", func() { revoked(access, false) })
	store.Forget("alice")
	revoked(access, true)
}

func TestUnitAnAccessTokenOfOAuth(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	newStore := func(t *testing.T) (*countedOAuth, *cached.OAuthStore, func(want bool)) {
		t.Helper()
		counted := &countedOAuth{Store: server.NewMemoryStore()}
		fresh := func() (*cached.OAuthStore, error) { return cached.OAuth(counted, minute) }
		store := must[*cached.OAuthStore](t)(cached.Apart(fresh, "alice", "bob"))
		web := &server.Client{ID: "web", Created: now, Updated: now}
		if _, err := store.AddClient(t.Context(), web, 0); err != nil {
			t.Fatal(err)
		}
		grant := &server.Grant{ID: "1", ClientID: "web", UserID: "alice", SessionID: "s", Created: now,
			ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour),
			Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}}}
		tokens := server.Tokens{
			Access:  &server.Access{Digest: "a", ID: "a", GrantID: "1", Issued: now, ExpiresAt: now.Add(time.Hour)},
			Refresh: &server.Refresh{Digest: "r", GrantID: "1", Issued: now, ExpiresAt: now.Add(time.Hour)}}
		if added, err := store.Start(t.Context(), grant, tokens, 0, false); !added.OK() || err != nil {
			t.Fatalf("Start: got %v, %v, want OK", added, err)
		}
		return counted, store, func(want bool) {
			t.Helper()
			access, grant, err := store.FindAccess(t.Context(), "a")
			if got := access != nil && grant.Live(time.Now()); got != want || err != nil {
				t.Errorf("got %+v of %+v, %v, want a good token: %v", access, grant, err, want)
			}
		}
	}
	for name, end := range endings(now) {
		t.Run("is refused at once after "+name, func(t *testing.T) {
			counted, store, find := newStore(t)
			wantAsked(t, &counted.asked, 1, "twice", func() { find(true); find(true) })
			if err := end(t, store); err != nil {
				t.Fatal(err)
			}
			find(false)
		})
	}
	t.Run("is believed until it is forgotten, if another process ended it", func(t *testing.T) {
		for _, forget := range []func(store *cached.OAuthStore){
			func(store *cached.OAuthStore) { store.Forget("alice") },
			func(store *cached.OAuthStore) { store.Forget("client:web") },
			func(store *cached.OAuthStore) { store.ForgetGrant("1") },
			func(store *cached.OAuthStore) { store.ForgetToken("a") },
		} {
			counted, store, find := newStore(t)
			find(true)
			if _, err := counted.End(t.Context(), "1", now); err != nil {
				t.Fatal(err)
			}
			store.Forget("bob")
			wantAsked(t, &counted.asked, 0, "another user", func() { find(true) })
			forget(store)
			find(false)
		}
	})
}

func TestUnitAClientOfOAuth(t *testing.T) {
	counted := &countedOAuth{Store: server.NewMemoryStore()}
	store := must[*cached.OAuthStore](t)(cached.OAuth(counted, minute))
	now := time.Now().UTC().Truncate(time.Microsecond)
	named := func(want string) {
		t.Helper()
		if c, err := store.Client(t.Context(), "web"); err != nil || c.Name != want {
			t.Errorf("got %+v, %v, want the name %q", c, err, want)
		}
	}
	change := func(s server.Store, name string, was, updated time.Time, want bool) {
		t.Helper()
		changed := &server.Client{ID: "web", Name: name, Created: now, Updated: updated}
		if ok, _, err := s.ChangeClient(t.Context(), changed, was); ok != want || err != nil {
			t.Fatalf("got %v, %v, want %v", ok, err, want)
		}
	}
	web := &server.Client{ID: "web", Name: "one", Created: now, Updated: now}
	if _, err := store.AddClient(t.Context(), web, 0); err != nil {
		t.Fatal(err)
	}
	wantAsked(t, &counted.asked, 1, "twice", func() { named("one"); named("one") })
	change(store, "two", now, now.Add(time.Second), true)
	named("two")
	change(counted, "three", now.Add(time.Second), now.Add(2*time.Second), true) // another process
	named("two")
	change(store, "four", now.Add(time.Second), now.Add(3*time.Second), false)
	named("three") // as a caller must see that comes again
	change(counted, "five", now.Add(2*time.Second), now.Add(4*time.Second), true)
	store.Forget("client:web")
	named("five")
}

// endings are what ends the access token of TestUnitAnAccessTokenOfOAuth.
func endings(now time.Time) map[string]func(t *testing.T, s server.Store) error {
	return map[string]func(t *testing.T, s server.Store) error{
		"End":        func(t *testing.T, s server.Store) error { return errorOf(s.End(t.Context(), "1", now)) },
		"EndSession": func(t *testing.T, s server.Store) error { return errorOf(s.EndSession(t.Context(), "s", now)) },
		"EndAll": func(t *testing.T, s server.Store) error {
			return errorOf(s.EndAll(t.Context(), "alice", "", "", now))
		},
		"Withdraw": func(t *testing.T, s server.Store) error {
			return errorOf(s.Withdraw(t.Context(), "alice", "web", now))
		},
		"RemoveAccess": func(t *testing.T, s server.Store) error {
			return errorOf(s.RemoveAccess(t.Context(), "a"))
		},
		"RemoveClient": func(t *testing.T, s server.Store) error {
			_, _, err := s.RemoveClient(t.Context(), "web", now)
			return err
		},
		"ChangeClient": func(t *testing.T, s server.Store) error {
			disabled := &server.Client{ID: "web", Disabled: true, Created: now, Updated: now.Add(1)}
			_, _, err := s.ChangeClient(t.Context(), disabled, now)
			return err
		},
		"a refresh token that was used twice": func(t *testing.T, s server.Store) error {
			for _, next := range []string{"b", "c"} {
				expires := now.Add(time.Hour)
				tokens := server.Tokens{
					Access:  &server.Access{Digest: next, ID: next, GrantID: "1", Issued: now, ExpiresAt: expires},
					Refresh: &server.Refresh{Digest: next, GrantID: "1", Issued: now, ExpiresAt: expires}}
				if _, err := s.Rotate(t.Context(), "r", now, 0, tokens); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// errorOf returns the error of two results.
func errorOf[T any](_ T, err error) error { return err }
