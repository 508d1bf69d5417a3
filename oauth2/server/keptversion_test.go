package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/seal"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitARequestOfAnotherVersionIsRefused(t *testing.T) {
	keys := []auth.Secret{auth.Secret(strings.Repeat("k", 32))}
	s := newService(t, func(c *server.Config) { c.Endpoints.RequestKeys = keys })
	path := s.returnPath()
	seals, err := seal.NewKeys(keys, "gatewarden oauth2 requests")
	s.must(err)
	u, err := url.Parse(path)
	s.must(err)
	bound := "authorization request to " + s.config.Issuer
	text, err := seal.OpenLong(seals, u.Query().Get("interaction"), bound, 5000)
	s.must(err)
	for version, want := range map[string]int{`"v":1`: http.StatusOK, `"v":2`: http.StatusBadRequest,
		`"w":1`: http.StatusBadRequest} {
		t.Run(version, func(t *testing.T) {
			other := strings.Replace(string(text), `"v":1`, version, 1)
			a := s.as("alice").do("GET", "/o/authorize/?interaction="+seal.Seal(seals, []byte(other), bound), "")
			if a.StatusCode != want {
				t.Errorf("got %d, want %d", a.StatusCode, want)
			}
		})
	}
}
