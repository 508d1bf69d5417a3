package oauth2_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

// An API that asks the server which issued a token about it.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("token") == "alices" {
			fmt.Fprint(
				w,
				`{"active":true,"sub":"alice","client_id":"shop","scope":"reports:read","aud":"https://api.example/"}`)
			return
		}
		fmt.Fprint(w, `{"active":false}`)
	}))
	defer server.Close()

	tokens, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: server.URL, ClientID: "api",
		ClientSecret: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	api, err := oauth2.New(oauth2.Config{
		Resource:             "https://api.example/",
		Sources:              []oauth2.Source{tokens},
		AuthorizationServers: []string{"https://login.example"},
		User:                 oauth2.SubjectUser,
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux)
	mux.Handle("GET /reports",
		guard.Require(auth.Scopes("reports:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, _ := auth.UserFrom[auth.User](r.Context())
			fmt.Fprintf(w, "reports of %s", user.UserID())
		})))

	for _, authorization := range []string{"Bearer alices", "Bearer forged", ""} {
		r := httptest.NewRequest("GET", "https://api.example/reports", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Www-Authenticate"])
	}
	// Output:
	// 200 []
	// 401 [Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource", error="invalid_token", error_description="Invalid token."]
	// 401 [Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource"]
}

// Everything in one call, for an API with a server that issues JWTs (RFC 9068).
func ExampleRequireBearerToken() {
	protect, err := oauth2.RequireBearerToken("https://login.example", "https://api.example/mcp", "files:read")
	if err != nil {
		log.Fatal(err)
	}
	handler := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		fmt.Fprint(w, "files of ", user.UserID())
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "https://api.example/mcp", nil))
	fmt.Println(w.Code)
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	// Output:
	// 401
	// Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource/mcp", scope="files:read"
}

// A source of one's own: tokens of a system of one's own.
func ExampleSource() {
	var _ oauth2.Source = legacy{}
	api, err := oauth2.New(oauth2.Config{Resource: "https://api.example/", Sources: []oauth2.Source{legacy{}},
		User: oauth2.SubjectUser})
	if err != nil {
		log.Fatal(err)
	}
	user, _, err := api.VerifyToken(context.Background(), "legacy-7")
	fmt.Println(user.UserID(), err)
	// Output: 7 <nil>
}

type legacy struct{}

func (legacy) Inspect(_ context.Context, token string) (*oauth2.Token, error) {
	id, ok := strings.CutPrefix(token, "legacy-")
	if !ok {
		return nil, auth.ErrUnrecognized
	}
	return &oauth2.Token{Subject: id, Audience: []string{"https://api.example/"}}, nil
}
