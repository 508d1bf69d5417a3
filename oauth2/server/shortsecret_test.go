package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitShortClientSecrets(t *testing.T) {
	s := newService(t, nil)
	with := func(secret string, allow bool) server.Registration {
		return server.Registration{ClientID: "c", ClientSecret: auth.Secret(secret), AllowShortSecret: allow,
			GrantTypes: []string{"client_credentials"}}
	}
	for _, secret := range []string{"x", "fifteen-bytes-x", strings.Repeat("x", 15)} {
		t.Run("a secret of few bytes is refused by the name of the setting: "+secret, func(t *testing.T) {
			_, _, added := s.server.AddClient(t.Context(), with(secret, false))
			_, ensured := s.server.EnsureClient(t.Context(), with(secret, false))
			for _, err := range []error{added, ensured} {
				var e *server.Error
				if !errors.As(err, &e) || e.Code != "invalid_client_metadata" ||
					!strings.Contains(e.Description, "allow_short_secret") ||
					!strings.Contains(err.Error(), "Client.AllowShortSecret") {
					t.Errorf("got %v", err)
				}
				if err != nil && secret != "x" && strings.Contains(err.Error(), secret) {
					t.Errorf("the error has the secret: %v", err)
				}
			}
			if c, err := s.server.Client(t.Context(), "c"); c != nil || err != nil {
				t.Errorf("it is there: %v %v", c, err)
			}
		})
	}
	t.Run("a secret of 16 bytes is taken, and a short one with the setting", func(t *testing.T) {
		for _, r := range []server.Registration{with("sixteen-bytes-xx", false), with("x", true)} {
			c, err := s.server.EnsureClient(t.Context(), r)
			if err != nil || !c.CheckSecret(r.ClientSecret.Reveal()) || c.AllowShortSecret != r.AllowShortSecret {
				t.Errorf("%+v %v", c, err)
			}
		}
	})
	t.Run("a file names the setting", func(t *testing.T) {
		all, err := server.ParseRegistrations(
			[]byte(`[{"client_id":"c","client_secret":"x","allow_short_secret":true}]`))
		if err != nil || !all[0].AllowShortSecret || len(all[0].Members) > 0 {
			t.Errorf("%v %v", all, err)
		}
	})
	t.Run("the audit lists the client", func(t *testing.T) {
		c, err := s.server.EnsureClient(t.Context(), with("x", true))
		s.must(err)
		var found []string
		for _, f := range server.Audit(s.config, c) {
			found = append(found, f.String())
		}
		if !strings.Contains(strings.Join(found, "\n"), "RFC 6749 §10.10: client c AllowShortSecret: ") {
			t.Errorf("%q", found)
		}
	})
}
