package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

func TestUnitTheCeilingOfTheAuthorizationHeaderIsASetting(t *testing.T) {
	backend := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		if _, _, err := auth.TokenFrom(r, "Bearer"); err != nil {
			return nil, nil, err
		}
		return auth.Machine{ID: "one"}, nil, nil
	})
	bearer := []auth.Challenge{{Scheme: "Bearer"}}
	for most, good := range map[int]bool{-1: false, 1: false, 8<<10 - 1: false, 0: true, 8 << 10: true, 64 << 10: true,
		64<<10 + 1: false} {
		_, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}, Challenges: bearer,
			MaxAuthorization: most})
		if (err == nil) != good {
			t.Errorf("MaxAuthorization %d: want accepted to be %v, got %v", most, good, err)
		}
	}
	for _, row := range []struct{ most, length, want int }{
		{0, 8 << 10, 200}, {0, 8<<10 + 1, 400}, {12 << 10, 8<<10 + 1, 200}, {12 << 10, 12 << 10, 200},
		{12 << 10, 12<<10 + 1, 400}, {64 << 10, 64 << 10, 200}, {64 << 10, 64<<10 + 1, 400},
	} {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}, Challenges: bearer,
			MaxAuthorization: row.most})
		if err != nil {
			t.Fatal(err)
		}
		line := "Bearer " + strings.Repeat("a", row.length-len("Bearer "))
		h := guard.Require(auth.AllowMachines)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, request("GET", "/", "Authorization", line)); w.Code != row.want {
			t.Errorf("a ceiling of %d and %d bytes: want %d, got %d %s", row.most, row.length, row.want, w.Code, w.Body)
		}
	}
	t.Run("of another guard does not count", func(t *testing.T) {
		make := func(most int, backend auth.Authenticator) *auth.Guard {
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}, Challenges: bearer,
				MaxAuthorization: most})
			if err != nil {
				t.Fatal(err)
			}
			return guard
		}
		strict := make(0, backend)
		asks := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			return strict.Authenticate(r)
		})
		outer := make(64<<10, asks)
		h := outer.Require(auth.AllowMachines)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		w := httptest.NewRecorder()
		long := "Bearer " + strings.Repeat("a", 20<<10)
		if h.ServeHTTP(w, request("GET", "/", "Authorization", long)); w.Code != http.StatusBadRequest {
			t.Errorf("a guard of 8 KiB behind one of 64 KiB: want 400 for 20 KiB, got %d", w.Code)
		}
	})
}
