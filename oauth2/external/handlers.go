package external

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/page"
)

// Handlers are the HTTP interface of [Logins]. Each reads the path value
// "provider", authenticates its requests by itself and needs no middleware. A
// method that a handler does not have is answered with 405.
type Handlers struct {
	// Start sends a browser to the provider: GET.
	//
	// The query may have "next", the path to lead to after the login. One that is
	// not a path of this service counts as "/". "max_age" is how many seconds ago
	// the person may have proved their identity to the provider, as in OpenID
	// Connect Core §3.1.2.1: with 0 they prove it again. Presets of providers that
	// do not know it ignore it.
	//
	// An app has "return_to", one of Config.Apps.Redirects, "code_challenge" and
	// "code_challenge_method" S256 (RFC 7636), and "state", which it gets back: see
	// [Logins.Authenticate].
	Start http.Handler
	// Callback is where the provider sends browsers back, its redirect URI. It is
	// for GET, and for POST if the provider answers by a form. The state of the
	// attempt stands for a check of the origin then. The POST redirects to the GET, with
	// the answer in a sealed parameter, so that the browser sends the cookies of this service.
	Callback http.Handler
	// Link sends the browser of a signed-in user to the provider, to link the
	// account there: POST of a form of this service. The user must have signed in
	// within Config.Linking.MaxAge, by a credential that is not limited to scopes. It leads
	// to Config.Pages.AccountURL. An account that is linked to another user stays with
	// that one.
	Link http.Handler
	// Unlink takes an identity from the signed-in user, as for Link: POST of
	// a form with its ID as "id". It leads to Config.Pages.AccountURL. The last way in is
	// not unlinked: see Config.Linking.HasOtherWay.
	Unlink http.Handler

	path    string
	linking bool
}

// Handlers returns the HTTP interface. The guard is that of the program: it proves
// the user where accounts are linked, and names the proxies. These logins can be
// among its Config.Login, because it is needed here and not in New.
func (l *Logins) Handlers(guard *auth.Guard) (*Handlers, error) {
	if guard == nil {
		return nil, errors.New("oauth2/external: Handlers needs the program's guard")
	}
	h := &handler{Logins: l, guard: guard}
	return &Handlers{
		Start: h.serve(h.start), Callback: h.serve(h.callback), Link: h.serve(h.link), Unlink: h.serve(h.unlink),
		path: l.config.Path, linking: !l.config.Linking.Disabled,
	}, nil
}

// Register mounts the handlers below Config.Path: {provider}/,
// {provider}/callback/ and, unless Config.Linking.Disabled is set, {provider}/link/ and
// {provider}/unlink/.
func (h *Handlers) Register(mux auth.Mux) { h.routes().Register(mux, h.path) }

// Open returns the option that leaves the paths of Register to these handlers, for
// [auth.Guard.Protect].
func (h *Handlers) Open() auth.RouteOption { return h.routes().Open(h.path) }

func (h *Handlers) routes() backend.Routes {
	routes := backend.Routes{
		{Path: "/{provider}/", Handler: h.Start},
		{Path: "/{provider}/callback/", Handler: h.Callback},
	}
	if h.linking {
		routes = append(routes, backend.Route{Path: "/{provider}/link/", Handler: h.Link},
			backend.Route{Path: "/{provider}/unlink/", Handler: h.Unlink})
	}
	return routes
}

// handler is what the handlers share.
type handler struct {
	*Logins
	guard *auth.Guard
}

// serve finds the provider, makes auth.ClientIP know the guard's proxies, and makes
// pages show the signed-in user.
func (h *handler) serve(next func(w http.ResponseWriter, r *http.Request, p *provider)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = page.WithGuard(h.guard.WithProxies(r), h.guard)
		p := h.providers[r.PathValue("provider")]
		if p == nil {
			h.fail(w, r, failure{Reason: reasonNoProvider, cause: failedSetting("Config.Providers",
				"there is no provider of this name", r.PathValue("provider"), h.order...)})
			return
		}
		next(w, r, p)
	})
}

// wrongMethod answers a request of a method that a handler does not have.
func (h *handler) wrongMethod(w http.ResponseWriter, r *http.Request, p *provider, allow string) {
	w.Header().Set("Allow", allow)
	h.fail(w, r, failure{Reason: reasonMethod, provider: p,
		cause: failedValue("the method is not one of the endpoint", r.Method, allow)})
}
