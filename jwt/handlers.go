package jwt

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of [Tokens], with paths, bodies and codes of
// djangorestframework-simplejwt. Each is for POST, answers other methods with
// 405, reads JSON and forms of at most 16 KiB, and refuses requests that a page
// of another origin made a browser send. A member that is missing, null or empty
// is 400 with a list of sentences under its name; a token that is no good is 401
// with the code "token_not_valid".
type Handlers struct {
	// Obtain starts a login of the user that the login guard proves: 200 with
	// {"refresh", "access"}. A user who is unknown, inactive or has another
	// password is 401, "No active account found with the given credentials".
	Obtain http.Handler
	// Refresh exchanges {"refresh"}: 200 with {"access", "refresh"}. The
	// refresh token in the answer replaces the one that was sent, which ends
	// the login if it is sent again; see Config.Grace.
	Refresh http.Handler
	// Verify is 200 with {} if {"token"} is good: of whatever kind, and neither
	// expired, used nor revoked. It does not say whose it is.
	Verify http.Handler
	// Blacklist ends the login of {"refresh"}, a refresh or sliding token, with
	// all tokens that came of it: 200 with {}.
	Blacklist http.Handler
	// Sliding is Obtain for a sliding token: 200 with {"token"}. It and
	// SlidingRefresh are nil in BrowserHandlers: scripts must send such a token,
	// so none can be kept from them.
	Sliding http.Handler
	// SlidingRefresh exchanges {"token"}: 200 with {"token"}.
	SlidingRefresh http.Handler
	// LogoutAll ends everything that was issued to the user of the token in the
	// Authorization header: 204. Tokens limited to scopes may not.
	LogoutAll http.Handler
}

// Handlers returns the handlers. The guard says how users log in: its backends
// are those of primary credentials, such as password.Authenticator or header.Basic. Its
// Render, Proxies, CrossOrigin and Observer serve all handlers. Users whom a
// login backend returns should have the [auth.Stamper] stamp that those of
// Config.LoadUser have: without one, a login that races a change of password is
// not noticed.
func (t *Tokens) Handlers(login *auth.Guard) (*Handlers, error) { return t.handlers(login, false) }

// BrowserHandlers are Handlers for pages of the same site: the refresh token
// travels in a cookie that no script can read (`__Host-`, HttpOnly, Secure,
// SameSite=Strict) and never in a body. Obtain sets it, Refresh and Blacklist
// read it and no body, and Blacklist clears it, whatever it is worth. Requests of
// pages of other origins are refused by [http.CrossOriginProtection]. A page
// keeps the access token in memory and gets another one when it is loaded again.
//
// Two tabs that refresh at once use one token twice: let them share one call
// (Web Locks), or set Config.Grace.
func (t *Tokens) BrowserHandlers(login *auth.Guard) (*Handlers, error) {
	return t.handlers(login, true)
}

func (t *Tokens) handlers(login *auth.Guard, browser bool) (*Handlers, error) {
	if login == nil {
		return nil, errors.New("jwt: Handlers needs a guard that logs users in")
	}
	own, err := login.With(t)
	if err != nil {
		return nil, err
	}
	login = login.MapProblem(rewordLogin)
	h := handler{t, login, own, browser}
	post := func(serve func(http.ResponseWriter, backend.Request)) backend.Methods {
		return backend.Methods{"POST": serve}
	}
	all := &Handlers{
		Obtain:    backend.NewEndpoint(login, login.Require(), post(h.serveObtain)),
		Refresh:   backend.NewEndpoint(own, open, post(h.serveRefresh)),
		Verify:    backend.NewEndpoint(own, open, post(h.serveVerify)),
		Blacklist: backend.NewEndpoint(own, open, post(h.serveBlacklist)),
		LogoutAll: backend.NewEndpoint(own, own.Require(auth.FullAccess), post(h.serveLogoutAll)),
	}
	if !browser {
		all.Sliding = backend.NewEndpoint(login, login.Require(), post(h.serveSliding))
		all.SlidingRefresh = backend.NewEndpoint(own, open, post(h.serveSlidingRefresh))
	}
	return all, nil
}

// Register mounts the handlers below prefix, without a trailing slash, at
// prefix/, refresh/, verify/, blacklist/, sliding/, sliding/refresh/ and
// logoutall/. Those of a browser leave sliding tokens out.
func (h *Handlers) Register(mux *http.ServeMux, prefix string) {
	mux.Handle(prefix+"/{$}", h.Obtain)
	mux.Handle(prefix+"/refresh/{$}", h.Refresh)
	mux.Handle(prefix+"/verify/{$}", h.Verify)
	mux.Handle(prefix+"/blacklist/{$}", h.Blacklist)
	mux.Handle(prefix+"/logoutall/{$}", h.LogoutAll)
	if h.Sliding != nil {
		mux.Handle(prefix+"/sliding/{$}", h.Sliding)
		mux.Handle(prefix+"/sliding/refresh/{$}", h.SlidingRefresh)
	}
}

// open lets everybody in: the token is in the body.
func open(next http.Handler) http.Handler { return next }

// handler is what the handlers share.
type handler struct {
	*Tokens
	guard   *auth.Guard // logs in
	own     *auth.Guard // its 401 challenges for our tokens
	browser bool
}
