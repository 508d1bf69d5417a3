package knox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of [Tokens]. Each authenticates its requests
// by itself and needs no middleware, answers other methods with 405, and
// refuses requests that a page of another origin made a browser send.
//
// Login, Logout and LogoutAll answer as django-rest-knox does.
type Handlers struct {
	// Login makes a token for the user that the login guard proves: POST, 200
	// with {"expiry", "token"} and Config.Answer.UserInfo as "user". "expiry" is null
	// for a token that never expires. A member or field "name" of the body
	// becomes the token's name. Over the limit: 403 with "error". A user with
	// another stamp ([auth.Stamper]) than Config.LoadUser finds is
	// refused, 401: the password was changed while this login was under way.
	Login http.Handler
	// Logout ends the token that came with the request: POST, 204.
	Logout http.Handler
	// LogoutAll ends all tokens of the user of the token that came with the request:
	// POST, 204. Tokens limited to scopes may not.
	LogoutAll http.Handler
	// Tokens lists the user's tokens: GET, 200 with an array of {"id", "name",
	// "scopes", "created", "last_used", "expiry", "ip", "user_agent",
	// "current"}, the token of the request first and then the newest. It has 100
	// of them, or as many as the query's "limit" says, up to 100. A Link header
	// with rel="next" (RFC 8288) leads to the next ones. It also makes a personal token: POST {"name", "scopes",
	// "expires_in"}, 201 with {"id", "name", "scopes", "created", "expiry",
	// "token"}. A personal token is limited to the scopes named and ends
	// after expires_in seconds, by default after Config.TTL. Credentials
	// limited to scopes may not do either.
	Tokens http.Handler
	// Ended lists the user's tokens that ended, as [Tokens.Ended] does: GET, 200
	// with an array of {"id", "name", "scopes", "created", "last_used",
	// "ended", "reason", "ip", "user_agent"}, which is empty without
	// Config.KeepEnded. "reason" is an EndReason. Credentials limited to scopes
	// may not.
	Ended http.Handler
	// Token ends the token whose identifier is the path value "id": DELETE,
	// 204, or 404 if the user has no token with it. A token limited to
	// scopes may end only itself.
	Token http.Handler
}

// Handlers returns the handlers, or an error if guard has no [auth.Config].Login, or
// if t is not among its Config.Backends, or if t is the only one of Config.Login without
// Config.Issue.AllowFromToken. Login makes tokens for what the backends of
// Config.Login prove. A user manages tokens with a token or with any credential of
// these backends. The Render, Proxies, CrossOrigin and Observer of guard serve all
// handlers.
//
// Users that a login backend returns should have the [auth.Stamper] stamp that
// those of Config.LoadUser have: without one, a login that races a change of
// password is not noticed.
func (t *Tokens) Handlers(guard *auth.Guard) (*Handlers, error) {
	login, err := t.loginGuard(guard, "Handlers")
	if err != nil {
		return nil, err
	}
	own, err := guard.With(t)
	if err != nil {
		return nil, err
	}
	managing := []auth.Authenticator{t}
	switch others, err := guard.Login(t); {
	case err == nil:
		managing = append(managing, others)
	case !errors.Is(err, auth.ErrNoLogin):
		return nil, fmt.Errorf("knox: Handlers: %w", err)
	case !t.config.Issue.AllowFromToken: // t itself is the only login
		return nil, fmt.Errorf("knox: Handlers: %w, and a token makes no other one without Config.Issue.AllowFromToken",
			err)
	}
	manage, err := guard.With(managing...)
	if err != nil {
		return nil, err
	}
	atLogin, withOwn, managed := handler{t, login}, handler{t, own}, handler{t, manage}
	full := manage.Require(auth.FullAccess)
	tokenMethods := backend.Methods{"GET": managed.serveList, "POST": managed.serveCreate}
	ownFull := own.Require(auth.FullAccess)
	return &Handlers{
		Login:     backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": atLogin.serveLogin}),
		Logout:    backend.NewEndpoint(own, own.Require(), backend.Methods{"POST": withOwn.serveLogout}),
		LogoutAll: backend.NewEndpoint(own, ownFull, backend.Methods{"POST": withOwn.serveLogoutAll}),
		Tokens:    backend.NewEndpoint(manage, full, tokenMethods),
		Ended:     backend.NewEndpoint(manage, full, backend.Methods{"GET": managed.serveEnded}),
		Token:     backend.NewEndpoint(manage, manage.Require(), backend.Methods{"DELETE": managed.serveRevokeOne}),
	}, nil
}

// loginGuard returns the guard of logins for the function called name.
func (t *Tokens) loginGuard(guard *auth.Guard, name string) (*auth.Guard, error) {
	login, err := guard.Login()
	if err != nil {
		return nil, fmt.Errorf("knox: %s: %w", name, err)
	}
	if !guard.Has(t) {
		return nil, fmt.Errorf("knox: %s: %q is not among Config.Backends of the guard, so what it issues would be "+
			"refused",
			name, t.config.Name)
	}
	return login, nil
}

func (h *Handlers) routes() backend.Routes {
	return backend.Routes{
		{Path: "/login/", Handler: h.Login},
		{Path: "/logout/", Handler: h.Logout},
		{Path: "/logoutall/", Handler: h.LogoutAll},
		{Path: "/tokens/", Handler: h.Tokens},
		{Path: "/tokens/ended/", Handler: h.Ended},
		{Path: "/tokens/{id}/", Handler: h.Token},
	}
}

// Register mounts the handlers below prefix, such as "/auth", at login/, logout/,
// logoutall/, tokens/, tokens/ended/ and tokens/{id}/. It panics if no request
// can match below prefix. See [backend.Routes].
func (h *Handlers) Register(mux auth.Mux, prefix string) { h.routes().Register(mux, prefix) }

// Open opens what Register mounted, for [auth.Guard.Protect]: the handlers
// authenticate their requests themselves.
func (h *Handlers) Open(prefix string) auth.RouteOption { return h.routes().Open(prefix) }

// handler is what the handlers share.
type handler struct {
	*Tokens
	guard *auth.Guard // of the endpoint, which answers refusals
}
