package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

type account struct{ name, encoded string }

func (a account) UserID() string    { return a.name }
func (a account) AuthStamp() string { return a.encoded } // changes with the password

func Example() {
	// The application's users.
	hasher, _ := password.NewHasher(password.HasherConfig{})
	encoded, _ := hasher.Hash(context.Background(), "correct-horse-battery")
	alice := account{"alice", encoded}
	load := func(_ context.Context, id string) (auth.User, error) {
		if id != alice.name {
			return nil, auth.ErrUserNotFound
		}
		return alice, nil
	}

	// Sessions, passwords to log in with, and the guard that knows both.
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: load})
	if err != nil {
		panic(err)
	}
	passwords, err := password.New(password.Config{
		Hasher: hasher,
		Account: func(ctx context.Context, name string) (auth.User, string, error) {
			user, err := load(ctx, name)
			return user, alice.encoded, err
		},
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{sessions},
		Login:    []auth.Authenticator{passwords},
		Render:   sessions.RedirectToLogin("/session/login", nil),
	})
	if err != nil {
		panic(err)
	}
	handlers, err := sessions.Handlers(guard)
	if err != nil {
		panic(err)
	}

	// The routes.
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	mux.HandleFunc("GET /session/login", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(
			w,
			`<form method="post"><input name="username">`+
				`<input name="password" type="password"><button>Sign in</button></form>`)
	})
	mux.Handle("GET /account", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[account](r.Context())
		fmt.Fprint(w, "the account of ", user.name)
	})))

	// A browser opens a page, is sent to the form, signs in, and is led back.
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	show := func(answer *http.Response, err error) {
		if err != nil {
			panic(err)
		}
		fmt.Println(answer.StatusCode, answer.Request.URL.Path)
		answer.Body.Close()
	}
	open := func(path string) {
		r, _ := http.NewRequest("GET", server.URL+path, nil)
		r.Header.Set("Accept", "text/html")
		show(browser.Do(r))
	}
	open("/account")
	show(
		browser.PostForm(server.URL+"/session/login",
			url.Values{"username": {"alice"}, "password": {"correct-horse-battery"}}))
	show(browser.PostForm(server.URL+"/session/logout", url.Values{"next": {"/session/login"}}))
	open("/account")
	// Output:
	// 200 /session/login
	// 200 /account
	// 200 /session/login
	// 200 /session/login
}
