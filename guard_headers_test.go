package auth_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/gatewarden/auth"
)

// varier reads only what it says.
type varier struct {
	*backend
	headers []string
}

func (v varier) Vary() []string { return v.headers }

func (v varier) Unwrap() auth.Authenticator { return v.backend }

func TestNoSharedCacheServesOneUsersAnswerToAnother(t *testing.T) {
	g := guardOf(t, tokens("Token"))
	for name, row := range map[string]struct {
		h       http.Handler
		header  []string
		control []string
	}{
		"a proved answer is private": {g.Require()(whoami), []string{"Authorization", "Token good-a"},
			[]string{"private"}},
		"so is one of Optional": {g.Optional()(whoami), []string{"Authorization", "Token good-a"},
			[]string{"private"}},
		"and one behind two layers, once": {g.Require()(g.Require()(whoami)),
			[]string{"Authorization", "Token good-a"}, []string{"private"}},
		"an anonymous answer may be kept, by Vary": {g.Optional()(whoami), nil, nil},
		"a refusal is not stored":                  {g.Require()(whoami), nil, []string{"no-store"}},
		"a refusal further in is not stored": {g.Require()(g.Require(auth.Scopes("x"))(whoami)),
			[]string{"Authorization", "Token good-a"}, []string{"no-store"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(row.h, row.header...)
			if got, want := w.Header()["Vary"], []string{"Authorization, Cookie"}; !reflect.DeepEqual(got, want) {
				t.Errorf("Vary %q, want %q", got, want)
			}
			if got := w.Header()["Cache-Control"]; !reflect.DeepEqual(got, row.control) {
				t.Errorf("Cache-Control %q, want %q", got, row.control)
			}
		})
	}
}

func TestVaryNamesWhatTheBackendsRead(t *testing.T) {
	g := guardOf(t, varier{speaking("Token", auth.ErrNoCredentials), []string{"x-api-key", "Authorization"}})
	if got := get(g.Optional()(whoami)).Header().Get("Vary"); got != "Authorization, X-Api-Key" {
		t.Errorf("Vary %q", got)
	}
	g = guardOf(t, varier{speaking("Token", auth.ErrNoCredentials), nil})
	if got, ok := get(g.Optional()(whoami)).Header()["Vary"]; ok {
		t.Errorf("Vary %q of a backend that reads no header", got)
	}
	outer := guardOf(t, guardOf(t, varier{speaking("Token", nil), []string{"X-Api-Key"}}))
	if got := get(outer.Require()(whoami)).Header().Get("Vary"); got != "X-Api-Key" {
		t.Errorf("Vary %q of a guard as a backend", got)
	}
}

func TestVaryOfOthersIsKept(t *testing.T) {
	g := guardOf(t, tokens("Token"))
	for _, header := range [][]string{nil, {"Authorization", "Token good-a"}, {"Authorization", "Token bad"}} {
		w := do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Accept-Encoding")
			g.Optional()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Add("Vary", "Accept")
				w.Header().Add("Cache-Control", "max-age=5")
			})).ServeHTTP(w, r)
		}), request("GET", "/", header...))
		want := []string{"Accept-Encoding", "Authorization, Cookie", "Accept"}
		if w.Code != 200 {
			want = want[:2]
		}
		if got := w.Header()["Vary"]; !reflect.DeepEqual(got, want) {
			t.Errorf("Vary %q, want %q", got, want)
		}
	}
}

func TestAHandlerMayOverrideCaching(t *testing.T) {
	g := guardOf(t, tokens("Token"))
	h := g.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Vary", "Origin")
	}))
	for range 2 { // the second answer must not see what the first handler did
		w := get(h, "Authorization", "Token good-a")
		if w.Header().Get("Cache-Control") != "public, max-age=60" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("headers %v", w.Header())
		}
	}
	if w := get(g.Require()(whoami), "Authorization", "Token good-a"); w.Header().Get("Cache-Control") != "private" {
		t.Errorf("headers %v", w.Header())
	}
}
