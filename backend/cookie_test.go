package backend_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth/backend"
)

// slowCookieValue is CookieValue as it was: plain, and several times as slow.
func slowCookieValue(r *http.Request, fullName string) (value string, count int) {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, v, _ := strings.Cut(pair, "=")
			if strings.Trim(key, " \t") != fullName {
				continue
			}
			if count == 0 {
				value = strings.Trim(v, " \t")
				if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
			}
			count++
		}
	}
	return value, count
}

func FuzzUnitCookieValue(f *testing.F) {
	for _, line := range []string{
		"session=x", "a=b; session=x", ";;session = \"x\" ;session=y", "session", "=", "session=a=b;", "\tsession\t=\t",
	} {
		f.Add(line, "session=z", "session")
	}
	f.Add("=x", "", "")
	f.Fuzz(func(t *testing.T, first, second, name string) {
		r := &http.Request{Header: http.Header{"Cookie": {first, second}}}
		value, count := backend.CookieValue(r, name)
		if wantValue, wantCount := slowCookieValue(r, name); value != wantValue || count != wantCount {
			t.Errorf("%q in %q and %q: got %q, %d, want %q, %d", name, first, second, value, count,
				wantValue, wantCount)
		}
	})
}
