// Package endpoint is what the HTTP handlers of issuers share: they check
// method and origin before they authenticate.
package backend

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// Request is a request and who sent it: nobody, behind Guard.Optional.
type Request struct {
	*http.Request
	User       auth.User
	Credential auth.Credential
}

// Methods are the functions that answer the methods of an endpoint.
type Methods map[string]func(w http.ResponseWriter, r Request)

// NewEndpoint returns the handler of an endpoint. It answers other methods with 405 and
// refuses requests that a page of another origin made a browser send, before
// protect, which is middleware of the guard, authenticates: a wrong method needs
// no password, and a forged login must not log anybody in.
func NewEndpoint(guard *auth.Guard, protect func(http.Handler) http.Handler, by Methods) http.Handler {
	var allowed []string
	for method := range by {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	allow := strings.Join(append(allowed, http.MethodOptions), ", ")
	serve := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
		w.Header().Set("Cache-Control", "no-store")
		by[r.Method](w, Request{r, user, credential})
	}))
	preflight := guard.Optional()(http.NotFoundHandler()) // answered by the guard itself
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if by[r.Method] == nil {
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
			return
		}
		if err := guard.CheckOrigin(r); err != nil {
			guard.Refuse(w, r, err)
			return
		}
		serve.ServeHTTP(w, r)
	})
}

// NotFound answers that there is nothing of that name.
func NotFound(guard *auth.Guard, w http.ResponseWriter, r Request) {
	guard.Answer(w, r.Request, &auth.Problem{Status: http.StatusNotFound, Code: auth.CodeNotFound, Detail: "Not found."})
}

// WriteJSON writes body, which must be of strings, numbers and checked JSON.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	text, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
