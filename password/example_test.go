package password_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func ExampleHasher() {
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	encoded, err := hasher.Hash(ctx, "correct horse")
	if err != nil {
		panic(err)
	}
	fmt.Println(encoded[:31])

	right, _ := hasher.Verify(ctx, "correct horse", encoded)
	wrong, _ := hasher.Verify(ctx, "battery staple", encoded)
	fmt.Println(right.OK, wrong.OK)

	// What Django stored is read too.
	old, _ := hasher.Verify(ctx, "hunter2", "pbkdf2_sha256$260000$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc=")
	fmt.Println(old.OK, old.NeedsRehash)
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1$
	// true false
	// true true
}

func ExampleLogin() {
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		panic(err)
	}
	stored, err := hasher.Hash(context.Background(), "correct horse")
	if err != nil {
		panic(err)
	}
	passwords, err := password.NewLogin(password.LoginConfig{
		Hasher: hasher,
		Account: func(_ context.Context, username string) (auth.User, string, error) {
			if username != "alice" {
				return nil, "", auth.ErrUserNotFound
			}
			return user("alice"), stored, nil
		},
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{passwords}})
	if err != nil {
		panic(err)
	}
	login := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := auth.UserFrom[user](r.Context())
		fmt.Fprintln(w, "hello", who)
	}))

	for _, given := range []string{"correct horse", "battery staple"} {
		r := httptest.NewRequest("POST", "/login/", strings.NewReader(`{"username": "alice", "password": "`+given+`"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello alice
	// 401 {"code":"authentication_failed","detail":"Invalid username/password.","status":401,"title":"Unauthorized","type":"about:blank"}
}
