// Spa is a page with a script and the API that it talks to, on one origin. The
// access token lives in the script's memory, for five minutes, and the refresh
// token in a cookie that no script can read.
//
//	go run ./examples/spa [-addr 127.0.0.1:8003]
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/password"
)

//go:embed index.html
var page []byte

//go:embed app.js
var script []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8003", "address to serve")
	flag.Parse()
	handler, err := newHandler(context.Background(), "http://"+*addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on http://" + *addr)
	fmt.Fprintf(os.Stderr, "Its user is alice. The password is in examples/README.md. "+
		"Open the address in a browser, or try:\ncurl -i http://%s/api/me\n", *addr)
	server := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

type user string

func (u user) UserID() string { return string(u) }

func loadUser(_ context.Context, id string) (auth.User, error) {
	if id != "alice" {
		return nil, auth.ErrUserNotFound
	}
	return user(id), nil
}

func newHandler(ctx context.Context, origin string) (http.Handler, error) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		return nil, err
	}
	encoded, err := hasher.Hash(ctx, "correct-horse-battery")
	if err != nil {
		return nil, err
	}
	passwords, err := password.New(password.Config{Hasher: hasher,
		Account: func(ctx context.Context, name string) (auth.User, string, error) {
			u, err := loadUser(ctx, name)
			return u, encoded, err
		}})
	if err != nil {
		return nil, err
	}
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		return nil, err
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	tokens, err := jwt.New(jwt.Config{Issuer: origin, Keys: keys, Store: jwt.NewMemoryStore(), LoadUser: loadUser,
		Lifetimes: jwt.Lifetimes{Grace: 10 * time.Second}}) // for two tabs that load at once
	if err != nil {
		return nil, err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{passwords}})
	if err != nil {
		return nil, err
	}
	handlers, err := tokens.BrowserHandlers(guard)
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	handlers.Register(mux, "/token")
	mux.Handle("GET /api/me", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFrom[user](r.Context())
		fmt.Fprintf(w, "%s\n", u)
	})))
	file := func(contentType string, text []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
			_, _ = w.Write(text)
		}
	}
	mux.Handle("GET /{$}", file("text/html; charset=utf-8", page))
	mux.Handle("GET /app.js", file("text/javascript; charset=utf-8", script))
	return mux, nil
}
