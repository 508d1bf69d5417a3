package server_test

import (
	"context"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// held is a store that is down for the access tokens of one user.
type held struct {
	server.Store
	user string
}

func (h *held) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	access, grant, err := h.Store.FindAccess(ctx, digest)
	if grant != nil && grant.UserID == h.user {
		return nil, nil, errBroken
	}
	return access, grant, err
}

func TestUnitServerIsASourceOfABackend(t *testing.T) {
	s := newService(t, func(c *server.Config) {
		c.Tokens.Prefix, c.Store = "gw_", &held{Store: c.Store, user: "lost"}
	})
	for _, id := range []string{"lost", "gone", "changed"} {
		s.users.stamps[id] = id
	}
	t.Run("of opaque tokens", func(t *testing.T) { s.keepsTheContract(t, s.http.URL, "https://other.example/") })
	t.Run("of JSON Web Tokens", func(t *testing.T) { s.keepsTheContract(t, "https://jwt.example/api", s.http.URL) })
}

// keepsTheContract tests the backend of a resource that asks the server.
func (s *service) keepsTheContract(t *testing.T, resource, other string) {
	api, err := oauth2.New(oauth2.Config{
		Resource: resource, Sources: []oauth2.Source{s.server}, LoadUser: s.users.load})
	s.must(err)
	bearer := func(token string) authtest.Request { return authtest.RequestWith("Authorization", "Bearer "+token) }
	of := func(user, scope string) string {
		return s.tokens(user, "resource", resource, "scope", scope).text("access_token")
	}
	program := s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", resource, "scope", "read")
	forAnother := s.tokens("alice", "resource", other).text("access_token")
	refresh := s.tokens("alice", "resource", resource).text("refresh_token")

	revoked, gone, changed := of("alice", "read"), of("gone", "read"), of("changed", "read")
	if a := s.post("/o/revoke_token/", "web", "token", revoked); a.StatusCode != 200 {
		t.Fatalf("want 200 for the revocation, got %d %s", a.StatusCode, a.body)
	}
	s.users.changePassword("changed")
	s.users.disable("gone", true)
	defer s.users.disable("gone", false)

	authtest.Backend(t, api, authtest.Cases{
		Good: []authtest.Good{
			{Request: bearer(of("alice", "read")), User: "alice", Scopes: []string{"read"}},
			{Request: bearer(of("bob", "read write")), User: "bob", Scopes: []string{"read", "write"}},
			{Request: bearer(program.text("access_token")), User: "client:job", Scopes: []string{"read"}},
		},
		Absent: []authtest.Request{authtest.RequestWith("Authorization", "Basic YTpi")},
		Invalid: []authtest.Request{bearer(revoked), bearer(gone), bearer(changed), bearer(forAnother),
			bearer(refresh)},
		Malformed:    []authtest.Request{bearer("a b")},
		Unrecognized: []authtest.Request{bearer("other_abc")},
		Outage:       []authtest.Request{bearer(of("lost", "read"))},
	})
}
