package external_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

func Example() {
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: load})
	if err != nil {
		panic(err)
	}
	logins, err := external.New(external.Config{
		URL: "https://app.example", Keys: []auth.Secret{"32 random bytes from your secrets"},
		Store: external.NewMemoryStore(), LoadUser: load,
		Providers: []external.Provider{
			external.Google{ClientID: "…", ClientSecret: "…"},
			external.GitHub{ClientID: "…", ClientSecret: "…"},
			external.OIDC{Name: "acme", Label: "Acme staff", Issuer: "https://login.acme.example", ClientID: "…",
				ClientSecret: "…", Domains: []string{"acme.example"}},
		},
		Accounts: external.AccountConfig{NewUser: func(_ context.Context, p *external.Profile,
			_ string) (auth.User, error) { // your table of users
			return authtest.User("a new user"), nil
		}},
		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
			_, err := sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Pages: external.Pages{SignInURL: "/sign-in", AccountURL: "/account"},
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{sessions}})
	if err != nil {
		panic(err)
	}
	handlers, err := logins.Handlers(guard)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux)

	for _, choice := range logins.Choices("/reports") { // buttons for /sign-in
		fmt.Println(choice.Label, choice.URL)
	}
	fmt.Println(logins.RedirectURI("google"))
	fmt.Println(logins.ForEmail("bob@acme.example"))
	// Output:
	// Google /login/google/?next=%2Freports
	// GitHub /login/github/?next=%2Freports
	// Acme staff /login/acme/?next=%2Freports
	// https://app.example/login/google/callback/
	// acme true
}

// Forge signs in with accounts of a forge that this package does not know. It has OAuth 2
// and an API, and errors of its own.
type Forge struct {
	ClientID     string
	ClientSecret auth.Secret
}

// Define implements [external.Provider].
func (f Forge) Define() (external.Definition, error) {
	return external.OAuth2{
		Name: "forge", Label: "Forge", Issuer: "https://forge.example",
		AuthorizeURL: "https://forge.example/oauth/authorize", TokenURL: "https://forge.example/oauth/token",
		ClientID: f.ClientID, ClientSecret: f.ClientSecret, Scopes: []string{"user:read"},
		Profile: f.profile,
		Quirks:  external.OAuth2Quirks{Errors: external.ErrorCodes{InvalidGrant: []string{"stale_code"}}},
	}, nil
}

func (f Forge) profile(ctx context.Context, api *external.API) (*external.Profile, error) {
	me, err := api.Get(ctx, "https://forge.example/api/me")
	if err != nil {
		return nil, err
	}
	if external.Flag(me, "suspended") {
		return nil, external.ErrNotAllowed
	}
	return &external.Profile{
		Subject: external.ID(me, "id"), // what never changes, rather than a name
		Name:    external.Text(me, "full_name"),
		Email:   external.Email{Address: external.Exact(me, "mail"), Verified: external.Flag(me, "mail_confirmed")},
		Claims:  me,
	}, nil
}

// A provider of your own is a type with one method.
func ExampleProvider() {
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	logins, err := external.New(external.Config{
		URL: "https://app.example", Keys: []auth.Secret{"32 random bytes from your secrets"},
		Store: external.NewMemoryStore(), LoadUser: load,
		Providers: []external.Provider{Forge{ClientID: "…", ClientSecret: "…"}},
		Apps:      external.AppConfig{Redirects: []string{"com.example.app:/signed-in"}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(logins.Choices(""), logins.RedirectURI("forge"))
	// Output: [{forge Forge /login/forge/}] https://app.example/login/forge/callback/
}

// A provider that has no OpenID Connect names the user by an API of its own.
func ExampleOAuth2() {
	provider := external.OAuth2{
		Name: "forge", Label: "Forge", Issuer: "https://forge.example",
		AuthorizeURL: "https://forge.example/oauth/authorize", TokenURL: "https://forge.example/oauth/token",
		ClientID: "…", ClientSecret: "…", Scopes: []string{"user:read"},
		Profile: func(ctx context.Context, api *external.API) (*external.Profile, error) {
			me, err := api.Get(ctx, "https://forge.example/api/me")
			if err != nil {
				return nil, err
			}
			id, _ := me["id"].(string) // what never changes, rather than a name
			name, _ := me["full_name"].(string)
			return &external.Profile{Subject: id, Name: name}, nil
		},
	}
	fmt.Println(provider.Name)
	// Output: forge
}

// An app exchanges the code that its browser came back with for a token.
func ExampleLogins_Authenticate() {
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	logins, err := external.New(external.Config{
		URL: "https://app.example", Keys: []auth.Secret{"32 random bytes from your secrets"},
		Store: external.NewMemoryStore(), LoadUser: load,
		Providers: []external.Provider{external.GitHub{ClientID: "…", ClientSecret: "…"}},
		Accounts: external.AccountConfig{NewUser: func(_ context.Context, p *external.Profile,
			_ string) (auth.User, error) {
			return authtest.User("github-" + p.Subject), nil
		}},
		Apps: external.AppConfig{Redirects: []string{"com.example.app:/signed-in"}},
	})
	if err != nil {
		panic(err)
	}
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load})
	if err != nil {
		panic(err)
	}
	// A code is a way to log in, and no credential of other requests.
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{logins}})
	if err != nil {
		panic(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		panic(err)
	}
	pages, err := logins.Handlers(guard)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	pages.Register(mux)
	handlers.Register(mux, "/auth")

	r := httptest.NewRequest("POST", "/auth/login/",
		strings.NewReader(`{"login_code":"guessed","code_verifier":"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 401
}
