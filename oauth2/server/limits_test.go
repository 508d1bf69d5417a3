package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

func TestAnAccessTokenExpiresBeforeItsGrant(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Store = aging{c.Store} })
	tokens := s.tokens("alice", "scope", "openid read")
	if s.good(tokens.text("access_token")) {
		t.Error("an expired token is good")
	}
	if a := s.post("/o/introspect/", "web", "token", tokens.text("access_token")); a.body != inactive {
		t.Error(a.body)
	}
	if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization",
		"Bearer "+tokens.text("access_token")); a.StatusCode != 401 {
		t.Errorf("userinfo: %d", a.StatusCode)
	}
	if a := s.refresh(tokens.text("refresh_token")); a.StatusCode != 200 {
		t.Errorf("its refresh token: %d %s", a.StatusCode, a.body)
	}
}

// aging is a store of access tokens that have just expired.
type aging struct{ server.Store }

func (a aging) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	access, grant, err := a.Store.FindAccess(ctx, digest)
	if access != nil {
		old := *access
		old.ExpiresAt = time.Now().Add(-time.Millisecond)
		access = &old
	}
	return access, grant, err
}

func TestAConsentPageOfAnotherUserInASessionOfTheSameName(t *testing.T) {
	s := newService(t, nil)
	page := s.as("alice").authorize()
	if a := s.asOf("bob", "session-alice", time.Now()).do("POST", "/o/authorize/",
		with(fields(page.body), "allow", "1").Encode()); a.StatusCode != 403 {
		t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// withdrawing is a store where a user withdraws a consent just after it was looked at.
type withdrawing struct{ server.Store }

func (w withdrawing) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	consent, err := w.Store.Consent(ctx, userID, clientID)
	if consent != nil {
		_, err = w.Withdraw(ctx, userID, clientID, time.Now())
	}
	return consent, err
}

func TestAConsentThatIsWithdrawnMeanwhileGivesNothing(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Store = withdrawing{c.Store} })
	s.as("alice").code()
	sent(t, s, "withdrawn", s.as("alice").authorize(), "access_denied")
}

func TestAClientAsksForItsOwnScopesAndResourcesAlone(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "small", RedirectURIs: []string{"https://web.example/callback?a=b"},
		Scope: "openid", Resources: []string{"https://other.example/"}})
	sent(t, s, "a scope of others", s.as("alice").authorize("client_id", "small", "scope", "openid read"),
		"invalid_scope")
	sent(t, s, "a resource of others", s.as("alice").authorize("client_id", "small", "scope", "openid", "resource",
		s.http.URL), "invalid_target")
	code := s.as("alice").code("client_id", "small", "scope", "-")
	a := s.post("/o/token/", "small", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://web.example/callback?a=b", "code_verifier", verifier)
	if token, err := s.server.Inspect(t.Context(), a.text("access_token")); err != nil || len(token.Scope) != 1 ||
		token.Audience[0] != "https://other.example/" {
		t.Errorf("%+v, %v", token, err)
	}
	if a.json("refresh_token") != nil {
		t.Error("a client without the grant has a refresh token")
	}
}

func TestATokenEndsWithThePasswordOfItsUser(t *testing.T) {
	s := newService(t, nil)
	token := s.tokens("alice").text("access_token")
	api, err := oauth2.New(oauth2.Config{Resource: s.http.URL, Sources: []oauth2.Source{s.server},
		LoadUser: s.users.load})
	s.must(err)
	if _, _, err := api.VerifyToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	s.users.changePassword("alice")
	if _, _, err := api.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("another password: %v", err)
	}
	if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+token); a.StatusCode != 401 {
		t.Errorf("userinfo: %d", a.StatusCode)
	}
}
