package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitEveryNameOfThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"app.localhost:8000": true, "localhost.:8000": true, "localhost": true, "LOCALHOST:1": true,
		"127.1.2.3:8000": true,
		"[::1]:8000":     true, "[::ffff:127.0.0.1]": true,
		"localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "[::2]": false,
		"127.0.0.1.example": false,
	} {
		t.Run("the issuer at "+host, func(t *testing.T) {
			_, err := server.New(server.Config{
				Issuer: "http://" + host, Store: server.NewMemoryStore(),
				Tokens: server.TokenConfig{Grants: []server.GrantType{
					server.ClientCredentials{}}},
				LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
			})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "loopback") {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
		t.Run("a redirect URI at "+host, func(t *testing.T) {
			if err := server.CheckRedirectURI("http://" + host + "/callback"); (err == nil) != want {
				t.Errorf("accepted: want %v, got the error %v", want, err)
			}
		})
	}
}

func TestUnitAuditNamesRedirectURIsByALocalName(t *testing.T) {
	for uri, want := range map[string]bool{
		"http://localhost/cb": true, "http://app.localhost:8000/cb": true, "http://localhost./cb": true,
		"http://127.0.0.1/cb": false, "http://[::1]:8000/cb": false, "https://localhost/cb": false,
	} {
		t.Run(uri, func(t *testing.T) {
			found := server.Audit(server.Config{Issuer: "https://a.example"},
				&server.Client{ID: "x", RedirectURIs: []string{uri}})
			got := false
			for _, f := range found {
				got = got || f.Section == "RFC 8252 §8.3"
			}
			if got != want {
				t.Errorf("a finding of RFC 8252 §8.3: want %v, got %v", want, found)
			}
		})
	}
}
