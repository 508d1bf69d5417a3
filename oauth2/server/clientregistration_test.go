package server_test

import (
	"reflect"
	"testing"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// notKept are the fields of a Registration that no client keeps.
var notKept = map[string]bool{"ClientSecret": true, "ResponseTypes": true, "DPoPBoundAccessTokens": true,
	"RequirePushedRequests": true, "Members": true, "ClientSecretHash": true}

func TestUnitClientRegistration(t *testing.T) {
	full := func(s *service) *server.Client {
		return s.add(server.Registration{ClientID: "full", ClientName: "Full", Owner: "alice",
			TokenEndpointAuthMethod: "client_secret_post",
			RedirectURIs:            []string{"https://full.example/cb"}, PostLogoutRedirectURIs: []string{
				"https://full.example/"},
			GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", Resources: []string{
				s.http.URL},
			ResourceServer: []string{s.http.URL}, FirstParty: true, AllowWithoutPKCE: true, IDTokenAlgorithm: jwt.ES256,
			RefreshGrace: 5, ClaimsInIDToken: true,
			IgnoreUnknownScopes: true, RevokeGrantWithAccessToken: true, AllowShortSecret: true})
	}
	t.Run("it has every field that a client keeps", func(t *testing.T) {
		s := newService(t, nil)
		r := reflect.ValueOf(full(s).Registration())
		for i := range r.NumField() {
			if name := r.Type().Field(i).Name; r.Field(i).IsZero() && !notKept[name] {
				t.Errorf("%s is lost", name)
			}
		}
	})
	t.Run("a client that is changed to it is as before", func(t *testing.T) {
		s := newService(t, nil)
		before := full(s)
		after, err := s.server.ChangeClient(t.Context(), before, before.Registration())
		s.must(err)
		want := *before
		want.Updated = after.Updated
		if !reflect.DeepEqual(*after, want) {
			t.Errorf("want %+v, got %+v", want, *after)
		}
	})
	t.Run("what the form of the page does not show stays", func(t *testing.T) {
		s := newService(t, nil)
		before := full(s)
		page := s.as("alice").do("GET", "/o/applications/full/update/", "")
		form := with(fields(page.body), "name", "Changed", "client_type", "confidential", "authorization_grant_type",
			"authorization-code",
			"redirect_uris", "https://full.example/new", "post_logout_redirect_uris", "https://full.example/")
		if a := s.as("alice").do("POST", "/o/applications/full/update/", form.Encode()); a.StatusCode != 303 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		after, err := s.server.Client(t.Context(), "full")
		s.must(err)
		want := *before
		want.Name, want.RedirectURIs, want.Updated = "Changed", []string{"https://full.example/new"}, after.Updated
		if !reflect.DeepEqual(*after, want) {
			t.Errorf("want %+v, got %+v", want, *after)
		}
	})
}
