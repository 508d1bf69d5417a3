package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

func TestUnitAnswersWithExtensions(t *testing.T) {
	var err error
	guard, e := auth.New(auth.Config{Logger: slog.New(slog.DiscardHandler),
		Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, err
		})}})
	if e != nil {
		t.Fatal(e)
	}
	h := guard.Require()(http.NotFoundHandler())
	refusal := func(extensions map[string]any) error {
		return &auth.Error{Kind: auth.ErrInvalid, Detail: "x", Extensions: extensions, Cause: auth.ErrUserNotFound}
	}
	answer := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Body.String()
	}
	shared := map[string]any{"messages": "shared"}
	t.Run("each has its own, also of hundreds", func(t *testing.T) {
		for n := range 300 {
			each := strings.Repeat("y", n)
			for _, extensions := range []map[string]any{shared, {"messages": each}} {
				err = refusal(extensions)
				got, want := answer(), `"messages":"`+extensions["messages"].(string)+`"`
				if !strings.Contains(got, want) {
					t.Fatalf("want %s in %s", want, got)
				}
			}
		}
	})
	t.Run("one that errors share allocates nothing", func(t *testing.T) {
		w, r := &reused{header: http.Header{}}, httptest.NewRequest("GET", "/", nil)
		err = refusal(shared)
		if n := testing.AllocsPerRun(100, func() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}); n != 0 {
			t.Errorf("want no allocation, got %v", n)
		}
	})
}
