package knox_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

// TestAChangeOfPasswordThroughTheWholeStack has the one thing that the tests of
// no single package has: password.Change, with Tokens as its Revoker.
func TestAChangeOfPasswordThroughTheWholeStack(t *testing.T) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := hasher.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	load := func(context.Context, string) (auth.User, error) {
		mu.Lock()
		defer mu.Unlock()
		return &person{"alice", stored}, nil
	}
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load, KeepEnded: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	logins, err := password.New(password.Config{Hasher: hasher, Account: func(ctx context.Context, username string) (
		auth.User, string, error) {
		user, err := load(ctx, username)
		return user, user.(*person).stamp, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{logins}})
	if err != nil {
		t.Fatal(err)
	}
	change, err := password.NewChange(guard, password.ChangeConfig{Authenticator: logins,
		UpdateConfig: password.UpdateConfig{
			Hasher: hasher, LoadUser: load, Revokers: []auth.Revoker{tokens},
			Set: func(_ context.Context, _ auth.User, encoded string) error {
				mu.Lock()
				defer mu.Unlock()
				stored = encoded
				return nil
			},
		}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	mux.Handle("/auth/password/{$}", change)
	mux.Handle("/me", guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	s := &service{t: t, handler: mux, tokens: tokens}
	logIn := func(password string) answer {
		return s.do("POST", "/auth/login/", "", `{"username": "alice", "password": "`+password+`", "name": "phone"}`)
	}

	current := logIn("correct horse battery").json(t)["token"].(string)
	other := logIn("correct horse battery").json(t)["token"].(string)
	if s.me(current) != 200 || s.me(other) != 200 {
		t.Fatal("no login")
	}
	got := s.do("POST", "/auth/password/", "Token "+current,
		`{"old": "correct horse battery", "new": "a quite different one"}`)
	if got.status != 204 {
		t.Fatalf("got %d %s, want 204", got.status, got.text)
	}
	if s.me(current) != 200 || s.me(other) != 401 {
		t.Errorf("the token in use: %d, the other: %d", s.me(current), s.me(other))
	}
	if logIn("correct horse battery").status != 401 || logIn("a quite different one").status != 200 {
		t.Error("the password was not changed")
	}
	if items := s.ended("Token " + current); len(items) != 1 || items[0]["reason"] != "revoked_all" ||
		items[0]["name"] != "phone" {
		t.Errorf("got %v, want one ended token named phone, with the reason revoked_all", items)
	}
}
