package backend

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// Request is a request with what the guard proved. User and Credential are nil
// for an anonymous request behind Guard.Optional.
type Request struct {
	*http.Request
	User       auth.User
	Credential auth.Credential
}

// Methods are the functions that answer the methods of an endpoint. HEAD is
// answered by the function of GET (RFC 9110 §9.3.2).
type Methods map[string]func(w http.ResponseWriter, r Request)

func (by Methods) of(method string) func(w http.ResponseWriter, r Request) {
	if serve := by[method]; serve != nil || method != http.MethodHead {
		return serve
	}
	return by[http.MethodGet]
}

// allow returns the Allow header of the endpoint.
func (by Methods) allow() string {
	var allowed []string
	for method := range by {
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	return strings.Join(append(slices.Compact(allowed), http.MethodOptions), ", ")
}

// NewEndpoint returns a handler that needs no middleware around it. It answers
// other methods with 405, and refuses requests that a page of another origin made
// a browser send, both before protect authenticates: a wrong method needs no
// password, and a forged login must not log anybody in. protect is middleware of
// guard, such as guard.Require().
func NewEndpoint(guard *auth.Guard, protect func(http.Handler) http.Handler, by Methods) http.Handler {
	allow := by.allow()
	serve := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
		w.Header().Set("Cache-Control", "no-store")
		by.of(r.Method)(w, Request{r, user, credential})
	}))
	preflight := guard.Optional()(http.NotFoundHandler()) // answered by the guard itself
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = guard.WithProxies(r)
		if by.of(r.Method) != nil {
			if err := guard.CheckOrigin(r); err != nil {
				guard.Refuse(w, r, err)
				return
			}
			serve.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		switch {
		case r.Method != http.MethodOptions:
			guard.Answer(w, r, &auth.Problem{Status: http.StatusMethodNotAllowed, Code: auth.CodeMethodNotAllowed,
				Detail: `Method "` + CleanText(r.Method, 20) + `" not allowed.`})
		case r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "":
			preflight.ServeHTTP(w, r)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// Unprotected is the protect of an endpoint that authenticates by its body, or
// that every client may call.
func Unprotected(next http.Handler) http.Handler { return next }

// NotFound answers r with 404.
func NotFound(guard *auth.Guard, w http.ResponseWriter, r *http.Request) {
	guard.Answer(w, r, &auth.Problem{Status: http.StatusNotFound, Code: auth.CodeNotFound, Detail: "Not found."})
}

// WriteJSON writes body, which must consist of strings, numbers and valid JSON.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	text, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// Redirect sends a browser to a path of this server after a form, with 303 (RFC
// 9110 §15.4.4).
func Redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}
