package knox

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
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
	// becomes the token's name. Over the limit: 403 with "error".
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
	// Token ends the token whose identifier is the path value "id": DELETE,
	// 204, or 404 if the user has none of that identifier. A token limited to
	// scopes may end only itself.
	Token http.Handler
}

// Handlers returns the handlers. The guard says how users log in: its backends
// are those of primary credentials, such as password.Login or header.Basic. Its
// Render, Proxies, CrossOrigin and Observer serve all handlers. The tokens of a
// user are managed with a token or with any credential of the login guard.
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
		Login:     h.route(login, methods{"POST": h.login}),
		Logout:    h.route(own, methods{"POST": h.logout}),
		LogoutAll: h.route(own, methods{"POST": h.logoutAll}, auth.Unlimited),
		Tokens:    h.route(manage, methods{"GET": h.list, "POST": h.create}, auth.Unlimited),
		Token:     h.route(manage, methods{"DELETE": h.revoke}),
	}, nil
}

// Register mounts the handlers below prefix, without a trailing slash, at
// login/, logout/, logoutall/, tokens/ and tokens/{id}/.
func (h *Handlers) Register(mux *http.ServeMux, prefix string) {
	mux.Handle(prefix+"/login/{$}", h.Login)
	mux.Handle(prefix+"/logout/{$}", h.Logout)
	mux.Handle(prefix+"/logoutall/{$}", h.LogoutAll)
	mux.Handle(prefix+"/tokens/{$}", h.Tokens)
	mux.Handle(prefix+"/tokens/{id}/{$}", h.Token)
}

// handler is what the handlers share.
type handler struct {
	*Tokens
	guard *auth.Guard
}

// proved is a request and who sent it.
type proved struct {
	*http.Request
	user       auth.User
	credential auth.Credential
}

type methods map[string]func(w http.ResponseWriter, r proved)

// route checks method and origin before it authenticates: a wrong method needs
// no password, and a forged login must not log anybody in.
func (h handler) route(guard *auth.Guard, by methods, policies ...auth.Policy) http.Handler {
	var allowed []string
	for method := range by {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	allow := strings.Join(append(allowed, http.MethodOptions), ", ")
	serve := guard.Require(policies...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
		w.Header().Set("Cache-Control", "no-store")
		by[r.Method](w, proved{r, user, credential})
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if by[r.Method] == nil {
			w.Header().Set("Allow", allow)
			switch {
			case r.Method != http.MethodOptions:
				guard.Answer(w, r, &auth.Problem{Status: http.StatusMethodNotAllowed, Code: auth.CodeMethodNotAllowed,
					Detail: `Method "` + clean(r.Method, 20) + `" not allowed.`})
			case r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "":
				serve.ServeHTTP(w, r) // the guard's business
			default:
				w.WriteHeader(http.StatusNoContent)
			}
			return
		}
		if err := guard.CheckOrigin(r); err != nil {
			guard.Refuse(w, r, err)
			return
		}
		serve.ServeHTTP(w, r)
	})
}
