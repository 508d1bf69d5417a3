package backend

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/gatewarden/auth"
)

// Route is a handler and where it is served below a prefix.
type Route struct {
	// Path starts with a slash, such as "/login/" or "/tokens/{id}/". One that
	// ends with a slash is for that path alone, not for those below it.
	Path    string
	Handler http.Handler
}

// Routes are the handlers of a backend. Each authenticates its requests itself.
type Routes []Route

// Register registers the routes below prefix, which is "" or a path such as
// "/auth" without a slash at its end. It panics, as ServeMux.Handle does, if no
// request could ever match: a prefix without a slash at its start, with one at
// its end, or with two in a row.
func (rs Routes) Register(mux auth.Mux, prefix string) {
	if err := CheckPrefix(prefix); err != nil {
		panic(err)
	}
	for _, route := range rs {
		pattern := prefix + route.Path
		if !strings.HasSuffix(pattern, "/") {
			mux.Handle(pattern, route.Handler)
		} else if _, ok := mux.(auth.Router); ok { // of ServeMux, where a slash means a tree
			mux.Handle(pattern+"{$}", route.Handler)
		} else {
			mux.Handle(pattern, exactly(pattern, route.Handler))
		}
	}
}

// Open returns the option that leaves the routes below prefix to their handlers,
// for [auth.Guard.Protect]. It panics as Register does.
func (rs Routes) Open(prefix string) auth.RouteOption {
	if err := CheckPrefix(prefix); err != nil {
		panic(err)
	}
	patterns := make([]string, len(rs))
	for i, route := range rs {
		patterns[i] = prefix + route.Path
		if strings.HasSuffix(patterns[i], "/") {
			patterns[i] += "{$}"
		}
	}
	return auth.Open(patterns...)
}

// CheckPrefix returns an error for a prefix below which no route can ever match.
func CheckPrefix(prefix string) error {
	if prefix != "" && (prefix[0] != '/' || path.Clean(prefix) != prefix || prefix == "/") {
		return fmt.Errorf(`backend: no request matches below the prefix %q: use "" or a path such as "/auth"`, prefix)
	}
	return nil
}

// exactly answers 404 to paths below the one that a route is for: some routers
// send them here. The router itself may be mounted below another prefix.
func exactly(pattern string, next http.Handler) http.Handler {
	want := strings.Split(pattern, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		have := strings.Split(r.URL.Path, "/")
		ok := len(have) >= len(want)
		for i := 1; ok && i <= len(want); i++ {
			segment, wanted := have[len(have)-i], want[len(want)-i]
			ok = segment == wanted || isValueOf(r, wanted, segment) || i == len(want)
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isValueOf reports whether a segment is the value of a wildcard, as the router
// told it, or any value if the router did not.
func isValueOf(r *http.Request, wildcard, segment string) bool {
	name, ok := strings.CutPrefix(wildcard, "{")
	if !ok || segment == "" {
		return false
	}
	value := r.PathValue(strings.TrimSuffix(name, "}"))
	return value == "" || value == segment
}
