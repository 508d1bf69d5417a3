package auth

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// partsOf are what FuzzPattern makes patterns and paths of.
var (
	patternParts = []string{"a", "b", "{x}", "{y}", "a%2Fb", "%7Bc", "{$}", "{z...}", ""}
	pathParts    = []string{"a", "b", "c", "a%2Fb", "%7Bc", "..", ".", "", "%2e%2e", "a%20b"}
	fuzzMethods  = []string{"", "GET", "POST", "HEAD", "DELETE", "OPTIONS"}
	fuzzHosts    = []string{"", "example.com", "other.example"}
)

// build makes a string of parts chosen by bytes.
func build(parts []string, choice []byte) string {
	var b strings.Builder
	for _, c := range choice {
		b.WriteString("/" + parts[int(c)%len(parts)])
	}
	return b.String()
}

// FuzzPattern compares the patterns here with those of net/http: of several rules
// that are routes too, the rule must be that of the route that serves a request.
func FuzzPattern(f *testing.F) {
	f.Add([]byte{0, 2, 0}, []byte{0, 1}, []byte{0, 2}, []byte{0, 1}, byte(1), byte(0))
	f.Add([]byte{0, 8}, []byte{0}, []byte{0, 7}, []byte{0, 5, 0}, byte(0), byte(4))
	f.Add([]byte{7}, []byte{6}, []byte{0, 8}, []byte{0}, byte(2), byte(7))
	f.Add([]byte{4, 8}, []byte{0, 8}, []byte{8}, []byte{3, 0}, byte(3), byte(9))
	f.Fuzz(func(t *testing.T, first, second, third, route []byte, method, host byte) {
		if len(route) > 8 {
			return
		}
		mux := http.NewServeMux()
		rs := &rules{mux: http.NewServeMux()}
		var texts []string
		for i, choice := range [][]byte{first, second, third} {
			if len(choice) == 0 || len(choice) > 6 {
				continue
			}
			text := fuzzHosts[int(host>>i)%len(fuzzHosts)] + build(patternParts, choice)
			if m := fuzzMethods[int(method>>i)%len(fuzzMethods)]; m != "" {
				text = m + " " + text
			}
			if strings.Contains(text, "//") || register(mux, text, http.NotFoundHandler()) != nil {
				continue // a rule for // is refused
			}
			texts = append(texts, text)
			rs.add(text, []Policy{})
		}
		if len(rs.faults) > 0 {
			t.Fatalf("%q: ServeMux takes them, and the rules do not: %v", texts, rs.faults)
		}
		target := build(pathParts, route)
		if target == "" {
			target = "/"
		}
		r, err := http.NewRequest(fuzzMethods[int(method)%len(fuzzMethods)], "http://"+fuzzHosts[1+int(host)%2]+target, nil)
		if err != nil {
			return
		}
		_, served := mux.Handler(r)
		p := &Protected{router: mux, rules: rs}
		to := p.route(r)
		rule := rs.find(to.targets[0])
		switch {
		case served == "" && rule == nil:
		case served == "" || rule == nil || rule.pattern.text != served:
			if served != "" && !slices.Contains(texts, served) {
				return // net/http before Go 1.26 tells the path of a redirect
			}
			if served == "" && r.Method != http.MethodGet {
				return // 405, which no rule needs to know of
			}
			t.Errorf("%s %s%s among %q: served by %q, the rule is %v", r.Method, r.Host, target, texts, served, rule)
		default:
			compareValues(t, mux, served, r, to)
		}
	})
}

// compareValues compares the path values with those that the mux sets.
func compareValues(t *testing.T, mux *http.ServeMux, served string, r *http.Request, to routed) {
	t.Helper()
	var seen *http.Request
	single := http.NewServeMux()
	single.HandleFunc(served, func(_ http.ResponseWriter, r *http.Request) { seen = r })
	single.ServeHTTP(httptest.NewRecorder(), r)
	if seen == nil {
		return // a redirect
	}
	mine := to.request(r)
	for _, name := range []string{"x", "y", "z"} {
		if got, want := mine.PathValue(name), seen.PathValue(name); got != want {
			t.Errorf("%s of %s: the policy sees %s=%q, the handler %q", r.URL, served, name, got, want)
		}
	}
	_ = mux
}
