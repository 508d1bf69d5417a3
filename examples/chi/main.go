// Chi shows a guard as the middleware of another router.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

type user string

func (u user) UserID() string { return string(u) }

func main() {
	tokens, handler, err := service()
	if err != nil {
		log.Fatal(err)
	}
	issued, err := tokens.Issue(context.Background(), "alice", knox.Options{Scopes: []string{"reports:read"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("curl -H 'Authorization: Token %s' http://127.0.0.1:8002/reports/7\n", issued.Secret.Reveal())
	log.Fatal(http.ListenAndServe("127.0.0.1:8002", handler))
}

func service() (*knox.Tokens, http.Handler, error) {
	tokens, err := knox.New(knox.Config{
		Store:    knox.NewMemoryStore(),
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return user(id), nil },
	})
	if err != nil {
		return nil, nil, err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		return nil, nil, err
	}
	router := chi.NewRouter()
	router.Group(func(r chi.Router) {
		r.Use(guard.Require())
		r.With(guard.Require(auth.Scopes("reports:read"))).Get("/reports/{id}", func(w http.ResponseWriter, r *http.Request) {
			who, _ := auth.UserFrom[user](r.Context())
			fmt.Fprintf(w, "report %s for %s\n", chi.URLParam(r, "id"), who)
		})
		r.With(guard.Require(auth.Scopes("reports:write"))).Post("/reports/{id}", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		})
	})
	return tokens, router, nil
}
