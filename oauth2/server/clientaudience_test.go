package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitNoClientHasTheNameOfAResource(t *testing.T) {
	t.Run("a registration with the name of a resource or of the issuer is refused", func(t *testing.T) {
		s := newService(t, nil)
		for _, id := range []string{"https://jwt.example/api", s.http.URL} {
			_, _, err := s.server.NewClient(
				server.Registration{ClientID: id, RedirectURIs: []string{"https://x.example/cb"}})
			var e *server.Error
			if !errors.As(err, &e) || e.Code != "invalid_client_metadata" {
				t.Errorf("%s: its ID tokens have the aud of an API's access tokens: %v", id, err)
			}
		}
	})
	t.Run("a client that is stored gets nothing from when a resource has its name", func(t *testing.T) {
		id := "https://late.example/"
		secret, digest := server.NewSecret()
		s := newService(t, func(c *server.Config) {
			c.Resources = append(c.Resources, server.Resource{ID: id})
			_, err := c.Store.AddClient(t.Context(), &server.Client{ID: id, SecretDigest: digest,
				Scopes:       []string{"read"},
				RedirectURIs: []string{"https://late.example/cb"},
				GrantTypes:   []string{"authorization_code", "client_credentials"}}, 0)
			if err != nil {
				t.Fatal(err)
			}
		})
		a := s.stranger().do("POST", "/o/token/", "grant_type=client_credentials", "Authorization",
			basicOf(id, secret.Reveal()))
		if a.StatusCode != 401 {
			t.Errorf("token endpoint: %d %s", a.StatusCode, a.body)
		}
		a = s.as("alice").authorize("client_id", id, "redirect_uri", "https://late.example/cb")
		if a.StatusCode != 400 || strings.Contains(a.body, "interaction") {
			t.Errorf("authorization endpoint: %d %s", a.StatusCode, a.body)
		}
	})
}
