package server_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// mine is a confidential client of alice.
func mine(grace int) server.Registration {
	return server.Registration{ClientID: "mine", Owner: "alice", RedirectURIs: []string{"https://mine.example/cb"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, RefreshGrace: grace}
}

// codeForMine returns a code of alice for that client.
func (s *service) codeForMine() string {
	s.Helper()
	return s.as("alice").code("client_id", "mine", "redirect_uri", "https://mine.example/cb")
}

// redeemMine redeems a code as that client.
func (s *service) redeemMine(code string) answer {
	s.Helper()
	return s.post("/o/token/", "mine", "grant_type", "authorization_code", "code", code,
		"redirect_uri", "https://mine.example/cb", "code_verifier", verifier)
}

// refreshMine uses a refresh token of that client.
func (s *service) refreshMine(token string) answer {
	s.Helper()
	return s.post("/o/token/", "mine", "grant_type", "refresh_token", "refresh_token", token)
}

// waysToBecomePublic make the client mine public, each from another side.
var waysToBecomePublic = map[string]func(s *service){
	"the form of its developer": func(s *service) {
		form := url.Values{"name": {"Mine"}, "client_type": {"public"}, "redirect_uris": {"https://mine.example/cb"},
			"authorization_grant_type": {"authorization_code", "refresh_token"}}
		if a := s.as("alice").do("POST", "/o/applications/mine/update/", form.Encode()); a.StatusCode != 303 {
			s.Fatal(a.StatusCode, a.body)
		}
	},
	"ChangeClient": func(s *service) {
		client, err := s.server.Client(s.Context(), "mine")
		s.must(err)
		r := client.Registration()
		r.TokenEndpointAuthMethod = server.AuthNone
		_, err = s.server.ChangeClient(s.Context(), client, r)
		s.must(err)
	},
	"EnsureClient": func(s *service) {
		r := mine(0)
		r.TokenEndpointAuthMethod = server.AuthNone
		_, err := s.server.EnsureClient(s.Context(), r)
		s.must(err)
	},
}

func TestUnitAConfidentialClientThatBecomesPublic(t *testing.T) {
	for name, change := range waysToBecomePublic {
		t.Run("by "+name+" has no grace, and a replay ends the grant", func(t *testing.T) {
			s := newService(t, nil)
			s.add(mine(60))
			change(s)
			delete(s.secrets, "mine")
			token := s.redeemMine(s.codeForMine()).text("refresh_token")
			first, second := s.refreshMine(token), s.refreshMine(token)
			if first.StatusCode != 200 || second.StatusCode != 400 || second.text("error") != "invalid_grant" {
				t.Errorf("got %d, then %d %s, want 200, then 400 invalid_grant", first.StatusCode, second.StatusCode,
					second.body)
			}
			if a := s.refreshMine(first.text("refresh_token")); a.StatusCode != 400 {
				t.Errorf("got %d for the successor, want 400, since the grant has ended", a.StatusCode)
			}
		})
		t.Run("by "+name+" ends the tokens and codes that were for a client that authenticates", func(t *testing.T) {
			s := newService(t, nil)
			s.add(mine(0))
			tokens, code := s.redeemMine(s.codeForMine()), s.codeForMine()
			if tokens.StatusCode != 200 {
				t.Fatal(tokens.body)
			}
			change(s)
			delete(s.secrets, "mine")
			for what, a := range map[string]answer{"refresh token": s.refreshMine(tokens.text("refresh_token")),
				"code": s.redeemMine(code)} {
				if a.StatusCode != 400 || a.text("error") != "invalid_grant" {
					t.Errorf("got %d %s for the %s, want 400 invalid_grant", a.StatusCode, a.body, what)
				}
			}
			if s.good(tokens.text("access_token")) {
				t.Error("the access token is good")
			}
			if a := s.redeemMine(s.codeForMine()); a.StatusCode != 200 {
				t.Errorf("got %d %s for a new login, want 200", a.StatusCode, a.body)
			}
		})
	}
	t.Run("keeps the wish for no grace, and may be given one later", func(t *testing.T) {
		s := newService(t, nil)
		s.add(mine(-1))
		waysToBecomePublic["ChangeClient"](s)
		client, err := s.server.Client(t.Context(), "mine")
		s.must(err)
		if client.RefreshGrace != -1 {
			t.Errorf("got %d, want -1", client.RefreshGrace)
		}
		r := client.Registration()
		r.RefreshGrace = 5
		if client, err = s.server.ChangeClient(t.Context(), client, r); err != nil || client.RefreshGrace != 5 {
			t.Errorf("got %+v, %v, want a grace of 5", client, err)
		}
	})
	t.Run("by a file that gives it a grace has that at the first start as at the second", func(t *testing.T) {
		s := newService(t, nil)
		s.add(mine(60))
		r := mine(5)
		r.TokenEndpointAuthMethod = server.AuthNone
		for range 2 {
			if client, err := s.server.EnsureClient(t.Context(), r); err != nil || client.RefreshGrace != 5 {
				t.Errorf("got %+v, %v, want a grace of 5", client, err)
			}
		}
	})
	t.Run("is what the form warns of, and only for a confidential client", func(t *testing.T) {
		s := newService(t, nil)
		s.add(mine(0))
		const warning = "Its tokens end now, and users log in again"
		if a := s.as("alice").do("GET", "/o/applications/mine/update/", ""); !strings.Contains(a.body, warning) {
			t.Error("no warning")
		}
		waysToBecomePublic["ChangeClient"](s)
		if a := s.as("alice").do("GET", "/o/applications/mine/update/", ""); strings.Contains(a.body, warning) {
			t.Error("a warning for a public client")
		}
		if a := s.as("alice").do("GET", "/o/applications/register/", ""); strings.Contains(a.body, warning) {
			t.Error("a warning for a new client")
		}
	})
}
