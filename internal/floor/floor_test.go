package floor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth/internal/floor"
)

type user struct{ id string }

func TestUnit(t *testing.T) {
	var table floor.Table
	table.Add("secret", "alice")
	find := floor.FinderOf(&table, map[string]*user{"alice": {"alice"}})
	var seen *user
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen, _ = floor.UserFrom[*user](r.Context())
	})
	inHeader, inCookie := floor.Header("Token", find, next), floor.Cookie("session", find, next)
	noUser := floor.Header("Token", floor.FinderOf(&table, map[string]*user{}), next)

	for name, row := range map[string]struct {
		handler       http.Handler
		header, value string
		status        int
	}{
		"a known token in the header passes":     {inHeader, "Authorization", "Token secret", 200},
		"an unknown token in the header is 401":  {inHeader, "Authorization", "Token other", 401},
		"another scheme is 401":                  {inHeader, "Authorization", "Bearer secret", 401},
		"a known token in the cookie passes":     {inCookie, "Cookie", "a=b; session=secret", 200},
		"an unknown token in the cookie is 401":  {inCookie, "Cookie", "session=other", 401},
		"a request without the cookie is 401":    {inCookie, "Cookie", "other=secret", 401},
		"a request without the header is 401":    {inHeader, "X-Other", "Token secret", 401},
		"a token whose user is not there is 401": {noUser, "Authorization", "Token secret", 401},
	} {
		t.Run(name, func(t *testing.T) {
			seen = nil
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set(row.header, row.value)
			w := httptest.NewRecorder()
			row.handler.ServeHTTP(w, r)
			if w.Code != row.status || (seen != nil) != (row.status == 200) {
				t.Errorf("got status %d and user %v, want status %d", w.Code, seen, row.status)
			}
		})
	}

	t.Run("One knows its token, and 9,999 others", func(t *testing.T) {
		find := floor.TenThousand("secret", &user{"alice"})
		if found, ok := find("secret"); !ok || found.id != "alice" {
			t.Errorf("got %v and %t, want alice", found, ok)
		}
		if _, ok := find("unknown"); ok {
			t.Error("a token that was not added is found")
		}
	})

	t.Run("a look-up allocates nothing", func(t *testing.T) {
		if n := testing.AllocsPerRun(100, func() { table.Find("secret") }); n != 0 {
			t.Errorf("got %v allocations, want 0", n)
		}
	})
}
