package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

func TestASessionStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.Sessions(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	record := func(user string, i int) *session.Record {
		created := now.Add(time.Duration(i) * time.Second)
		return &session.Record{Digest: fmt.Sprint(user, i), ID: fmt.Sprint(i), UserID: user, Created: created,
			LastUsed:  created,
			ExpiresAt: now.Add(time.Hour), Idle: time.Hour, MaxExpiresAt: now.Add(time.Hour)}
	}
	state := func(user string) (ids []string) {
		records, err := store.List(t.Context(), user, "", 1000, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		for i := 1; i <= 3; i++ {
			if r, err := store.Find(t.Context(), record(user, i).Digest); err != nil {
				t.Fatal(err)
			} else if r != nil && r.IsTombstone() {
				ids = append(ids, "tombstone "+r.ID)
			}
		}
		return ids
	}
	prepare := func(user string) {
		// Purging takes those of all users.
		if _, err := store.Purge(t.Context(), now.Add(24*time.Hour), 100); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 3; i++ {
			if _, err := store.Add(t.Context(), record(user, i), "", 0, false, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.failEach(t, prepare, state, []faultRow{
		{"a login in place of one, that evicts another", func(user string) error {
			_, err := store.Add(t.Context(), record(user, 9), record(user, 2).Digest, 2, true, now)
			return err
		}, []string{"9", "3", "tombstone 2"}, 8},
		{"a login over the limit", func(user string) error {
			added, err := store.Add(t.Context(), record(user, 9), record(user, 2).Digest, 2, false, now)
			if added.OverLimit != (err == nil) || added.Replaced != nil {
				t.Errorf("%+v with error %v", added, err)
			}
			return err
		}, []string{"3", "2", "1"}, 4},
		{"replacing", func(user string) error {
			successor := record(user, 3)
			successor.Digest += " after"
			replaced, err := store.Replace(t.Context(), record(user, 3).Digest, successor, now)
			if replaced != (err == nil) {
				t.Errorf("replaced %v with error %v", replaced, err)
			}
			return err
		}, []string{"3", "2", "1", "tombstone 3"}, 5},
		{"revoking all others", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, record(user, 2).Digest)
			return err
		}, []string{"2"}, 4},
		{"purging", func(string) error {
			purged, err := store.Purge(t.Context(), now.Add(time.Hour), 10)
			if (len(purged) == 3) != (err == nil) {
				t.Errorf("purged %v with error %v", purged, err)
			}
			return err
		}, nil, 4},
	})
}

// TestNothingOnTheDiskIsACookieAndNothingOutlivesALogout runs a service over
// SQLite, with real connections.
func TestNothingOnTheDiskIsACookieAndNothingOutlivesALogout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	store, err := sqlstore.Sessions(t.Context(), openSQLite(t, path))
	if err != nil {
		t.Fatal(err)
	}
	alice := benchUser("alice")
	sessions, err := session.New(session.Config{Store: store, Lifetime: session.Lifetime{Idle: time.Minute,
		Absolute: time.Hour},
		TouchInterval: time.Nanosecond, LoadUser: func(context.Context, string) (auth.User, error) {
			return alice, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	unused := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrNoCredentials
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{sessions}, Login: []auth.Authenticator{unused},
		Challenges: []auth.Challenge{{Scheme: "Cookie"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := sessions.Handlers(guard) // for all but the login
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	mux.Handle("GET /me", guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	server := httptest.NewServer(mux)
	defer server.Close()

	for range 4 {
		login := httptest.NewRecorder()
		if _, err := sessions.SignIn(login, httptest.NewRequest("POST", "https://app.example/", nil), alice,
			session.Options{}); err != nil {
			t.Fatal(err)
		}
		first := login.Result().Cookies()[0]
		var mu sync.Mutex
		given := []*http.Cookie{first}
		send := func(method, path string, c *http.Cookie) int {
			r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			r.Header.Set("Cookie", c.Name+"="+c.Value)
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return 0
			}
			answer.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			for _, c := range answer.Cookies() {
				if c.Value != "" {
					given = append(given, c)
				}
			}
			return answer.StatusCode
		}
		if status := send("GET", "/me", first); status != 200 {
			t.Fatalf("before: %d", status)
		}
		var group sync.WaitGroup
		for i := range 24 {
			group.Go(func() {
				method, path, want := "GET", "/me", 200
				switch {
				case i == 12:
					method, path, want = "POST", "/session/logout", 303
				case i%4 == 0: // each gives the session another cookie
					method, path, want = "DELETE", "/session/sessions", 204
				}
				if status := send(method, path, first); status != want && status != 401 {
					t.Errorf("%s %s: %d", method, path, status)
				}
			})
		}
		group.Wait()
		for _, c := range given {
			if status := send("GET", "/me", c); status != 401 {
				t.Errorf("of %d cookies one is still good: %d", len(given), status)
			}
		}
		for _, name := range []string{path, path + "-wal"} {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if name == path+"-wal" && !bytes.Contains(content, []byte("alice")) {
				t.Error("the user is not on the disk either: this proves nothing")
			}
			for _, c := range given {
				if bytes.Contains(content, []byte(c.Value[3:])) {
					t.Errorf("%s has a cookie", name)
				}
			}
		}
	}
}

func BenchmarkSessionSQLite(b *testing.B) {
	db, _, _, _, loadUser := sqliteWithToken(b)
	store, err := sqlstore.Sessions(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	sessions, err := session.New(session.Config{Store: store, LoadUser: loadUser})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{sessions}})
	if err != nil {
		b.Fatal(err)
	}
	login := httptest.NewRecorder()
	if _, err := sessions.SignIn(login, httptest.NewRequest("POST", "https://app.example/", nil), benchUser("alice"),
		session.Options{}); err != nil {
		b.Fatal(err)
	}
	handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(login.Result().Cookies()[0])
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
