package server_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitRevokingAnAccessToken(t *testing.T) {
	for sentence, row := range map[string]struct {
		grant bool
		want  int
	}{
		"leaves the refresh token":      {false, 200},
		"ends the grant if it is to be": {true, 400},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newService(t, nil)
			s.change(func(r *server.Registration) { r.RevokeGrantWithAccessToken = row.grant })
			tokens := s.tokens("alice")
			if a := s.post("/o/revoke_token/", "web", "token", tokens.text("access_token")); a.StatusCode != 200 {
				t.Fatalf("got %d %s, want 200", a.StatusCode, a.body)
			}
			if a := s.refresh(tokens.text("refresh_token")); a.StatusCode != row.want {
				t.Errorf("got %d %s for the refresh token, want %d", a.StatusCode, a.body, row.want)
			}
		})
	}
}

func TestUnitAClientThatMayAskForUnknownScopes(t *testing.T) {
	s := newService(t, nil)
	sent(t, s, "a scope that does not exist", s.as("alice").authorize("scope", "openid roles"), "invalid_scope")
	s.change(func(r *server.Registration) { r.IgnoreUnknownScopes = true })
	code := s.as("alice").code("scope", "openid roles")
	if scope := s.redeem(code).text("scope"); scope != "openid" {
		t.Errorf("got the scope %q, want openid", scope)
	}
}
