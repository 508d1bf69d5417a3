package auth_test

import (
	"errors"
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
	return nil, nil, errUnknownKey
})

// The cause is for the log. The client is not told.
var errUnknownKey error = &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("no member has this key")}

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
	ok := func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Pattern) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /reports", ok)
	mux.HandleFunc("DELETE /users/{id}", ok)

	// A policy sees the path values of the route.
	isSelf := func(r *http.Request, user auth.User, _ auth.Credential) error {
		if r.PathValue("id") != user.UserID() {
			return &auth.Error{Kind: auth.ErrInsufficient}
		}
		return nil
	}
	isAdmin := auth.UserIs(func(m *Member) bool { return m.Admin })
	app := exampleGuard().Protect(mux,
		auth.Open("GET /healthz"),
		auth.Route("DELETE /users/{id}", auth.Any(isSelf, isAdmin)))
	fmt.Println(app.Check())

	show(app, "GET", "/healthz", "")
	show(app, "GET", "/reports", "") // no option names it, so it is closed
	show(app, "GET", "/reports", "key-of-alice")
	show(app, "DELETE", "/users/alice", "key-of-alice")
	show(app, "DELETE", "/users/root", "key-of-alice")
	show(app, "DELETE", "/users/alice", "key-of-root")
	// Output:
	// <nil>
	// 200 GET /healthz
	// 401 ApiKey realm="api"
	// 200 GET /reports
	// 200 DELETE /users/{id}
	// 403
	// 200 DELETE /users/{id}
}

// A misspelled pattern would leave a route without its policy.
func ExampleProtected_Check() {
	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /users/{id}", func(http.ResponseWriter, *http.Request) {})

	isAdmin := auth.UserIs(func(m *Member) bool { return m.Admin })
	app := exampleGuard().Protect(mux, auth.Route("DELETE /user/{id}", isAdmin))
	fmt.Println(app.Check())
	// Output:
	// auth: Protect: no route is registered as "DELETE /user/{id}". Is it misspelled? If the route has a host or a rare method, name that too
}

// Keys is the backend apiKeys with a name and a challenge, which a decorator must keep.
type Keys struct{}

func (Keys) Backend() string              { return "keys" }
func (Keys) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "ApiKey"}} }

func (Keys) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return apiKeys.Authenticate(r)
}

func ExampleWrap() {
	keys := Keys{}
	asked := 0
	counted := auth.Wrap(keys, func(r *http.Request) (auth.User, auth.Credential, error) {
		asked++
		return keys.Authenticate(r)
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{counted}})
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "hello")
	}))

	show(hello, "GET", "/", "key-of-alice")
	show(hello, "GET", "/", "wrong") // with the challenge of keys
	named, _ := auth.As[auth.Named](counted)
	fmt.Println(asked, named.Backend())
	// Output:
	// 200 hello
	// 401 ApiKey
	// 2 keys
}

// Key is a credential that is limited to scopes.
type Key struct{ scopes []string }

func (Key) Backend() string            { return "keys" }
func (k Key) Scopes() ([]string, bool) { return k.scopes, true }

// Traced is a decorator of a credential. It adds something, and says what it wraps.
type Traced struct {
	auth.Credential
	RequestID string
}

func (t Traced) Unwrap() auth.Credential { return t.Credential }

func ExampleAs() {
	var credential auth.Credential = Traced{Key{[]string{"reports:read"}}, "7f3a"}

	_, isScoped := credential.(auth.Scoped) // Traced has no method Scopes
	fmt.Println(isScoped)
	scoped, ok := auth.As[auth.Scoped](credential) // Key has
	scopes, limited := scoped.Scopes()
	fmt.Println(ok, scopes, limited)
	key, ok := auth.As[Key](credential) // a concrete type, too
	fmt.Println(ok, key.Backend())
	// Output:
	// false
	// true [reports:read] true
	// true keys
}

func ExampleGuard_Login() {
	pins := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		switch r.Header.Get("X-Pin") {
		case "":
			return nil, nil, auth.ErrNoCredentials
		case "1234":
			return &Member{Name: "alice"}, nil, nil
		}
		return nil, nil, auth.ErrInvalid
	})
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{apiKeys},
		Login:      []auth.Authenticator{pins},
		Challenges: []auth.Challenge{{Scheme: "ApiKey"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A handler that issues keys asks the backends of Config.Login.
	login, err := guard.Login()
	if err != nil {
		fmt.Println(err)
		return
	}
	issue := login.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		member, _ := auth.UserFrom[*Member](r.Context())
		_, _ = fmt.Fprintf(w, "a new key for %s", member.Name)
	}))

	r := httptest.NewRequest("POST", "/keys", nil)
	r.Header.Set("X-Pin", "1234")
	w := httptest.NewRecorder()
	issue.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	show(issue, "POST", "/keys", "key-of-alice") // a key makes no other key
	// Output:
	// 200 a new key for alice
	// 401 ApiKey
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
