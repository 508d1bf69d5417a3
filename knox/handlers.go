package knox

import (
	"errors"
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
	// with {"expiry", "token"} and Config.UserInfo as "user". "expiry" is null
	// for a token that never expires. A member or field "name" of the body
	// becomes the token's name. Over the limit: 403 with "error". A user whose
	// stamp ([auth.Stamper]) is not the one that Config.LoadUser finds is
	// refused, 401: the password was changed while this login was under way.
	Login http.Handler
	// Logout ends the token that came with the request: POST, 204.
	Logout http.Handler
	// LogoutAll ends all tokens of the user whose token came with the request:
	// POST, 204. Tokens limited to scopes may not.
	LogoutAll http.Handler
	// Tokens lists the user's tokens: GET, 200 with an array of {"id", "name",
	// "scopes", "created", "last_used", "expiry", "ip", "user_agent",
	// "current"}; and makes a personal token: POST {"name", "scopes",
	// "expires_in"}, 201 with {"id", "name", "scopes", "created", "expiry",
	// "token"}. A personal token is limited to the scopes named and ends
	// after expires_in seconds, by default after Config.TTL. Credentials
	// limited to scopes may do neither.
	Tokens http.Handler
	// Ended lists the user's tokens that ended, as [Tokens.Ended] does: GET, 200
	// with an array of {"id", "name", "scopes", "created", "last_used",
	// "ended", "reason", "ip", "user_agent"}, which is empty without
	// Config.KeepEnded. "reason" is an EndReason. Credentials limited to scopes
	// may not.
	Ended http.Handler
	// Token ends the token whose identifier is the path value "id": DELETE,
	// 204, or 404 if the user has none of that identifier. A token limited to
	// scopes may end only itself.
	Token http.Handler
}

// Handlers returns the handlers. The guard says how users log in: its backends
// are those of primary credentials, such as password.Authenticator or header.Basic. Its
// Render, Proxies, CrossOrigin and Observer serve all handlers. The tokens of a
// user are managed with a token or with any credential of the login guard. Users
// whom a login backend returns should have the [auth.Stamper] stamp that those of
// Config.LoadUser have: without one, a login that races a change of password is
// not noticed.
func (t *Tokens) Handlers(login *auth.Guard) (*Handlers, error) {
	if login == nil {
		return nil, errors.New("knox: Handlers needs a guard that logs users in")
	}
	own, err := login.With(t)
	if err != nil {
		return nil, err
	}
	manage, err := login.With(t, login)
	if err != nil {
		return nil, err
	}
	h := handler{Tokens: t, guard: login}
	return &Handlers{
		Login:     backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": h.login}),
		Logout:    backend.NewEndpoint(own, own.Require(), backend.Methods{"POST": h.logout}),
		LogoutAll: backend.NewEndpoint(own, own.Require(auth.FullAccess), backend.Methods{"POST": h.logoutAll}),
		Tokens:    backend.NewEndpoint(manage, manage.Require(auth.FullAccess), backend.Methods{"GET": h.list, "POST": h.create}),
		Ended:     backend.NewEndpoint(manage, manage.Require(auth.FullAccess), backend.Methods{"GET": h.ended}),
		Token:     backend.NewEndpoint(manage, manage.Require(), backend.Methods{"DELETE": h.revokeOne}),
	}, nil
}

// Register mounts the handlers below prefix, without a trailing slash, at
// login/, logout/, logoutall/, tokens/, tokens/ended/ and tokens/{id}/.
func (h *Handlers) Register(mux *http.ServeMux, prefix string) {
	mux.Handle(prefix+"/login/{$}", h.Login)
	mux.Handle(prefix+"/logout/{$}", h.Logout)
	mux.Handle(prefix+"/logoutall/{$}", h.LogoutAll)
	mux.Handle(prefix+"/tokens/{$}", h.Tokens)
	mux.Handle(prefix+"/tokens/ended/{$}", h.Ended)
	mux.Handle(prefix+"/tokens/{id}/{$}", h.Token)
}

// handler is what the handlers share.
type handler struct {
	*Tokens
	guard *auth.Guard
}
