package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func TestUnitSignUpIsOneTransaction(t *testing.T) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"memory", "sqlite:" + filepath.Join(t.TempDir(), "demo.db")} {
		t.Run("a sign-up that fails at its last statement leaves no user, in "+where, func(t *testing.T) {
			s, err := openStores(t.Context(), where, hasher, slog.Default())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.close() })
			if _, err := s.users.userTable.(*sqlUsers).exec(t.Context(),
				`CREATE TRIGGER down BEFORE UPDATE ON demo_signups
				BEGIN SELECT RAISE(ABORT, 'down'); END`); err != nil {
				t.Fatal(err)
			}
			if _, err := s.users.signUp(t.Context(), "id", "github-1"); err == nil {
				t.Fatal("the sign-up did not fail")
			}
			if _, err := s.users.find(t.Context(), "github-1"); !errors.Is(err, auth.ErrUserNotFound) {
				t.Errorf("got %v: there is a user that no id leads to", err)
			}
		})
	}
}
