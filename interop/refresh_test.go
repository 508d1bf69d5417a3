package interop

import (
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A reverse proxy that signs users in refreshes in as many requests at once as a page sends.
func TestManyRefreshesAtOnceKeepTheGrantOfAConfidentialClient(t *testing.T) {
	// The library's default is 10 s. The demo itself has no grace.
	demo := demo(t, "-clients",
		write(t, "clients.json", `[{"client_id": "proxy", "client_secret": "proxy-secret-of-32-characters-00",
		"redirect_uris": ["http://127.0.0.1/callback"], "grant_types": ["authorization_code", "refresh_token"],
		"refresh_token_grace": 10}]`))
	provider, err := oidc.NewProvider(oidc.InsecureIssuerURLContext(t.Context(), demo), demo)
	if err != nil {
		t.Fatal(err)
	}
	c := oauth2.Config{
		ClientID: "proxy", ClientSecret: "proxy-secret-of-32-characters-00", Endpoint: provider.Endpoint(),
		RedirectURL: "http://127.0.0.1:51004/callback", Scopes: []string{"openid", "reports:read"},
	}
	verifier := oauth2.GenerateVerifier()
	back := signIn(t, demo, "alice", "correct-horse-battery").
		allow(c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	token, err := c.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var group sync.WaitGroup
		successors := make([]*oauth2.Token, 8)
		for i := range successors {
			group.Go(func() {
				next, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
				if err != nil {
					t.Errorf("refresh %d: %v", i, err)
				}
				successors[i] = next
			})
		}
		group.Wait()
		for i, next := range successors {
			if next == nil || next.RefreshToken != successors[0].RefreshToken {
				t.Fatalf("refresh %d has another successor", i)
			}
			me := send(t, "GET", demo+"/api/me", "", "Authorization", "Bearer "+next.AccessToken)
			if me.status != 200 || me.body["user"] != "alice" {
				t.Errorf("the access token of refresh %d: %d %s", i, me.status, me.text)
			}
		}
		token = successors[0]
	}
}
