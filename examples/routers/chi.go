package main

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatewarden/auth"
)

// chi: Require and Optional are chi's own kind of middleware, and handlers are
// registered with the chi router itself.
func (s *service) chi() http.Handler {
	router := chi.NewRouter()
	s.handlers.Register(router, "/auth")
	router.With(s.guard.Optional()).Get("/hello", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, greeting(r.Context()))
	})
	read, full := s.guard.Require(auth.FullAccessOr("reports:read")), s.guard.Require(auth.FullAccess)
	router.Route("/reports", func(r chi.Router) {
		r.Use(s.guard.Require()) // a route that is added here later is closed
		r.With(read).Get("/{id}", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, report(r.Context(), chi.URLParam(r, "id")))
		})
		r.With(full).Delete("/{id}", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		})
	})
	return router
}
