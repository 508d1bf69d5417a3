package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitRenewedSecretsStay(t *testing.T) {
	h, encoded := newHasher(t)
	plain := server.Registration{ClientID: "django", GrantTypes: []string{"client_credentials"},
		ClientSecret: secretOfDjango}
	hashed := plain
	hashed.ClientSecret, hashed.ClientSecretHash = "", auth.Secret(encoded)
	for _, row := range []struct {
		name     string
		r        server.Registration
		uses     int
		renewals int
	}{
		{"a hash that was used", hashed, 1, 1},
		{"a hash that was never used", hashed, 0, 1},
		{"a hash, after two renewals", hashed, 1, 2},
		{"a secret in the clear", plain, 1, 1},
		{"a secret in the clear, after two renewals", plain, 0, 2},
	} {
		t.Run(row.name+" does not come back when the program starts with the same file", func(t *testing.T) {
			s, log := logged(t, func(c *server.Config) { c.Clients.SecretHashes = h })
			_, err := s.server.EnsureClient(t.Context(), row.r)
			s.must(err)
			for range row.uses {
				if a := s.asDjango("/o/token/", secretOfDjango); a.StatusCode != 200 {
					t.Fatalf("before: %d %s", a.StatusCode, a.body)
				}
			}
			var fresh auth.Secret
			for range row.renewals {
				_, fresh, err = s.server.RenewSecret(t.Context(), s.kept())
				s.must(err)
			}
			log.take()
			for range 2 {
				_, err = s.server.EnsureClient(t.Context(), row.r)
				s.must(err)
				refused(t, "the old secret", s.asDjango("/o/token/", secretOfDjango), 401, "invalid_client")
				if a := s.asDjango("/o/token/", fresh.Reveal()); a.StatusCode != 200 {
					t.Errorf("the new secret: %d %s", a.StatusCode, a.body)
				}
			}
			if told := log.take(); !strings.Contains(told, "Server.RenewSecret") ||
				!strings.Contains(told, "client=django") {
				t.Errorf("the log: %s", told)
			}
		})
	}
	t.Run("another secret of the file takes the place of a renewed one, and another hash of the retired one is refused",
		func(t *testing.T) {
			s, log := logged(t, func(c *server.Config) { c.Clients.SecretHashes = h })
			_, err := s.server.EnsureClient(t.Context(), plain)
			s.must(err)
			_, _, err = s.server.RenewSecret(t.Context(), s.kept())
			s.must(err)
			other := plain
			other.ClientSecret = "another-secret-of-the-file"
			_, err = s.server.EnsureClient(t.Context(), other)
			s.must(err)
			if a := s.asDjango("/o/token/", other.ClientSecret.Reveal()); a.StatusCode != 200 {
				t.Errorf("another secret: %d %s", a.StatusCode, a.body)
			}
			_, err = s.server.EnsureClient(t.Context(), plain)
			s.must(err)
			refused(t, "the retired secret", s.asDjango("/o/token/", secretOfDjango), 401, "invalid_client")
			_, err = s.server.EnsureClient(t.Context(), hashed)
			s.must(err)
			log.take()
			refused(t, "its hash", s.asDjango("/o/token/", secretOfDjango), 401, "invalid_client")
			if told := log.take(); !strings.Contains(told, "Server.RenewSecret") || s.kept().SecretDigest != "" {
				t.Errorf("the log: %s", told)
			}
		})
	t.Run("a change of the file that nobody retired can be taken back", func(t *testing.T) {
		s, _ := logged(t, func(c *server.Config) { c.Clients.SecretHashes = h })
		other := plain
		other.ClientSecret = "another-secret-of-the-file"
		for _, r := range []server.Registration{hashed, other, hashed} {
			_, err := s.server.EnsureClient(t.Context(), r)
			s.must(err)
		}
		if a := s.asDjango("/o/token/", secretOfDjango); a.StatusCode != 200 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	t.Run("a client that was public in between does not get it back", func(t *testing.T) {
		s, _ := logged(t, nil)
		_, err := s.server.EnsureClient(t.Context(), plain)
		s.must(err)
		_, _, err = s.server.RenewSecret(t.Context(), s.kept())
		s.must(err)
		public := server.Registration{ClientID: "django", TokenEndpointAuthMethod: "none",
			RedirectURIs: []string{"https://c.example/"}}
		for _, r := range []server.Registration{public, plain} {
			_, err = s.server.EnsureClient(t.Context(), r)
			s.must(err)
		}
		refused(t, "the retired secret", s.asDjango("/o/token/", secretOfDjango), 401, "invalid_client")
	})
	t.Run("50 are remembered, and what a caller holds does not change", func(t *testing.T) {
		s, _ := logged(t, nil)
		_, err := s.server.EnsureClient(t.Context(), plain)
		s.must(err)
		first := s.kept()
		before := first.SecretsRetired
		var digests []string
		for range 60 {
			digests = append(digests, s.kept().SecretDigest)
			_, _, err = s.server.RenewSecret(t.Context(), s.kept())
			s.must(err)
		}
		if got := s.kept().SecretsRetired; !slices.Equal(got, digests[10:]) || len(before) != 0 ||
			len(first.SecretsRetired) != 0 {
			t.Error(fmt.Sprint(len(got)), got)
		}
	})
}
