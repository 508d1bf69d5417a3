package server

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of a [Server]: its endpoints and pages, below
// Config.Endpoints.Path and /.well-known/. They authenticate requests by themselves and
// need no middleware.
type Handlers struct {
	routes backend.Routes
	mux    *http.ServeMux // of the routes
}

// Handlers returns the HTTP interface of the server. The guard is that of the
// program. Its backends prove the user of the pages, by a credential that is
// [auth.Primary]: a token cannot authorize others. The server can therefore be
// a source of one of these backends, because the guard is needed here and not in
// New. The pages make no browser open its password dialog.
//
// A server of machines alone, without the authorization code grant, Developers and
// Logout, has no pages and takes a nil guard. Any other server refuses it.
func (s *Server) Handlers(guard *auth.Guard) (*Handlers, error) {
	if guard == nil && s.features.pagesForPeople {
		return nil, errors.New("oauth2/server: Handlers needs a guard, because there are pages for people")
	}
	h := &handler{Server: s}
	if guard != nil {
		h.guard = guard.WithoutDialog()
	}
	handlers := &Handlers{routes: h.routes(), mux: http.NewServeMux()}
	handlers.Register(handlers.mux)
	return handlers, nil
}

// Register mounts the endpoints and pages of the configuration. Each path is served
// with and without the slash at its end, which django-oauth-toolkit has.
func (h *Handlers) Register(mux auth.Mux) { h.routes.Register(mux, "") }

// Open returns the option that leaves the paths of Register to these handlers, for
// [auth.Guard.Protect].
func (h *Handlers) Open() auth.RouteOption { return h.routes.Open("") }

// ServeHTTP serves all endpoints and pages. Mount it at "/" or, with the paths
// kept whole, at Config.Endpoints.Path and "/.well-known/".
func (h *Handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// handler is a server and the guard of its pages.
type handler struct {
	*Server
	guard *auth.Guard // nil if there are no pages
}

// routes returns what the configuration has. Every path starts at the root, since
// metadata is above Config.Endpoints.Path.
func (h *handler) routes() backend.Routes {
	var routes backend.Routes
	serve := func(path string, next http.Handler) {
		routes = append(routes, backend.Route{Path: path, Handler: h.withProxies(next)})
	}
	handle := func(path string, next http.Handler) {
		serve(h.config.Endpoints.Path+path, next)
		serve(h.config.Endpoints.Path+path+"/", next)
	}
	handle("/token", allowEverywhere("POST", http.HandlerFunc(h.serveToken)))
	serve("/.well-known/oauth-authorization-server"+h.path, allowEverywhere("GET", http.HandlerFunc(h.serveMetadata)))
	for _, add := range h.features.routes {
		add(h, router{handle: handle, handleRoot: serve})
	}
	return routes
}

// withProxies makes auth.ClientIP know the guard's proxies.
func (h *handler) withProxies(next http.Handler) http.Handler {
	if h.guard == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, h.guard.WithProxies(r))
	})
}
