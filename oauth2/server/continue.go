package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth/page"
)

// ContinuePage is shown for a moment after a login, and after a form that another site sent. The answer has a Refresh
// header, so the browser goes on to Next by itself. The page has a link to Next for browsers that do not follow the
// header, and for users that come back from a program on their machine.
//
// Browsers hold every redirect that follows a form to form-action in the Content-Security-Policy of the page that has
// the form (CSP Level 3 §6.4.1). A login page with form-action 'self' would therefore keep its user from the
// application, if the login led there by redirects alone. This page ends the form's chain of redirects.
type ContinuePage struct {
	Layout
	Next string // a path and query of this server
}

// continued is the parameter of addresses to which a ContinuePage led.
const continued = "continued"

// resumeURL is the path and query that goes on with a request which the browser keeps there.
func (s *Server) resumeURL(kept string, more ...string) string {
	values := url.Values{"interaction": {kept}}
	for _, name := range more {
		values.Set(name, "1")
	}
	return s.config.Endpoints.Path + "/authorize/?" + values.Encode()
}

// showResumePage ends the chain of redirects of a login form, and reports whether it has answered. Nothing in a
// request says whether the browser is in such a chain, so every return from a login is answered like this, once.
func (s *Server) showResumePage(w http.ResponseWriter, r *http.Request, kept string) bool {
	if r.Method != http.MethodGet || r.URL.Query().Has(continued) || !wantsPage(r) {
		return false
	}
	s.showContinuePage(w, r, s.resumeURL(kept, continued))
	return true
}

// showContinuePage shows the page that leads to next, which must be a path of this server.
func (s *Server) showContinuePage(w http.ResponseWriter, r *http.Request, next string) {
	layout := s.question(page.SignedOut(r), "One moment") // which asks no store about the user
	w.Header().Set("Refresh", "0; url="+next)
	s.show(w, r, http.StatusOK, s.pages.Continue, ContinuePage{layout, next})
}

// neverShown reports a request of another site if no user can see its answer as a page: that of an image, a script or a
// frame (Fetch Metadata §2.1). A question to a user is then not kept. Otherwise a page of a stranger could ask so often
// that the user's own questions go for its own.
func neverShown(r *http.Request) bool {
	to := r.Header.Get("Sec-Fetch-Dest")
	return to != "" && to != "document" && r.Header.Get("Sec-Fetch-Site") != "same-origin"
}

// wantsPage reports whether a browser asks for a page to show. Browsers send Sec-Fetch-Mode to https and to loopback
// hosts, and ask for HTML everywhere. A program that asks for no page follows redirects as it likes, and needs no page
// between them. A frame would not show the page, so an application that asks for a silent answer there gets redirects.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	return strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html")
}
