package backend_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth/backend"
)

// exactMux matches whole paths, as chi does, and trees where a pattern ends with a
// slash and *.
type exactMux map[string]http.Handler

func (m exactMux) Handle(pattern string, h http.Handler) { m[pattern] = h }

// treeMux is a ServeMux that no caller can tell to be one.
type treeMux struct{ mux *http.ServeMux }

func (m treeMux) Handle(pattern string, h http.Handler) { m.mux.Handle(pattern, h) }

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, text+r.PathValue("id"))
	})
}

var routes = backend.Routes{
	{Path: "/", Handler: says("root")},
	{Path: "/login/", Handler: says("login")},
	{Path: "/tokens/{id}/", Handler: says("token ")},
	{Path: "/sessions/{id}", Handler: says("session ")},
}

func TestRoutesAreForTheirPathAloneOnEveryRouter(t *testing.T) {
	plain, hidden := http.NewServeMux(), http.NewServeMux()
	routes.Register(plain, "/auth")
	routes.Register(treeMux{hidden}, "/auth")
	for path, want := range map[string]string{
		"/auth/": "root", "/auth/login/": "login", "/auth/tokens/7/": "token 7", "/auth/sessions/7": "session 7",
		"/auth/login/x": "404", "/auth/x/": "404", "/auth/tokens/7/x": "404", "/auth/tokens/7/x/": "404",
		"/auth/sessions/": "404", "/x/auth/login/": "404",
	} {
		for name, mux := range map[string]*http.ServeMux{"ServeMux": plain, "a wrapped ServeMux": hidden} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
			if got := w.Body.String(); w.Code != 404 && got != want || w.Code == 404 && want != "404" {
				t.Errorf("%s, %s: %d %q, want %q", name, path, w.Code, got, want)
			}
		}
	}
	exact := exactMux{}
	routes.Register(exact, "/auth")
	for _, pattern := range []string{"/auth/", "/auth/login/", "/auth/tokens/{id}/", "/auth/sessions/{id}"} {
		if exact[pattern] == nil {
			t.Errorf("no handler at %q, where chi looks for it: %v", pattern, exact)
		}
	}
	// chi keeps the whole path below a prefix of its own.
	w := httptest.NewRecorder()
	exact["/auth/login/"].ServeHTTP(w, httptest.NewRequest("POST", "/api/auth/login/", nil))
	if w.Body.String() != "login" {
		t.Errorf("below another prefix: %d %q", w.Code, w.Body)
	}
}

func TestAPrefixThatCanNeverMatchIsRefused(t *testing.T) {
	for prefix, ok := range map[string]bool{"": true, "/auth": true, "/api/v1": true, "/t/{tenant}": true,
		"/": false, "/auth/": false, "auth": false, "//": false, "/a//b": false, "/a/./b": false, "/a/..": false} {
		if err := backend.CheckPrefix(prefix); ok != (err == nil) {
			t.Errorf("CheckPrefix(%q) returned %v", prefix, err)
		}
	}
}
