package session

import (
	"fmt"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of [Sessions]. Each authenticates its requests
// by itself and needs no middleware, answers other methods with 405, and
// refuses requests that a page of another origin made a browser send.
//
// Where they succeed they redirect with 303, as a form expects, unless the
// request's body is JSON or its Accept prefers JSON. Where they fail they
// answer by the Render of the login guard, which may show a form again.
type Handlers struct {
	// Login starts a session for the user that the login guard proves: POST.
	// It leads to the field or member "next", or else to where
	// [Sessions.RedirectToLogin] found the browser, or else to "/". A "next"
	// that is not a path of this server is "/". "remember" asks for
	// Config.Remember. JSON: 200 with {"id", "created", "expiry", "ends",
	// "remembered", "next"}.
	Login http.Handler
	// Logout ends the session of the request, if there is one: POST. It leads
	// to "next", or to "/". JSON: 204.
	Logout http.Handler
	// LogoutAll ends all sessions of the user of the request: POST. It leads
	// to "next", or to "/". JSON: 204.
	LogoutAll http.Handler
	// Sessions lists the user's sessions: GET, 200 with a JSON array of {"id",
	// "created", "last_used", "expiry", "ends", "remembered", "ip",
	// "user_agent", "current"}, the session of the request first and then the
	// newest. It has 100 of them, or as many as the query's "limit" says, up to
	// 100. A Link header with rel="next" (RFC 8288) leads to the next ones. It
	// also ends all but the one of the request, which
	// gets a new identifier: DELETE, 204.
	Sessions http.Handler
	// Session ends the session whose identifier is the path value "id":
	// DELETE, 204, or 404 if the user has no session with it.
	Session http.Handler
}

// Handlers returns the handlers, or an error if no backend of guard may log
// somebody in, or does not ask s. See auth.Config.Login. Login starts sessions for what these
// backends prove, except for a session of this very Sessions, which would never
// end. The Render, Proxies, CrossOrigin and Observer of guard serve all handlers.
//
// The answers raise no password dialog of the browser: a 401 has the challenge of
// the cookie instead of Basic.
func (s *Sessions) Handlers(guard *auth.Guard) (*Handlers, error) {
	login, err := guard.Login(s)
	if err != nil {
		return nil, fmt.Errorf("session: Handlers: %w", err)
	}
	if !guard.Has(s) {
		return nil, fmt.Errorf("session: Handlers: %q is not among Config.Backends of the guard, so what it issues "+
			"would be refused", s.config.Name)
	}
	own, err := guard.WithoutDialog().With(s)
	if err != nil {
		return nil, err
	}
	login = login.WithoutDialog(s.Challenges()...)
	atLogin, h := handler{s, login}, handler{s, own}
	full := own.Require(auth.FullAccess)
	return &Handlers{
		Login:     backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": atLogin.serveLogin}),
		Logout:    backend.NewEndpoint(own, backend.Unprotected, backend.Methods{"POST": h.serveLogout}),
		LogoutAll: backend.NewEndpoint(own, full, backend.Methods{"POST": h.serveLogoutAll}),
		Sessions:  backend.NewEndpoint(own, full, backend.Methods{"GET": h.serveList, "DELETE": h.serveRevokeOthers}),
		Session:   backend.NewEndpoint(own, full, backend.Methods{"DELETE": h.serveRevoke}),
	}, nil
}

func (h *Handlers) routes() backend.Routes {
	return backend.Routes{
		{Path: "/login", Handler: h.Login},
		{Path: "/logout", Handler: h.Logout},
		{Path: "/logoutall", Handler: h.LogoutAll},
		{Path: "/sessions", Handler: h.Sessions},
		{Path: "/sessions/{id}", Handler: h.Session},
	}
}

// Register mounts the handlers below prefix, such as "/session", at login, logout,
// logoutall, sessions and sessions/{id}. You can register other methods on the same
// path, such as "GET /session/login" for the page with the form. It panics if no
// request can match below prefix. See [backend.Routes].
func (h *Handlers) Register(mux auth.Mux, prefix string) { h.routes().Register(mux, prefix) }

// Open opens what Register mounted, for [auth.Guard.Protect]: the handlers
// authenticate their requests themselves. The page with the form needs an
// [auth.Open] of its own.
func (h *Handlers) Open(prefix string) auth.RouteOption { return h.routes().Open(prefix) }

// handler is what the handlers share.
type handler struct {
	*Sessions
	guard *auth.Guard // of the endpoint, which answers refusals
}
