// Issuer shows a backend of one's own that issues credentials. All of the backend
// is in tickets.go, written with what packages auth and backend export.
//
//	go run ./examples/issuer [-addr 127.0.0.1:8008]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8008", "address to serve")
	flag.Parse()
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		log.Fatal(err)
	}
	hash, err := hasher.Hash(context.Background(), "open sesame")
	if err != nil {
		log.Fatal(err)
	}
	users := &table{}
	users.set("alice", hash)
	passwords, err := password.New(password.Config{Hasher: hasher, Account: users.find})
	if err != nil {
		log.Fatal(err)
	}
	_, handler, err := service(users.load, passwords)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "Its user is alice. The password is in examples/README.md. Try:\n"+
		"curl -d 'username=alice&password=…' http://%[1]s/tickets/login/\n"+
		"curl -H 'Authorization: Ticket tk_…' http://%[1]s/hello\n", *addr)
	server := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// service returns the tickets and everything that the server answers.
func service(load auth.UserLoader, login ...auth.Authenticator) (*Tickets, http.Handler, error) {
	tickets, err := NewTickets(load)
	if err != nil {
		return nil, nil, err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tickets}, Login: login})
	if err != nil {
		return nil, nil, err
	}
	routes, err := tickets.Handlers(guard)
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	routes.Register(mux, "/tickets")
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		fmt.Fprintf(w, "hello, %s\n", user.UserID())
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		ticket, _ := auth.CredentialFrom[Ticket](r.Context())
		tickets.Revoke(ticket.UserID, ticket.ID)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /logout/others", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_ = tickets.RevokeOthers(w, r, user) // has no error
		w.WriteHeader(http.StatusNoContent)
	})
	app := guard.Protect(mux, routes.Open("/tickets"), auth.Route("POST /logout/others", auth.FullAccess))
	return tickets, app, app.Check()
}

// account is the application's user as they are at one moment.
type account struct{ name, hash string }

func (a account) UserID() string    { return a.name }
func (a account) AuthStamp() string { return a.hash } // so that a new password ends all tickets

// table has the password hashes of users by their names.
type table struct {
	mu     sync.RWMutex
	hashes map[string]string
}

func (t *table) set(name, hash string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hashes == nil {
		t.hashes = make(map[string]string)
	}
	t.hashes[name] = hash
}

func (t *table) find(_ context.Context, name string) (auth.User, string, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	hash, ok := t.hashes[name]
	if !ok {
		return nil, "", auth.ErrUserNotFound
	}
	return account{name, hash}, hash, nil
}

func (t *table) load(ctx context.Context, id string) (auth.User, error) {
	user, _, err := t.find(ctx, id)
	return user, err
}
