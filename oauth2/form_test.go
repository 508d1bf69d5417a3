package oauth2_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

// FuzzUnitIsToken compares the check of a token's characters with that of a header.
func FuzzUnitIsToken(f *testing.F) {
	for _, token := range []string{"", "=", "==", "a=", "a=b", "a==", "-._~+/",
		"a b", "a\tb", "a!", "@", "[", "`", "{", "/:", "ä", "a\x00"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if len(token) > 1000 || strings.Trim(token, " \t") != token { // the header is trimmed
			return
		}
		r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
		_, _, err := auth.TokenFrom(r, "Bearer")
		if got := oauth2.IsToken(token); got != (err == nil) {
			t.Errorf("%q: got %v, and the header says %v", token, got, err)
		}
	})
}
