package knox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
)

type member string

func (m member) UserID() string { return string(m) }

// A service with users that log in by HTTP Basic and then use tokens.
func Example() {
	loadUser := func(_ context.Context, id string) (auth.User, error) {
		if id != "alice" {
			return nil, auth.ErrUserNotFound
		}
		return member(id), nil
	}
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: loadUser,
		Token: knox.TokenSettings{Prefix: "acme_"}})
	if err != nil {
		panic(err)
	}
	// How users log in; password.Authenticator has a Check that hashes and throttles.
	basic, err := header.NewBasic(header.BasicConfig{LoadUser: loadUser,
		Check: func(r *http.Request, username, password string) (auth.User, error) {
			if username != "alice" || password != "open sesame" {
				return nil, auth.ErrInvalid
			}
			return loadUser(r.Context(), username)
		}})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{basic}})
	if err != nil {
		panic(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	mux.Handle("/hello", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := auth.UserFrom[member](r.Context())
		fmt.Fprintf(w, "hello, %s", who)
	})))

	request := func(method, path, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	answer := request("POST", "/auth/login/", "Basic YWxpY2U6b3BlbiBzZXNhbWU=").Body.String()
	_, token, _ := strings.Cut(answer, `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	fmt.Println(token[:5])
	fmt.Println(request("GET", "/hello", "Token "+token).Body)
	fmt.Println(request("POST", "/auth/logout/", "Token "+token).Code)
	fmt.Println(request("GET", "/hello", "Token "+token).Code)
	// Output:
	// acme_
	// hello, alice
	// 204
	// 401
}
