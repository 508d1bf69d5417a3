package backend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/header"
)

// keys is a backend that issues API keys.
type keys struct {
	format *backend.TokenFormat
	mu     sync.Mutex
	issued map[string]key // by digest, so that a copy of the store is of no use
}

// key is what is known of an API key, and the credential of its requests.
type key struct {
	id, userID string
	terms      backend.Terms
}

func (key) Backend() string            { return "keys" }
func (key) Ambient() bool              { return false } // no browser adds it by itself
func (k key) Scopes() ([]string, bool) { return k.terms.Scopes, k.terms.Limited }
func (k key) ExpiresAt() time.Time     { return k.terms.MaxExpiresAt }

func (k *keys) Backend() string              { return "keys" }
func (k *keys) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Bearer"}} }
func (k *keys) OwnTokens() []auth.TokenClass { return k.format.TokenClasses("Bearer") }

func (k *keys) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, text, err := auth.TokenFrom(r, "Bearer")
	if err != nil {
		return nil, nil, err
	}
	digest, err := k.format.Read(text) // refuses garbage, and leaves tokens of others to others
	if err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	found, ok := k.issued[digest]
	k.mu.Unlock()
	if !ok || !time.Now().Before(found.ExpiresAt()) {
		return nil, nil, auth.ErrInvalid
	}
	return authtest.User(found.userID), found, nil
}

// routes issues a key for each login. Whoever is limited to scopes gets a key with no
// more than these.
func (k *keys) routes(guard *auth.Guard) (backend.Routes, error) {
	login, err := guard.Login()
	if err != nil {
		return nil, err
	}
	issue := func(w http.ResponseWriter, r backend.Request) {
		now := time.Now()
		terms, err := backend.TermsOf(r.Credential, false, now)
		if err != nil {
			login.Refuse(w, r.Request, err)
			return
		}
		terms.MaxExpiresAt = backend.Earlier(now.Add(time.Hour), terms.MaxExpiresAt)
		text, digest := k.format.New(r.User.UserID())
		k.mu.Lock()
		k.issued[digest] = key{id: backend.NewID(), userID: r.User.UserID(), terms: terms}
		k.mu.Unlock()
		backend.WriteJSON(w, http.StatusCreated, map[string]string{"key": text})
	}
	return backend.Routes{
		{Path: "/keys/", Handler: backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": issue})},
	}, nil
}

// checkPassword stands for the method Check of a password.Authenticator.
func checkPassword(_ *http.Request, username, password string) (auth.User, error) {
	if username != "alice" || password != "secret" {
		return nil, auth.ErrInvalid
	}
	return authtest.User("alice"), nil
}

// A backend that issues API keys: the kit makes and reads the keys, limits them, and
// serves the login.
func Example() {
	format, err := backend.NewTokenFormat("acme_", backend.DefaultTokenLength)
	if err != nil {
		panic(err)
	}
	passwords, err := header.NewBasic(header.BasicConfig{Check: checkPassword, Remember: -1})
	if err != nil {
		panic(err)
	}
	api := &keys{format: format, issued: make(map[string]key)}
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{api},
		Login:    []auth.Authenticator{passwords},
	})
	if err != nil {
		panic(err)
	}
	routes, err := api.routes(guard)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	routes.Register(mux, "/api")
	mux.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		fmt.Fprint(w, "reports of ", user.UserID())
	})
	handler := guard.Protect(mux, routes.Open("/api"))

	login := httptest.NewRequest("POST", "/api/keys/", nil)
	login.SetBasicAuth("alice", "secret")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, login)
	var issued struct{ Key string }
	if err := json.Unmarshal(answer.Body.Bytes(), &issued); err != nil {
		panic(err)
	}
	fmt.Println(answer.Code, issued.Key[:5], len(issued.Key))

	for _, key := range []string{issued.Key, issued.Key + "x", ""} {
		r := httptest.NewRequest("GET", "/reports", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		fmt.Println(answer.Code)
	}
	// Output:
	// 201 acme_ 45
	// 200
	// 401
	// 400
}
