package jwt_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

type account struct{ name string }

func (a account) UserID() string { return a.name }

func loadAccount(_ context.Context, id string) (auth.User, error) {
	if id != "alice" {
		return nil, auth.ErrUserNotFound
	}
	return account{id}, nil
}

// A service that issues tokens: what a login gives, and what becomes of it.
func Example() {
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := jwt.New(jwt.Config{
		Issuer:   "https://service.example",
		Keys:     keys,
		Store:    jwt.NewMemoryStore(),
		LoadUser: loadAccount,
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		log.Fatal(err)
	}
	me := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[account](r.Context())
		fmt.Fprint(w, user.name)
	}))
	ask := func(token auth.Secret) {
		r := httptest.NewRequest("GET", "/me", nil)
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		w := httptest.NewRecorder()
		me.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}

	ctx := context.Background()
	first, err := tokens.Issue(ctx, "alice", jwt.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ask(first.Access)
	second, err := tokens.Refresh(ctx, first.Refresh.Reveal())
	if err != nil {
		log.Fatal(err)
	}
	ask(second.Access)
	// Somebody uses the first refresh token again: the login is over.
	_, err = tokens.Refresh(ctx, first.Refresh.Reveal())
	fmt.Println(auth.KindOf(err))
	ask(second.Access)
	// Output:
	// 200
	// 200
	// invalid credential
	// 401
}

// A service that checks tokens of another by its keys, with claims of its own
// type.
func ExampleNewVerifier() {
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwt.NewKeySet(nil, key.Public()) // or jwt.NewRemoteKeys
	if err != nil {
		log.Fatal(err)
	}
	type claims struct {
		Team string `json:"team"`
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
		Issuer:   "https://login.example",
		Audience: []string{"https://api.example"},
		Keys:     keys,
		User:     jwt.SubjectUser,
		Claims:   jwt.ClaimsAs[claims],
	}}})
	if err != nil {
		log.Fatal(err)
	}
	token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": "https://login.example", "aud": "https://api.example",
		"sub": "alice", "exp": 4102444800, "team": "red"})
	if err != nil {
		log.Fatal(err)
	}
	user, credential, err := verifier.VerifyToken(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	said, _ := jwt.ClaimsOf[*claims](credential.(*jwt.Token))
	fmt.Println(user.UserID(), "of team", said.Team)
	// Output: alice of team red
}

func ExampleProfile() {
	profile := jwt.Auth0()
	profile.ScopeClaims = []string{"scope", "permissions"} // all that the user may do at the API
	reader, err := profile.Reader()
	if err != nil {
		panic(err)
	}
	user, err := reader.Read([]byte(`{"sub":"auth0|64b7","azp":"web","scope":"openid","permissions":["read","write"]}`))
	fmt.Printf("%q of client %s, machine %q, %v\n", user.Scopes, user.ClientID, user.Machine, err)
	job, err := reader.Read([]byte(`{"sub":"job@clients","azp":"job","gty":"client-credentials","scope":"read"}`))
	fmt.Printf("%q of client %s, machine %q, %v\n", job.Scopes, job.ClientID, job.Machine, err)
	// Output:
	// ["openid" "read" "write"] of client web, machine "", <nil>
	// ["read"] of client job, machine "job", <nil>
}
