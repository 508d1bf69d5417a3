package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
)

// Member is the application's own user type.
type Member struct {
	Name  string
	Admin bool
}

func (m *Member) UserID() string { return m.Name }

// apiKeys is a custom backend: a header with a key that belongs to a member.
// A real one keeps hashes of keys, and not the keys.
var apiKeys = auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
	switch r.Header.Get("X-Api-Key") {
	case "":
		return nil, nil, auth.ErrNoCredentials
	case "key-of-alice":
		return &Member{Name: "alice"}, nil, nil
	case "key-of-root":
		return &Member{Name: "root", Admin: true}, nil, nil
	}
	return nil, nil, auth.ErrInvalid
})

func exampleGuard() *auth.Guard {
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{apiKeys},
		Challenges: []auth.Challenge{{Scheme: "ApiKey", Params: []auth.Param{{Name: "realm", Value: "api"}}}},
	})
	if err != nil {
		panic(err)
	}
	return guard
}

// show sends a request and prints the answer.
func show(h http.Handler, method, path, key string) {
	r := httptest.NewRequest(method, path, nil)
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		fmt.Println(w.Code, w.Body)
		return
	}
	fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate"))))
}

func ExampleNew() {
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{apiKeys},
		Challenges: []auth.Challenge{{Scheme: "ApiKey", Params: []auth.Param{{Name: "realm", Value: "api"}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		member, _ := auth.UserFrom[*Member](r.Context())
		_, _ = fmt.Fprintf(w, "hello %s", member.Name)
	}))

	show(hello, "GET", "/", "key-of-alice")
	show(hello, "GET", "/", "wrong")
	show(hello, "GET", "/", "")
	// Output:
	// 200 hello alice
	// 401 ApiKey realm="api"
	// 401 ApiKey realm="api"
}

func ExampleGuard_Optional() {
	hello := exampleGuard().Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if member, ok := auth.UserFrom[*Member](r.Context()); ok {
			_, _ = fmt.Fprintf(w, "hello %s", member.Name)
			return
		}
		_, _ = fmt.Fprint(w, "hello stranger")
	}))

	show(hello, "GET", "/", "key-of-alice")
	show(hello, "GET", "/", "")
	show(hello, "GET", "/", "wrong") // a bad credential is not an absent one
	// Output:
	// 200 hello alice
	// 200 hello stranger
	// 401 ApiKey realm="api"
}

func ExampleGuard_Protect() {
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "ok") }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /users/{id}", ok)
	mux.HandleFunc("DELETE /users/{id}", ok)

	isAdmin := auth.UserIs(func(m *Member) bool { return m.Admin })
	app := exampleGuard().Protect(mux,
		auth.Open("GET /healthz"),
		auth.Route("DELETE /users/{id}", isAdmin))

	show(app, "GET", "/healthz", "")
	show(app, "GET", "/users/7", "") // nobody named it, so it is closed
	show(app, "GET", "/users/7", "key-of-alice")
	show(app, "DELETE", "/users/7", "key-of-alice")
	show(app, "DELETE", "/users/7", "key-of-root")
	// Output:
	// 200 ok
	// 401 ApiKey realm="api"
	// 200 ok
	// 403
	// 200 ok
}

func ExampleAuthenticatorFunc() {
	backend := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		_, token, err := auth.TokenFrom(r, "Bearer")
		if err != nil {
			return nil, nil, err // absent, or malformed
		}
		if token != "secret" {
			return nil, nil, auth.ErrInvalid
		}
		return &Member{Name: "alice"}, nil, nil
	})
	for _, header := range []string{"", "Bearer secret", "Bearer wrong", "Bearer a b"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		user, _, err := backend.Authenticate(r)
		fmt.Println(user != nil, auth.KindOf(err))
	}
	// Output:
	// false no credentials
	// true <nil>
	// false invalid credential
	// false malformed credential
}

func ExampleAny() {
	isAdmin := auth.UserIs(func(m *Member) bool { return m.Admin })
	notes := exampleGuard().Require(
		auth.ReadOnlyOr(auth.Any(isAdmin, auth.Scopes("notes:write"))),
	)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "ok") }))

	show(notes, "GET", "/", "key-of-alice")
	show(notes, "POST", "/", "key-of-alice")
	show(notes, "POST", "/", "key-of-root")
	// Output:
	// 200 ok
	// 403
	// 200 ok
}

func ExampleUserFrom() {
	h := exampleGuard().Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		member, ok := auth.UserFrom[*Member](r.Context()) // the application's own type
		_, isMachine := auth.UserFrom[auth.Machine](r.Context())
		_, _ = fmt.Fprint(w, member.Name, " ", member.Admin, " ", ok, " ", isMachine)
	}))
	show(h, "GET", "/", "key-of-root")
	// Output: 200 root true true false
}
