package server_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// An authorization server, and an API of the same program that takes its tokens.
func Example() {
	load := func(_ context.Context, id string) (auth.User, error) { return user{id: id}, nil }
	srv, err := server.New(server.Config{
		Issuer: "https://login.example", Store: server.NewMemoryStore(), LoadUser: load,
		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
		},
		Scopes:    []server.Scope{{Name: "reports:read", Text: "read your reports"}},
		Resources: []server.Resource{{ID: "https://api.example/"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, secret, err := srv.AddClient(context.Background(), server.Registration{ClientID: "shop", FirstParty: true,
		RedirectURIs: []string{"https://shop.example/cb"}})
	if err != nil {
		log.Fatal(err)
	}
	api, err := oauth2.New(oauth2.Config{Resource: "https://api.example/", Sources: []oauth2.Source{srv},
		LoadUser: load})
	if err != nil {
		log.Fatal(err)
	}

	// The one guard of the program: the user that is signed in at the pages, which is
	// session.Sessions in a program that has browsers, and the API.
	guard, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{api, logins{&users{stamps: map[string]string{"alice": ""}}}}})
	if err != nil {
		log.Fatal(err)
	}
	handlers, err := srv.Handlers(guard)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux)

	// The browser comes, sent by the shop, and goes back with a code.
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/o/authorize/?"+url.Values{"response_type": {"code"}, "client_id": {"shop"},
		"scope": {"reports:read"},
		"state": {"s"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}.Encode(), nil)
	r.AddCookie(&http.Cookie{Name: "login", Value: "alice:session:0"})
	mux.ServeHTTP(w, r)
	back, _ := url.Parse(w.Header().Get("Location"))
	fmt.Println(w.Code, back.Host, back.Query().Get("state"), back.Query().Get("iss"))

	// The shop redeems it.
	r = httptest.NewRequest("POST", "/o/token/",
		strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
			"code_verifier": {verifier}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", secret.Reveal())
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	token := answer{body: w.Body.String()}

	// The API knows the user.
	who, credential, err := api.VerifyToken(context.Background(), token.text("access_token"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Code, token.text("token_type"), who.UserID(), credential.(*oauth2.Token).ClientID,
		credential.(*oauth2.Token).Scope)
	// Output:
	// 303 shop.example s https://login.example
	// 200 Bearer alice shop [reports:read]
}
