package main

import (
	"io"
	"net/http"

	"github.com/gatewarden/auth"
)

// serveMux: Protect closes the whole ServeMux, and each exception is named. Check
// refuses an exception that no route is registered for.
func (s *service) serveMux() (http.Handler, error) {
	mux := http.NewServeMux()
	s.handlers.Register(mux, "/auth")
	mux.Handle("GET /hello", s.guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, greeting(r.Context()))
	})))
	mux.HandleFunc("GET /reports/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, report(r.Context(), r.PathValue("id")))
	})
	mux.HandleFunc("DELETE /reports/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	team, err := s.team()
	if err != nil {
		return nil, err
	}
	mux.Handle("/team/", http.StripPrefix("/team", team))

	app := s.guard.Protect(mux,
		auth.Open("GET /hello"), s.handlers.Open("/auth"),
		auth.Route("GET /reports/{id}", auth.FullAccessOr("reports:read")),
		auth.Route("DELETE /reports/{id}", auth.FullAccess))
	return app, app.Check()
}

// team is a ServeMux to be mounted below a prefix that StripPrefix takes away. It
// names its own exceptions, by the patterns that are registered here. The same
// guard around it proves a request once, and the policies of both layers run.
func (s *service) team() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "alice, ada\n")
	})
	mux.HandleFunc("GET /members/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "member "+r.PathValue("name")+"\n")
	})
	isAdmin := auth.UserIs(func(a *account) bool { return a.admin })
	app := s.guard.Protect(mux,
		auth.Route("/", auth.FullAccess),
		auth.Route("GET /members/{name}", auth.FullAccess, auth.Any(isSelf, isAdmin)))
	return app, app.Check()
}

// isSelf is a policy that reads the path as the handler will.
func isSelf(r *http.Request, user auth.User, _ auth.Credential) error {
	if r.PathValue("name") != user.UserID() {
		return auth.ErrInsufficient
	}
	return nil
}
