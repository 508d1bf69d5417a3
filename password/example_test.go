package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func ExampleHasher() {
	hasher, err := password.NewHasher(password.HasherConfig{})
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
	old, _ := hasher.Verify(ctx, "hunter2",
		"pbkdf2_sha256$260000$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc=")
	fmt.Println(old.OK, old.NeedsRehash)
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1$
	// true false
	// true true
}

// A service that shares its table of users with a Django. Passwords that are set here work
// there, and the other way round.
func ExampleHasherConfig_format() {
	hasher, err := password.NewHasher(password.HasherConfig{Format: password.FormatDjangoPBKDF2})
	if err != nil {
		panic(err)
	}
	encoded, err := hasher.Hash(context.Background(), "correct horse") // UPDATE auth_user SET password = …
	if err != nil {
		panic(err)
	}
	fmt.Println(encoded[:22])

	got, err := hasher.Verify(context.Background(), "correct horse", encoded)
	fmt.Println(got.OK, got.NeedsRehash, err)
	// Output:
	// pbkdf2_sha256$1000000$
	// true false <nil>
}

func Example_login() {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		panic(err)
	}
	stored, err := hasher.Hash(context.Background(), "correct horse")
	if err != nil {
		panic(err)
	}
	passwords, err := password.New(password.Config{
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

func ExampleConfig_allowLegacy() {
	hasher, err := password.NewHasher(password.HasherConfig{AllowLegacy: []string{password.LegacyMD5}})
	if err != nil {
		panic(err)
	}
	// What an old Django stored for "hunter2", with the salt "seasalt".
	got, err := hasher.Verify(context.Background(), "hunter2", "md5$seasalt$7f5c0829f2c85db349329185a43b363d")
	fmt.Println(got.OK, got.NeedsRehash, err)
	// Output: true true <nil>
}

// A form of registration asks the validators itself.
func ExampleValidators() {
	validators := password.DefaultValidators() // once
	about := []password.Attribute{{Name: "username", Value: "alice.liddell"}}

	for _, given := range []string{"123456", "alice.liddell.2024", "umbrella cabinet tractor"} {
		err := validators.Validate(context.Background(), given, about)
		var weak *password.WeakError
		switch {
		case errors.As(err, &weak):
			for _, reason := range weak.Reasons {
				fmt.Println(reason.Code, "-", reason.Detail)
			}
		case err != nil:
			fmt.Println("cannot tell:", err)
		default:
			fmt.Println("good")
		}
	}
	// Output:
	// password_too_short - This password is too short. It must contain at least 15 characters.
	// password_too_common - This password is too common.
	// password_entirely_numeric - This password is entirely numeric.
	// password_too_similar - The password is too similar to the username.
	// good
}

func ExampleOneTimeTokens() {
	tokens, err := password.NewOneTimeTokens(password.OneTimeConfig{
		Store:    password.NewMemoryOneTimeStore(),
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return user(id), nil },
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	token, err := tokens.Issue(ctx, "alice", password.PurposeVerifyEmail, "alice@example.org")
	if err != nil {
		panic(err)
	}
	_ = "https://app.example/verify#" + token.Reveal() // goes into the mail
	fmt.Println("in a log it is", token)

	for range 2 {
		who, address, err := tokens.Redeem(ctx, password.PurposeVerifyEmail, token.Reveal())
		if err != nil {
			fmt.Println(errors.Is(err, auth.ErrInvalid))
			continue
		}
		fmt.Println(address, "is an address of", who.UserID())
	}
	// Output:
	// in a log it is [redacted]
	// alice@example.org is an address of alice
	// true
}

// The table of users of a program.
type userTable struct{ stored map[string]string }

func (t *userTable) byName(_ context.Context, name string) (auth.User, string, error) {
	if t.stored[name] == "" {
		return nil, "", auth.ErrUserNotFound
	}
	return stamped{name, t.stored[name]}, t.stored[name], nil
}

func (t *userTable) load(ctx context.Context, id string) (auth.User, error) {
	found, _, err := t.byName(ctx, id)
	return found, err
}

// UPDATE users SET password = $1 WHERE id = $2 AND password = $3
func (t *userTable) set(_ context.Context, who auth.User, encoded string) error {
	if t.stored[who.UserID()] != who.(stamped).AuthStamp() {
		return password.ErrChanged
	}
	t.stored[who.UserID()] = encoded
	return nil
}

// A program in which users change their password, and set another one if they
// forgot it.
func ExampleNewChange() {
	users := &userTable{map[string]string{"alice": cheap}} // of "password"
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		panic(err)
	}
	passwords, err := password.New(password.Config{Hasher: hasher, Account: users.byName})
	if err != nil {
		panic(err)
	}
	links, err := password.NewOneTimeTokens(password.OneTimeConfig{Store: password.NewMemoryOneTimeStore(),
		LoadUser: users.load})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{passwords}}) // and knox.Tokens, sessions
	if err != nil {
		panic(err)
	}
	update := password.UpdateConfig{
		Hasher:   hasher,
		Set:      users.set,
		LoadUser: users.load,
		Revokers: []auth.Revoker{links}, // and knox.Tokens, sessions
		Attributes: func(who auth.User) []password.Attribute {
			return []password.Attribute{{Name: "username", Value: who.UserID()}}
		},
	}
	change, err := password.NewChange(guard, password.ChangeConfig{UpdateConfig: update, Authenticator: passwords})
	if err != nil {
		panic(err)
	}
	reset, err := password.NewReset(guard, password.ResetConfig{UpdateConfig: update, Tokens: links})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/password", change)
	mux.Handle("/password/reset", reset)

	send := func(path, body string) {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if path == "/password" {
			r.SetBasicAuth("alice", "password")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(path, w.Code)
	}
	send("/password", `{"old": "passwort", "new": "umbrella cabinet tractor"}`)
	send("/password", `{"old": "password", "new": "umbrella cabinet tractor"}`)

	token, err := links.Issue(context.Background(), "alice", password.PurposeReset, "alice@example.org")
	if err != nil {
		panic(err)
	}
	send("/password/reset", `{"token": "`+token.Reveal()+`", "new": "gravel under the awning"}`)
	send("/password/reset", `{"token": "`+token.Reveal()+`", "new": "gravel under the awning"}`)
	// Output:
	// /password 400
	// /password 204
	// /password/reset 204
	// /password/reset 400
}
