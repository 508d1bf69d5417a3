package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// ownGrant is a grant of the application for clients themselves.
type ownGrant struct{ scopes []string }

func (ownGrant) Name() string { return "urn:example:own" }

func (g ownGrant) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (
	*server.TokenResponse, error) {
	return s.Issue(ctx, server.Issuance{Client: r.Client, Type: g.Name(), Scopes: g.scopes, Refresh: true})
}

// developed is a service with the clients "bots" and "shop" of bob, registered with every scope.
func developed(t *testing.T, change func(*server.Config)) (*service, *lines) {
	s, log := logged(t, func(c *server.Config) {
		c.Tokens.Grants = []server.GrantType{server.AuthorizationCode{}, server.RefreshToken{},
			server.ClientCredentials{}, ownGrant{[]string{"read"}}}
		if change != nil {
			change(c)
		}
	})
	s.add(
		server.Registration{ClientID: "bots", Owner: "bob",
			GrantTypes: []string{"client_credentials", "urn:example:own", "refresh_token"}})
	s.add(server.Registration{ClientID: "shop", Owner: "bob", RedirectURIs: []string{"https://shop.example/cb"},
		GrantTypes: []string{"authorization_code", "refresh_token"}})
	return s, log
}

// machine asks for a token of the client bots for itself.
func (s *service) machine(pairs ...string) answer {
	s.Helper()
	return s.post("/o/token/", "bots", append([]string{"grant_type", "client_credentials"}, pairs...)...)
}

func readable(c *server.Config) { c.Clients.DeveloperScopes.Machines = []string{"read"} }

func TestUnitScopesOfDevelopersClients(t *testing.T) {
	t.Run("by default a machine has no scope, and asking for one is refused with the setting in the log",
		func(t *testing.T) {
			s, log := developed(t, nil)
			if a := s.machine(); a.StatusCode != 200 || a.text("scope") != "" {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			for _, grant := range []string{"client_credentials", "urn:example:own"} {
				log.take()
				refused(t, grant, s.post("/o/token/", "bots", "grant_type", grant, "scope", "read"), 400,
					"invalid_scope")
				if told := log.take(); !strings.Contains(told, "Config.Clients.DeveloperScopes.Machines") ||
					!strings.Contains(told, `"read"`) {
					t.Errorf("%s: the log: %s", grant, told)
				}
			}
			if a := s.post("/o/token/", "job", "grant_type", "client_credentials"); a.text("scope") != "read write" {
				t.Errorf("a client of the operator: %s", a.body)
			}
		})
	t.Run("with the setting it has those scopes and no other", func(t *testing.T) {
		s, _ := developed(t, readable)
		if a := s.machine(); a.text("scope") != "read" {
			t.Errorf("%s", a.body)
		}
		if a := s.machine("scope", "read"); a.text("scope") != "read" {
			t.Errorf("%s", a.body)
		}
		refused(t, "write", s.machine("scope", "read write"), 400, "invalid_scope")
	})
	t.Run("a refresh gives a machine no scope that the setting does not allow any more", func(t *testing.T) {
		s, log := developed(t, readable)
		token := s.post("/o/token/", "bots", "grant_type", "urn:example:own").text("refresh_token")
		again := s.post("/o/token/", "bots", "grant_type", "refresh_token", "refresh_token", token)
		if again.StatusCode != 200 || again.text("scope") != "read" {
			t.Fatalf("while it is allowed: %d %s", again.StatusCode, again.body)
		}
		c := s.config
		c.Clients.DeveloperScopes.Machines = nil
		other, err := server.New(c)
		s.must(err)
		s.http.Config.Handler, err = other.Handlers(s.guard)
		s.must(err)
		log.take()
		refused(t, "then", s.post("/o/token/", "bots", "grant_type", "refresh_token", "refresh_token",
			again.text("refresh_token")), 400, "invalid_scope")
		if told := log.take(); !strings.Contains(told, "Config.Clients.DeveloperScopes") {
			t.Errorf("the log: %s", told)
		}
	})
	ask := []string{"client_id", "shop", "redirect_uri", "https://shop.example/cb"}
	t.Run("users are asked for every scope by default, and for those of the setting otherwise", func(t *testing.T) {
		s, _ := developed(t, nil)
		if a := s.as("alice").authorize(append(ask, "scope", "read write")...); a.StatusCode != 200 {
			t.Errorf("%d", a.StatusCode)
		}
		s, log := developed(t, func(c *server.Config) { c.Clients.DeveloperScopes.Users = []string{"openid", "read"} })
		log.take()
		if a := s.as("alice").authorize(append(ask, "scope", "read write")...); a.location("error") != "invalid_scope" {
			t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
		}
		if told := log.take(); !strings.Contains(told, "Config.Clients.DeveloperScopes.Users") {
			t.Errorf("the log: %s", told)
		}
		code := s.as("alice").code(append(ask, "scope", "-")...)
		a := s.post("/o/token/", "shop", "grant_type", "authorization_code", "code", code, "redirect_uri",
			"https://shop.example/cb", "code_verifier", verifier)
		if a.text("scope") != "openid read" {
			t.Errorf("without scope: %s", a.body)
		}
	})
	t.Run("what was granted before the setting is not refreshed", func(t *testing.T) {
		s, _ := developed(t, nil)
		code := s.as("alice").code(append(ask, "scope", "read write")...)
		a := s.post("/o/token/", "shop", "grant_type", "authorization_code", "code", code, "redirect_uri",
			"https://shop.example/cb", "code_verifier", verifier)
		c := s.config
		c.Clients.DeveloperScopes.Users = []string{"read"}
		other, err := server.New(c)
		s.must(err)
		handlers, err := other.Handlers(s.guard)
		s.must(err)
		s.http.Config.Handler = handlers
		if a := s.post("/o/token/", "shop", "grant_type", "refresh_token", "refresh_token",
			a.text("refresh_token")); a.text("scope") != "read" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	t.Run("scopes that there are not are an error at New", func(t *testing.T) {
		for says, scopes := range map[string]server.DeveloperScopes{
			`Config.Clients.DeveloperScopes.Users has "none"`:      {Users: []string{"none"}},
			`Config.Clients.DeveloperScopes.Machines has "none"`:   {Machines: []string{"none"}},
			`Config.Clients.DeveloperScopes.Machines has "openid"`: {Machines: []string{"openid"}},
		} {
			c := newService(t, nil).config
			c.Clients.DeveloperScopes = scopes
			if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want %s, got %v", says, err)
			}
		}
	})
	t.Run("the audit lists both", func(t *testing.T) {
		s, _ := developed(t, readable)
		found := server.Audit(s.config)
		if !hasFinding(found, "Clients.DeveloperScopes.Users") ||
			!hasFinding(found, "Clients.DeveloperScopes.Machines") {
			t.Errorf("%v", found)
		}
		if found := server.Audit(server.Config{}); hasFinding(found, "Clients.DeveloperScopes.Users") ||
			hasFinding(found, "Clients.DeveloperScopes.Machines") {
			t.Errorf("without developers: %v", found)
		}
	})
}

func TestUnitAClientEndsWithItsOwner(t *testing.T) {
	gone := map[string]func(s *service){
		"disabled": func(s *service) { s.users.disable("bob", true) },
		"deleted":  func(s *service) { s.users.mu.Lock(); defer s.users.mu.Unlock(); delete(s.users.stamps, "bob") },
	}
	for sentence, leave := range gone {
		t.Run("its own tokens are not good while the owner is "+sentence+", and there are no new ones",
			func(t *testing.T) {
				s, log := developed(t, readable)
				token := s.machine().text("access_token")
				signed := s.machine("resource", "https://jwt.example/api").text("access_token")
				own := s.post("/o/token/", "bots", "grant_type", "urn:example:own")
				api, err := oauth2.New(oauth2.Config{Resource: s.http.URL, Sources: []oauth2.Source{s.server},
					LoadUser: s.users.load})
				s.must(err)
				uses := func() (good int) {
					for _, each := range []string{token, signed, own.text("access_token")} {
						if s.good(each) {
							good++
						}
					}
					if _, _, err := api.VerifyToken(t.Context(), token); err == nil {
						good++
					}
					if s.post("/o/introspect/", "api", "token", token).json("active") == true {
						good++
					}
					return good
				}
				if n := uses(); n != 5 {
					t.Fatalf("%d of 5 are good before", n)
				}
				leave(s)
				log.take()
				if n := uses(); n != 0 {
					t.Errorf("%d are good", n)
				}
				if told := log.take(); !strings.Contains(told, "the owner of the client is disabled or deleted") {
					t.Errorf("the log of the introspection: %s", told)
				}
				for _, grant := range []string{"client_credentials", "urn:example:own"} {
					refused(t, grant, s.post("/o/token/", "bots", "grant_type", grant), 400, "unauthorized_client")
				}
				refused(t, "a refresh", s.post("/o/token/", "bots", "grant_type", "refresh_token", "refresh_token",
					own.text("refresh_token")), 400, "invalid_grant")
				if a := s.post("/o/introspect/", "bots", "token", token); a.json("active") != false {
					t.Errorf("asked by itself: %d %s", a.StatusCode, a.body)
				}
				if a := s.post("/o/revoke_token/", "bots", "token", token); a.StatusCode != 200 {
					t.Errorf("it may still revoke: %d %s", a.StatusCode, a.body)
				}
				told := log.take()
				if !strings.Contains(told, `the owner of the client is disabled or deleted: "bob"`) {
					t.Errorf("the log: %s", told)
				}
				client, err := s.server.Client(t.Context(), "bots")
				s.must(err)
				if _, err := s.server.Issue(t.Context(),
					server.Issuance{Client: client, Type: "urn:example:own"}); err == nil {
					t.Error("Issue")
				}
				if a := s.post("/o/token/", "job", "grant_type", "client_credentials"); a.StatusCode != 200 {
					t.Errorf("a client without an owner: %d", a.StatusCode)
				}
				shown(t, "its users are not asked", s.as("alice").authorize("client_id", "shop", "redirect_uri",
					"https://shop.example/cb"), 400)
			})
	}
	t.Run("an owner who changes the password keeps the tokens, and one who is back has them again", func(t *testing.T) {
		s, _ := developed(t, readable)
		token := s.machine().text("access_token")
		s.users.changePassword("bob")
		if !s.good(token) {
			t.Error("after a new password")
		}
		s.users.disable("bob", true)
		s.users.disable("bob", false)
		if !s.good(token) || s.machine().StatusCode != 200 {
			t.Error("after the owner is enabled again")
		}
	})
	t.Run("while the users cannot be asked the answer is an outage", func(t *testing.T) {
		s, _ := developed(t, readable)
		token := s.machine().text("access_token")
		s.users.down.Store(true)
		if _, err := s.server.Inspect(t.Context(), token); err == nil || auth.KindOf(err) != nil {
			t.Errorf("Inspect: %v", err)
		}
		if a := s.machine(); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
}

func TestUnitRemoveUser(t *testing.T) {
	s, _ := developed(t, func(c *server.Config) { c.Clients.DeveloperLimit = server.NoLimit })
	for i := range 150 {
		s.add(server.Registration{ClientID: fmt.Sprintf("many-%03d", i), Owner: "carol",
			GrantTypes: []string{"client_credentials"}})
	}
	alices, bobs := s.tokens("alice"), s.tokens("bob")
	code := s.as("alice").code("client_id", "shop", "redirect_uri", "https://shop.example/cb", "scope", "read")
	at := s.post("/o/token/", "shop", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://shop.example/cb", "code_verifier", verifier)
	s.must(s.server.RemoveUser(t.Context(), ""))
	for _, id := range []string{"bob", "carol", "nobody"} {
		s.must(s.server.RemoveUser(t.Context(), id))
		s.must(s.server.RemoveUser(t.Context(), id))
	}
	t.Run("the clients of the user are gone with what others gave them", func(t *testing.T) {
		for _, id := range []string{"bots", "shop", "many-000", "many-149"} {
			if c, err := s.server.Client(t.Context(), id); c != nil || err != nil {
				t.Errorf("%s: %v %v", id, c, err)
			}
		}
		if s.good(at.text("access_token")) {
			t.Error("what alice gave to shop")
		}
	})
	t.Run("the grants and consents of the user are gone, and those of others stay", func(t *testing.T) {
		if s.good(bobs.text("access_token")) || s.refresh(bobs.text("refresh_token")).StatusCode != 400 {
			t.Error("bob's tokens are good")
		}
		if a := s.as("bob").authorize(); a.StatusCode != 200 {
			t.Errorf("bob is not asked again: %d", a.StatusCode)
		}
		if !s.good(alices.text("access_token")) || s.as("alice").authorize().location("code") == "" {
			t.Error("alice's")
		}
		if c, err := s.server.Client(t.Context(), "web"); c == nil || err != nil {
			t.Error("a client without an owner")
		}
	})
	t.Run("a store that fails is an outage", func(t *testing.T) {
		store := &failing{Store: server.NewMemoryStore()}
		c := s.config
		c.Store = store
		broken, err := server.New(c)
		s.must(err)
		_, _, err = broken.AddClient(t.Context(),
			server.Registration{Owner: "bob", GrantTypes: []string{"client_credentials"}})
		s.must(err)
		for nth := range int32(4) {
			store.fail(nth + 1)
			if err := broken.RemoveUser(t.Context(), "bob"); !errors.Is(err, errBroken) || auth.KindOf(err) != nil {
				t.Errorf("call %d: %v", nth+1, err)
			}
			if nth == 0 {
				continue
			}
			store.fail(0)
			_, _, err = broken.AddClient(t.Context(),
				server.Registration{Owner: "bob", GrantTypes: []string{"client_credentials"}})
			s.must(err)
		}
	})
}
