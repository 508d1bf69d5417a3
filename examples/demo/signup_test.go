package main

import (
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/gatewarden/auth/password"
)

func TestUnitSignUp(t *testing.T) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	memory := engine{name: "memory", address: func(*testing.T) string { return "memory:" }}
	for _, engine := range append(slices.Clone(engines), memory) {
		t.Run(engine.name, func(t *testing.T) { checkSignUp(t, engine.address(t), hasher) })
	}
}

func checkSignUp(t *testing.T, where string, hasher *password.Hasher) {
	s, err := openStores(t.Context(), where, hasher, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	signUp := func(id string) string {
		user, err := s.users.signUp(t.Context(), id, "github-1")
		if err != nil {
			t.Error(err)
			return ""
		}
		return user.UserID()
	}
	t.Run("of 32 logins at once with one id all have one user", func(t *testing.T) {
		names := make([]string, 32)
		var all sync.WaitGroup
		for i := range names {
			all.Go(func() { names[i] = signUp("id") })
		}
		all.Wait()
		for i, name := range names {
			if name != "github-1" {
				t.Errorf("login %d: got %q", i, name)
			}
		}
	})
	t.Run("another id has another user", func(t *testing.T) {
		if got := signUp("other"); got != "github-1-2" {
			t.Errorf("got %q, want the next name that is free", got)
		}
	})
}
