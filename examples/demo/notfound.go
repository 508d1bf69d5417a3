package main

import (
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/page"
	"github.com/gatewarden/auth/session"
)

// withNotFound serves mux, and answers what no route of it takes: a browser with a page, and a program with
// problem+json.
func (a *app) withNotFound(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r) // also sets the path values
			return
		}
		answer := headOnly{header: make(http.Header)}
		handler.ServeHTTP(&answer, r)
		switch answer.status {
		case http.StatusNotFound:
			a.writeNotFound(w, r, answer.status, "There is nothing here", notFoundReason(mux, r))
		case http.StatusMethodNotAllowed:
			w.Header()["Allow"] = answer.header["Allow"]
			a.writeNotFound(w, r, answer.status, "This page is not for that",
				"This page cannot be asked in that way. Open it from its own link or form.")
		default: // a redirect to the path as it should be
			handler.ServeHTTP(w, r)
		}
	})
}

// notFoundReason says why r has no route. That one ends its address with a slash where the other does not is a
// mistake that everybody makes.
func notFoundReason(mux *http.ServeMux, r *http.Request) string {
	if path, slash := strings.CutSuffix(r.URL.Path, "/"); slash && path != "" {
		other := r.Clone(r.Context())
		other.URL.Path, other.URL.RawPath = path, ""
		if _, pattern := mux.Handler(other); pattern != "" {
			return "No page of this demo has this address, but one has it without the slash at its end."
		}
	}
	return "No page of this demo has this address. It may be mistyped, or the page may be one that is not there yet, " +
		"or not without -provider."
}

// headOnly keeps the head of an answer.
type headOnly struct {
	header http.Header
	status int
}

func (h *headOnly) Header() http.Header         { return h.header }
func (h *headOnly) WriteHeader(status int)      { h.status = status }
func (h *headOnly) Write(p []byte) (int, error) { return len(p), nil }

// writeNotFound says that there is no such page.
func (a *app) writeNotFound(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	w.Header().Add("Vary", "Accept, Sec-Fetch-Mode")
	if !session.WantsPage(r) {
		code := map[int]string{http.StatusNotFound: "not_found"}[status]
		auth.WriteProblem(w, &auth.Problem{Status: status, Code: code, Detail: text})
		return
	}
	a.pages.write(w, page.WithGuard(r, a.guard), status, "missing", view{Title: title, Page: Page{Answer: text}})
}
