package interop

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// subject is a user.
type subject string

func (s subject) UserID() string { return string(s) }

// TestXOAuth2RefreshesForAnotherAPI gets a token for one of two APIs with a refresh token, by Exchange, because a
// TokenSource of x/oauth2 cannot name an API.
func TestXOAuth2RefreshesForAnotherAPI(t *testing.T) {
	mux := http.NewServeMux()
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	srv, err := server.New(server.Config{Issuer: web.URL, Store: server.NewMemoryStore(),
		LoadUser:  func(_ context.Context, id string) (auth.User, error) { return subject(id), nil },
		SignIn:    func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Scopes:    []server.Scope{{Name: "read", Text: "read"}},
		Resources: []server.Resource{{ID: web.URL + "/reports"}, {ID: web.URL + "/billing"}}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{auth.AuthenticatorFunc(
		func(*http.Request) (auth.User, auth.Credential, error) { return nil, nil, auth.ErrNoCredentials })},
		Challenges: []auth.Challenge{{Scheme: "Form"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := srv.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	handlers.Register(mux)
	shop, secret, err := srv.AddClient(t.Context(), server.Registration{ClientName: "Shop",
		RedirectURIs: []string{"https://shop.example/callback"},
		GrantTypes:   []string{"authorization_code", "refresh_token"}})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := srv.Issue(t.Context(), server.Issuance{Client: shop, Type: "login", UserID: "alice", Refresh: true,
		Scopes: []string{"read"}, Resources: []string{web.URL + "/reports", web.URL + "/billing"}})
	if err != nil {
		t.Fatal(err)
	}
	c := oauth2.Config{ClientID: shop.ID, ClientSecret: secret.Reveal(), RedirectURL: "https://shop.example/callback",
		Endpoint: oauth2.Endpoint{TokenURL: web.URL + "/o/token/"}}
	first, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: issued.RefreshToken().Reveal()}).Token()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Exchange(t.Context(), "", oauth2.SetAuthURLParam("grant_type", "refresh_token"),
		oauth2.SetAuthURLParam("refresh_token", first.RefreshToken),
		oauth2.SetAuthURLParam("resource", web.URL+"/billing"))
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[*oauth2.Token][]string{first: {web.URL + "/reports", web.URL + "/billing"},
		second: {web.URL + "/billing"}} {
		found, err := srv.Inspect(t.Context(), token.AccessToken)
		if err != nil || !slices.Equal(found.Audience, want) {
			t.Errorf("got %+v, %v, want a token for %s", found, err, want)
		}
	}
	if second.RefreshToken == "" {
		t.Error("the exchange returned no next refresh token")
	}
}
