package main

import (
	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

// account is the application's own user.
type account struct {
	name, hash string
	admin      bool
}

func (a *account) UserID() string { return a.name }

// AuthStamp makes a new password end all tokens.
func (a *account) AuthStamp() string { return a.hash }

// accounts is a table of users by their names. It is not changed once it is made.
type accounts map[string]*account

func (as accounts) load(_ context.Context, id string) (auth.User, error) {
	found, ok := as[id]
	if !ok {
		return nil, auth.ErrUserNotFound
	}
	return found, nil
}

func (as accounts) find(_ context.Context, username string) (auth.User, string, error) {
	found, ok := as[username]
	if !ok {
		return nil, "", auth.ErrUserNotFound
	}
	return found, found.hash, nil
}

// service is what every router gets: one guard, and the handlers of the login.
type service struct {
	guard    *auth.Guard
	handlers *knox.Handlers
}

func newService() (*service, error) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		return nil, err
	}
	hash, err := hasher.Hash(context.Background(), "open sesame")
	if err != nil {
		return nil, err
	}
	users := accounts{"alice": {name: "alice", hash: hash}, "ada": {name: "ada", hash: hash, admin: true}}
	passwords, err := password.New(password.Config{Hasher: hasher, Account: users.find})
	if err != nil {
		return nil, err
	}
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: users.load})
	if err != nil {
		return nil, err
	}
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{tokens},
		Login:    []auth.Authenticator{passwords},
	})
	if err != nil {
		return nil, err
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		return nil, err
	}
	return &service{guard, handlers}, nil
}

// greeting is the answer of GET /hello, which strangers get too.
func greeting(ctx context.Context) string {
	if who, ok := auth.UserFrom[*account](ctx); ok {
		return "hello, " + who.name + "\n"
	}
	return "hello, stranger\n"
}

// report is the answer of GET /reports/{id}.
func report(ctx context.Context, id string) string {
	who, _ := auth.UserFrom[*account](ctx)
	return "report " + id + " for " + who.name + "\n"
}
