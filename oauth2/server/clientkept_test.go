package server_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// submit posts the form of the page that changes an application, as a browser that changes the name.
func (b *browser) submit(id string) answer {
	path := "/o/applications/" + id + "/update/"
	page := b.do("GET", path, "")
	form := with(fields(page.body), "name", "Changed", "client_type", "confidential", "redirect_uris",
		"https://x.example/cb")
	for _, grant := range []string{"authorization_code", "refresh_token", "client_credentials"} {
		if strings.Contains(page.body, `value="`+grant+`" checked`) {
			form.Add("authorization_grant_type", grant)
		}
	}
	return b.do("POST", path, form.Encode())
}

func TestUnitAClientKeepsWhatItHas(t *testing.T) {
	uris := []string{"https://x.example/cb"}
	t.Run("a client without scopes gets none by a change of another part", func(t *testing.T) {
		s := newService(t, nil)
		before := s.add(server.Registration{ClientID: "x", Owner: "alice", RedirectURIs: uris, Scope: server.NoScope})
		after, err := s.server.ChangeClient(t.Context(), before, before.Registration())
		s.must(err)
		if len(before.Scopes) > 0 || len(after.Scopes) > 0 {
			t.Errorf("%v became %v", before.Scopes, after.Scopes)
		}
	})
	t.Run("an owner who renames an application gives it no scope", func(t *testing.T) {
		s := newService(t, nil)
		s.add(server.Registration{ClientID: "x", Owner: "alice", RedirectURIs: uris, Scope: server.NoScope})
		if a := s.as("alice").submit("x"); a.StatusCode != 303 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		after, err := s.server.Client(t.Context(), "x")
		s.must(err)
		if after.Name != "Changed" || len(after.Scopes) > 0 {
			t.Errorf("%+v", after)
		}
	})
	t.Run("the form keeps the grants that it does not show", func(t *testing.T) {
		s := newService(t, nil)
		s.add(server.Registration{ClientID: "x", Owner: "alice", RedirectURIs: uris,
			GrantTypes: []string{"authorization_code", "client_credentials"}})
		if a := s.as("alice").submit("x"); a.StatusCode != 303 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		after, err := s.server.Client(t.Context(), "x")
		s.must(err)
		if want := []string{"authorization_code", "client_credentials"}; !reflect.DeepEqual(after.GrantTypes, want) {
			t.Errorf("want %v, got %v", want, after.GrantTypes)
		}
	})
	t.Run("an owner can take a leaked address out of an application that has what the server has no longer",
		func(t *testing.T) {
			s := newService(t, func(c *server.Config) { c.Store, c.Keys = kept(t, c.Issuer), keysOf(t, jwt.RS256) })
			before, err := s.server.Client(t.Context(), "x")
			s.must(err)
			if a := s.as("alice").submit("x"); a.StatusCode != 303 {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
			after, err := s.server.Client(t.Context(), "x")
			s.must(err)
			want := *before
			want.Name, want.RedirectURIs, want.PostLogoutRedirectURIs = "Changed", uris, []string{}
			want.Updated = after.Updated
			if !reflect.DeepEqual(*after, want) {
				t.Errorf("want %+v, got %+v", want, *after)
			}
		})
	t.Run("a client gets nothing new that the server does not have", func(t *testing.T) {
		s := newService(t, func(c *server.Config) { c.Store, c.Keys = kept(t, c.Issuer), keysOf(t, jwt.RS256) })
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		for i, change := range []func(*server.Registration){
			func(r *server.Registration) { r.Scope = "gone" },
			func(r *server.Registration) { r.Resources = []string{"https://gone.example/"} },
			func(r *server.Registration) { r.ResourceServer = []string{"https://gone.example/"} },
			func(r *server.Registration) { r.GrantTypes = []string{"urn:gone"} },
			func(r *server.Registration) { r.TokenEndpointAuthMethod = "private_key_jwt" },
			func(r *server.Registration) { r.IDTokenAlgorithm = jwt.ES256 },
		} {
			r := client.Registration()
			change(&r)
			if _, err := s.server.ChangeClient(t.Context(), client, r); err == nil {
				t.Errorf("change %d was taken", i)
			}
		}
	})
}

// kept is a store with an application of a server that had more.
func kept(t *testing.T, issuer string) server.Store {
	store := server.NewMemoryStore()
	_, digest := server.NewSecret()
	_, err := store.AddClient(t.Context(), &server.Client{ID: "x", Owner: "alice", Name: "x", SecretDigest: digest,
		AuthMethod: "private_key_jwt", RedirectURIs: []string{"https://leaked.example/cb"},
		GrantTypes: []string{"authorization_code", "urn:gone"}, Scopes: []string{"read", "gone"},
		Resources: []string{issuer, "https://gone.example/"}, ResourceServer: []string{"https://gone.example/"},
		IDTokenAlgorithm: jwt.ES256}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
