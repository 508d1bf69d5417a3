package jwt

import (
	"fmt"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of [Tokens], with paths, bodies and codes of
// djangorestframework-simplejwt. Each is for POST, answers other methods with
// 405, reads JSON and forms of at most 16 KiB, and refuses requests that a page
// of another origin made a browser send. A member that is missing, null or empty
// is 400 with a list of sentences under its name. A body of another type is 415 with
// the types that are read in the Accept header (RFC 9110 §15.5.16). A token that is no
// good is 401 with the code "token_not_valid". The log of the guard says why.
type Handlers struct {
	// Obtain starts a session of the user that auth.Config.Login proves: 200 with
	// {"refresh", "access"}. A user that is unknown, inactive or has another
	// password is 401, "No active account found with the given credentials".
	Obtain http.Handler
	// Refresh exchanges {"refresh"}: 200 with {"access", "refresh"}. The
	// refresh token in the answer replaces the one that was sent, which ends
	// the session if it is sent again. See Config.Lifetimes.Grace. With
	// Config.Compat.AllowRefreshReuse the one that was sent stays good, and the answer is
	// {"access"}.
	Refresh http.Handler
	// Verify is 200 with {} if {"token"} is good: of whatever kind, and not
	// expired, used or revoked. It does not name the user.
	Verify http.Handler
	// Blacklist ends the session of {"refresh"}, a refresh or sliding token, with
	// all tokens that came of it: 200 with {}.
	Blacklist http.Handler
	// Sliding is Obtain for a sliding token: 200 with {"token"}. It and
	// SlidingRefresh are nil in BrowserHandlers: scripts must send such a token,
	// so it cannot be kept from them.
	Sliding http.Handler
	// SlidingRefresh exchanges {"token"}: 200 with {"token"}.
	SlidingRefresh http.Handler
	// LogoutAll ends everything that was issued to the user of the token in the
	// Authorization header: 204. Tokens limited to scopes may not.
	LogoutAll http.Handler
}

// Handlers returns the handlers for the program's guard. Users log in by the
// backends of auth.Config.Login, such as password.Authenticator or header.Basic,
// and it is an error if that is empty. Users that such a backend returns should
// have the [auth.Stamper] stamp that those of Config.LoadUser have: without one,
// a login that races a change of password is not noticed.
func (t *Tokens) Handlers(guard *auth.Guard) (*Handlers, error) { return t.handlers(guard, false) }

// BrowserHandlers are Handlers for pages of the same site: the refresh token
// travels in a cookie that no script can read (`__Host-`, HttpOnly, Secure,
// SameSite=Strict) and never in a body. Obtain sets it, Refresh and Blacklist
// read it and no body, and Blacklist clears it, whatever it is worth. Requests of
// pages of other origins are refused by [http.CrossOriginProtection], and no
// answer makes a browser open its own password dialog. A page keeps the access
// token in memory and gets another one when it is loaded again.
//
// Two tabs that refresh at once use one token twice: let them share one call
// (Web Locks), or set Config.Lifetimes.Grace. It is an error if Config.Compat.AllowRefreshReuse is set.
func (t *Tokens) BrowserHandlers(guard *auth.Guard) (*Handlers, error) {
	return t.handlers(guard, true)
}

func (t *Tokens) handlers(guard *auth.Guard, browser bool) (*Handlers, error) {
	if browser && t.config.Compat.AllowRefreshReuse {
		return nil, errBrowserReuse
	}
	login, err := guard.Login()
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	if browser {
		guard = guard.WithoutDialog()
	}
	own, err := guard.With(t)
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	login, own = login.MapProblem(rewordLogin), own.MapProblem(withoutChallenge)
	if browser {
		login = login.WithoutDialog()
	}
	h := handler{t, login, own, browser}
	post := func(serve func(http.ResponseWriter, backend.Request)) backend.Methods {
		return backend.Methods{"POST": serve}
	}
	open := backend.Unprotected // the token is in the body
	all := &Handlers{
		Obtain:    backend.NewEndpoint(login, login.Require(), post(h.serveObtain)),
		Refresh:   backend.NewEndpoint(own, open, post(h.serveRefresh)),
		Verify:    backend.NewEndpoint(own, open, post(h.serveVerify)),
		Blacklist: backend.NewEndpoint(own, open, post(h.serveLogout)),
		LogoutAll: backend.NewEndpoint(own, own.Require(auth.FullAccess), post(h.serveLogoutAll)),
	}
	if !browser {
		all.Sliding = backend.NewEndpoint(login, login.Require(), post(h.serveSliding))
		all.SlidingRefresh = backend.NewEndpoint(own, open, post(h.serveSlidingRefresh))
	}
	return all, nil
}

// Register registers the handlers with a router below prefix, which is "" or a
// path without a slash at its end, at prefix/, refresh/, verify/, blacklist/,
// logoutall/, sliding/ and sliding/refresh/. Those of a browser leave sliding
// tokens out. It panics if no request could match the prefix, such as "/auth/".
func (h *Handlers) Register(mux auth.Mux, prefix string) { h.routes().Register(mux, prefix) }

// Open returns the option that leaves the paths of Register to the handlers, for
// [auth.Guard.Protect].
func (h *Handlers) Open(prefix string) auth.RouteOption { return h.routes().Open(prefix) }

func (h *Handlers) routes() backend.Routes {
	routes := backend.Routes{
		{Path: "/", Handler: h.Obtain},
		{Path: "/refresh/", Handler: h.Refresh},
		{Path: "/verify/", Handler: h.Verify},
		{Path: "/blacklist/", Handler: h.Blacklist},
		{Path: "/logoutall/", Handler: h.LogoutAll},
	}
	if h.Sliding != nil {
		routes = append(routes, backend.Route{Path: "/sliding/", Handler: h.Sliding},
			backend.Route{Path: "/sliding/refresh/", Handler: h.SlidingRefresh})
	}
	return routes
}

// handler is what the handlers share.
type handler struct {
	*Tokens
	login   *auth.Guard // asks Config.Login
	own     *auth.Guard // its 401 challenges for our tokens
	browser bool
}
