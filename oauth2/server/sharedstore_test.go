package server_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// A server of machines that shares the store does not weaken the grace of a client of its file.
func TestUnitAGraceIsKeptByAServerWithoutRefreshTokens(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = 0 })
	machines, err := server.New(server.Config{Issuer: s.http.URL, Store: s.config.Store, LoadUser: s.users.load,
		Tokens: server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}}})
	s.must(err)
	for name, of := range map[string]*server.Server{"with": s.server, "without": machines} {
		c, err := of.EnsureClient(t.Context(),
			server.Registration{ClientID: "file", GrantTypes: []string{"client_credentials"}, RefreshGrace: -1})
		if err != nil || c.RefreshGrace != -1 {
			t.Errorf("%s: got %+v, %v, want a grace of -1", name, c, err)
		}
	}
}

// Without PKCE.
func TestUnitWithoutPKCE(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "legacy", RedirectURIs: []string{"https://legacy.example/cb"},
		AllowWithoutPKCE: true})
	redeem := func(client, code string, pairs ...string) answer {
		return s.post("/o/token/", client, append([]string{"grant_type", "authorization_code", "code", code,
			"redirect_uri", "https://legacy.example/cb"}, pairs...)...)
	}
	plain := []string{"client_id", "legacy", "redirect_uri", "https://legacy.example/cb", "code_challenge", "-",
		"code_challenge_method", "-"}
	with := plain[:4]
	for sentence, row := range map[string]struct {
		ask, redeem []string
		want        int
	}{
		"no challenge, no verifier": {plain, nil, 200},
		"no challenge, a verifier":  {plain, []string{"code_verifier", verifier}, 400},
		"a challenge, no verifier":  {with, nil, 400},
		"a challenge, a wrong one":  {with, []string{"code_verifier", verifier[1:] + "x"}, 400},
		"a challenge, a verifier":   {with, []string{"code_verifier", verifier}, 200},
	} {
		t.Run(sentence, func(t *testing.T) {
			code := s.as("alice").code(row.ask...)
			if a := redeem("legacy", code, row.redeem...); a.StatusCode != row.want {
				t.Errorf("got %d %s, want %d", a.StatusCode, a.body, row.want)
			}
			if a := redeem("legacy", code, "code_verifier", verifier); a.StatusCode == 200 {
				t.Error("the code is good again")
			}
		})
	}
	t.Run("plain", func(t *testing.T) {
		for _, pairs := range [][]string{{"code_challenge", verifier, "code_challenge_method", "plain"},
			{"code_challenge_method", "-"}} {
			if a := s.as("alice").authorize(append(append([]string{}, with...), pairs...)...); a.location(
				"error") != "invalid_request" {
				t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
			}
		}
	})
	t.Run("another client, and without a secret", func(t *testing.T) {
		code := s.as("alice").code(plain...)
		if a := redeem("web", code); a.StatusCode == 200 {
			t.Error("another client redeemed it")
		}
		a := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"authorization_code"}, "code": {code},
			"client_id": {"legacy"}, "redirect_uri": {"https://legacy.example/cb"}}.Encode())
		if a.StatusCode != 401 {
			t.Errorf("without a secret: %d", a.StatusCode)
		}
	})
	t.Run("a public client with the flag in its record needs it", func(t *testing.T) {
		app, err := s.server.Client(t.Context(), "app")
		s.must(err)
		flagged := *app
		flagged.AllowWithoutPKCE, flagged.Updated = true, app.Updated.Add(time.Second)
		_, _, err = s.config.Store.ChangeClient(t.Context(), &flagged, app.Updated)
		s.must(err)
		if a := s.as("alice").authorize("client_id", "app", "redirect_uri", "http://127.0.0.1:5/cb", "code_challenge",
			"-", "code_challenge_method", "-"); a.location("error") != "invalid_request" {
			t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
		}
	})
}
