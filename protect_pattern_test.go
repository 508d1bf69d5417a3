package auth_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// partsOf are what FuzzProtect makes patterns and paths of.
var (
	patternParts = []string{"a", "b", "{x}", "{y}", "a%2Fb", "%7Bc", "{$}", "{z...}", ""}
	pathParts    = []string{"a", "b", "c", "a%2Fb", "%7Bc", "..", ".", "", "%2e%2e", "a%20b", "%2F"}
	fuzzMethods  = []string{"", "GET", "POST", "HEAD", "DELETE", "OPTIONS", "CONNECT", "PURGE"}
	fuzzHosts    = []string{"", "example.com", "other.example", "EXAMPLE.com", "example.com."}
)

// build makes a path of parts chosen by bytes.
func build(parts []string, choice []byte) string {
	var b strings.Builder
	for _, c := range choice {
		b.WriteString("/" + parts[int(c)%len(parts)])
	}
	return b.String()
}

// FuzzProtect compares what Protect does with what net/http's ServeMux serves, where
// every route has a rule of its own: the handler of a route must run only after the
// policies of that very route, which see the path values that it sees. The first
// route is open, and no other handler may run for a stranger.
func FuzzProtect(f *testing.F) {
	f.Add([]byte{0, 2, 0}, []byte{0, 1}, []byte{0, 2}, []byte{0, 1}, byte(1), byte(0))
	f.Add([]byte{0, 8}, []byte{0}, []byte{0, 7}, []byte{0, 5, 0}, byte(0), byte(4))
	f.Add([]byte{7}, []byte{6}, []byte{0, 8}, []byte{0}, byte(2), byte(7))
	f.Add([]byte{4, 8}, []byte{0, 8}, []byte{8}, []byte{3, 0}, byte(3), byte(9))
	f.Add([]byte{0, 8}, []byte{0, 6}, []byte{2, 6}, []byte{0, 10}, byte(3), byte(1))
	f.Add([]byte{8}, []byte{2, 8}, []byte{2, 6}, []byte{10, 0, 7}, byte(0), byte(0))
	f.Fuzz(func(t *testing.T, first, second, third, route []byte, method, host byte) {
		if len(route) > 8 {
			return
		}
		var ran string
		var handlerSaw [3]string
		policySaw := make(map[string][][3]string)
		values := func(r *http.Request) (all [3]string) {
			defer func() { _ = recover() }() // net/http panics at a value of CONNECT //
			return [3]string{r.PathValue("x"), r.PathValue("y"), r.PathValue("z")}
		}
		mux := http.NewServeMux()
		var options []auth.RouteOption
		opened := ""
		for i, choice := range [][]byte{first, second, third} {
			if len(choice) == 0 || len(choice) > 6 {
				continue
			}
			text := fuzzHosts[int(host>>i)%len(fuzzHosts)] + build(patternParts, choice)
			if m := fuzzMethods[int(method>>i)%len(fuzzMethods)]; m != "" {
				text = m + " " + text
			}
			if strings.Contains(text, "//") ||
				!registers(mux, text, func(r *http.Request) { ran, handlerSaw = text, values(r) }) {
				continue // a rule for // is refused
			}
			if opened == "" {
				opened = text
				options = append(options, auth.Open(text))
				continue
			}
			options = append(options, auth.Route(text, func(r *http.Request, _ auth.User, _ auth.Credential) error {
				policySaw[text] = append(policySaw[text], values(r))
				return nil
			}))
		}
		app := guardOf(t, tokens("Token")).Protect(mux, options...)
		if app.Check() != nil {
			return // a route that no example reaches, because narrower ones take all of them
		}
		target := build(pathParts, route)
		if target == "" {
			target = "/"
		}
		r, err := http.NewRequest(fuzzMethods[int(method)%len(fuzzMethods)], "http://x"+target, nil)
		if err != nil {
			return
		}
		r.Host = fuzzHosts[int(host)%len(fuzzHosts)]
		app.ServeHTTP(httptest.NewRecorder(), r.Clone(t.Context()))
		if ran != "" && ran != opened && !sameRoute(ran, opened) {
			t.Errorf("%s %q %s: a stranger reached %q, and %q is open", r.Method, r.Host, target, ran, opened)
		}
		ran = ""
		r.Header.Set("Authorization", "Token good-alice")
		app.ServeHTTP(httptest.NewRecorder(), r)
		if ran == "" || ran == opened {
			return
		}
		if !slices.Contains(policySaw[ran], handlerSaw) {
			t.Errorf("%s %q %s: the handler of %q saw %q, and the policies were asked of %q", r.Method, r.Host, target,
				ran, handlerSaw, policySaw)
		}
	})
}

// sameRoute reports two patterns of one path: Open of one without a method opens the
// methods of that path.
func sameRoute(ran, opened string) bool {
	_, path, found := strings.Cut(ran, " ")
	return found && path == opened
}

func registers(mux *http.ServeMux, pattern string, serve func(*http.Request)) (ok bool) {
	defer func() { ok = recover() == nil }()
	mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { serve(r) })
	return true
}
