// Login is the service that knows the users: it issues tokens and publishes the
// keys that others check them by. Everything lasts in an SQLite file.
//
//	go run ./examples/microservices/login [-addr 127.0.0.1:8004] [-rotate 2160h]
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8004", "address to serve; port 0 is any free one")
	issuer := flag.String("issuer", "", "`URL` that the service is known by (default: the address served)")
	file := flag.String("db", "login.db", "SQLite `file`")
	rotate := flag.Duration("rotate", 90*24*time.Hour, "how long a key signs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *issuer, *file, *rotate); err != nil {
		log.Fatal("login: ", err)
	}
}

func run(ctx context.Context, addr, issuer, file string, rotate time.Duration) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if issuer == "" {
		issuer = "http://" + listener.Addr().String()
	}
	db, err := sqlstore.OpenSQLite(ctx, "sqlite", file, sqlstore.Config{})
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := openKeys(ctx, db, file+".key", rotate)
	if err != nil {
		return err
	}
	go keys.Run(ctx)
	store, err := sqlstore.JWT(ctx, db)
	if err != nil {
		return err
	}
	tokens, err := jwt.New(jwt.Config{Issuer: issuer, Audience: []string{"https://orders.example"}, Keys: keys,
		Store: store, LoadUser: loadUser})
	if err != nil {
		return err
	}
	handlers, err := login(ctx, tokens)
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	handlers.Register(mux, "/token")
	mux.Handle("/jwks.json", jwt.NewJWKSHandler(keys, rotate/16))
	// RFC 8414
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"response_types_supported":[]}`, issuer, issuer+"/jwks.json")
	})
	fmt.Println("listening on", issuer)
	fmt.Fprintf(os.Stderr, "Its user is alice. The password is in examples/README.md. Try:\n"+
		"curl -d 'username=alice&password=…' http://%s/token/\n", listener.Addr())
	return serve(ctx, listener, mux)
}

// openKeys opens the keys that sign tokens. A new key is published for a quarter of its time before it signs. The
// services that check tokens must look more often than that.
func openKeys(ctx context.Context, db *sqlstore.DB, sealingKey string, rotate time.Duration) (*jwt.Keyring, error) {
	store, err := sqlstore.JWTKeys(ctx, db)
	if err != nil {
		return nil, err
	}
	key, err := readKey(sealingKey)
	if err != nil {
		return nil, err
	}
	return jwt.NewKeyring(ctx, jwt.KeyringConfig{Store: store, Keys: []auth.Secret{key},
		Algorithms: []jwt.Algorithm{jwt.ES256}, Generate: true, Rotate: rotate, Publish: rotate / 4,
		Reload: min(rotate/16, time.Minute)})
}

// login returns the handlers of logins. Users log in by a password.
func login(ctx context.Context, tokens *jwt.Tokens) (*jwt.Handlers, error) {
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
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{passwords}})
	if err != nil {
		return nil, err
	}
	return tokens.Handlers(guard)
}

// serve serves until the context ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type user string

func (u user) UserID() string { return string(u) }

// loadUser knows one user. Yours asks a database.
func loadUser(_ context.Context, id string) (auth.User, error) {
	if id != "alice" {
		return nil, auth.ErrUserNotFound
	}
	return user(id), nil
}

// readKey reads the key that seals private keys, and makes it at the first
// start. In production it comes from where your secrets are.
func readKey(path string) (auth.Secret, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = []byte(rand.Text() + rand.Text())
		err = os.WriteFile(path, key, 0o600)
	}
	return auth.Secret(key), err
}
