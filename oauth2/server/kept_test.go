package server_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// What a retry within the grace must not give.
func TestUnitARetryWithinTheGrace(t *testing.T) {
	type given struct {
		*service
		first, next string
	}
	begin := func(t *testing.T) given {
		s := graceful(t, 0)
		first := s.tokens("alice").text("refresh_token")
		return given{s, first, s.refresh(first).text("refresh_token")}
	}
	client := func(s *service) *server.Client {
		c, err := s.server.Client(s.Context(), "web")
		s.must(err)
		return c
	}
	refused := func(t *testing.T, a answer) {
		t.Helper()
		if a.StatusCode == 200 {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	}
	t.Run("another client", func(t *testing.T) {
		g := begin(t)
		g.add(server.Registration{ClientID: "two", RedirectURIs: []string{"https://two.example/"},
			GrantTypes: []string{"authorization_code", "refresh_token"}})
		refused(t, g.post("/o/token/", "two", "grant_type", "refresh_token", "refresh_token", g.first))
		if a := g.refresh(g.next); a.StatusCode != 200 {
			t.Errorf("the owner: %s", a.body)
		}
	})
	t.Run("more scopes", func(t *testing.T) {
		g := begin(t)
		refused(t, g.refresh(g.first, "scope", "openid read write"))
		if a := g.refresh(g.first, "scope", "read"); a.text("scope") != "read" || a.text("refresh_token") != g.next ||
			a.text("id_token") != "" {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("another resource", func(t *testing.T) {
		g := begin(t)
		refused(t, g.refresh(g.first, "resource", "https://other.example/"))
	})
	t.Run("a revoked grant", func(t *testing.T) {
		g := begin(t)
		g.post("/o/revoke_token/", "web", "token", g.next)
		refused(t, g.refresh(g.first))
	})
	t.Run("revoked by the used token", func(t *testing.T) {
		g := begin(t)
		g.post("/o/revoke_token/", "web", "token", g.first)
		refused(t, g.refresh(g.next))
	})
	t.Run("a changed stamp", func(t *testing.T) {
		g := begin(t)
		g.users.changePassword("alice")
		refused(t, g.refresh(g.first))
	})
	t.Run("a disabled user", func(t *testing.T) {
		g := begin(t)
		g.users.disable("alice", true)
		refused(t, g.refresh(g.first))
	})
	t.Run("a disabled client, enabled again", func(t *testing.T) {
		g := begin(t)
		off, err := g.server.DisableClient(t.Context(), client(g.service), true)
		g.must(err)
		refused(t, g.refresh(g.first))
		_, err = g.server.DisableClient(t.Context(), off, false)
		g.must(err)
		refused(t, g.refresh(g.first))
		refused(t, g.refresh(g.next))
	})
	t.Run("the successor was used", func(t *testing.T) {
		g := begin(t)
		last := g.refresh(g.next).text("refresh_token")
		refused(t, g.refresh(g.first))
		refused(t, g.refresh(last))
	})
	t.Run("the client is public now, and confidential again", func(t *testing.T) {
		g := begin(t)
		r := server.Registration{RedirectURIs: client(g.service).RedirectURIs, GrantTypes: client(g.service).GrantTypes,
			TokenEndpointAuthMethod: "none"}
		_, err := g.server.ChangeClient(t.Context(), client(g.service), r)
		g.must(err)
		// rotated as a public client: the successor is not sealed
		g.secrets["web"] = ""
		third := g.refresh(g.next).text("refresh_token")
		r.TokenEndpointAuthMethod = ""
		_, err = g.server.ChangeClient(t.Context(), client(g.service), r)
		g.must(err)
		_, secret, err := g.server.RenewSecret(t.Context(), client(g.service))
		g.must(err)
		g.secrets["web"] = secret.Reveal()
		refused(t, g.refresh(g.next))
		refused(t, g.refresh(third))
	})
	t.Run("the client is public now", func(t *testing.T) {
		g := begin(t)
		g.change(func(r *server.Registration) { r.TokenEndpointAuthMethod = "none" })
		g.secrets["web"] = ""
		refused(t, g.refresh(g.first))
		refused(t, g.refresh(g.next))
	})
	t.Run("the grant is not the client's any more", func(t *testing.T) {
		g := begin(t)
		g.change(func(r *server.Registration) { r.GrantTypes = []string{"authorization_code"} })
		refused(t, g.refresh(g.first))
	})
	t.Run("retries beside the use of the successor leave one chain or none", func(t *testing.T) {
		for range 5 {
			g := begin(t)
			var group sync.WaitGroup
			got := make([]string, 6)
			for i := range got {
				token := g.first
				if i == 3 {
					token = g.next
				}
				group.Go(func() { got[i] = g.refresh(token).text("refresh_token") })
			}
			group.Wait()
			ended := g.events.count(auth.EventReuse) > 0
			for i, token := range got {
				if token != "" && i != 3 && token != g.next {
					t.Errorf("a retry gave another successor")
				}
				if token != "" && ended && g.refresh(token).StatusCode == 200 {
					t.Errorf("a token is good though the grant has ended")
				}
			}
			if !ended && g.refresh(got[3]).StatusCode != 200 {
				t.Errorf("the newest token is not good")
			}
		}
	})
}

// A client with a name that starts as the UserID of a machine gets tokens that work as those of others do.
func TestUnitAClientWithTheNameOfAMachine(t *testing.T) {
	s := newService(t, nil)
	if _, _, err := s.server.NewClient(server.Registration{ClientID: "client:web",
		GrantTypes: []string{"client_credentials"}}); err == nil {
		t.Error("a client with the UserID of a machine was taken")
	}
	for _, id := range []string{"plain", "user@example.com", "https://app.example/a b"} {
		_, secret, err := s.server.AddClient(t.Context(),
			server.Registration{ClientID: id, GrantTypes: []string{"client_credentials"}, Scope: "read"})
		s.must(err)
		for _, resource := range []string{s.http.URL, "https://jwt.example/api"} {
			t.Run(fmt.Sprint(id, " for ", resource), func(t *testing.T) {
				a := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"client_credentials"},
					"resource": {resource}}.Encode(),
					"Authorization", basicOf(id, secret.Reveal()))
				api, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{s.server},
					LoadUser: s.users.load})
				s.must(err)
				u, _, err := api.VerifyToken(t.Context(), a.text("access_token"))
				if err != nil || u.UserID() != (auth.Machine{ID: id}).UserID() {
					t.Errorf("embedded: got %v, %v", u, err)
				}
				if resource != "https://jwt.example/api" {
					return
				}
				remote, err := oauth2.NewJWT(
					oauth2.JWTConfig{Issuer: s.http.URL, Keys: s.keys, Audience: []string{resource}})
				s.must(err)
				far, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{remote},
					LoadUser: s.users.load})
				s.must(err)
				u, _, err = far.VerifyToken(context.Background(), a.text("access_token"))
				if err != nil || u.UserID() != (auth.Machine{ID: id}).UserID() {
					t.Errorf("elsewhere: got %v, %v", u, err)
				}
			})
		}
	}
}
