package server

import (
	"errors"
	"html/template"
	"net/http"
)

// LeavePage asks a user whether to go on to the address of an application that a developer registered, because no user
// is signed in. Anybody may register such an address where there are Config.Clients.Developers. A redirect would make
// this server lead its visitors wherever the maker of a link wishes (RFC 9700 §4.11.2). The addresses of the operator's
// own clients, which have no Owner, need no page.
type LeavePage struct {
	Layout
	Client    *Client
	ReturnsTo string // the host, or the scheme, of the address
	// Description is what is wrong with the request of the application, or "" after a logout.
	Description string
	// Next is the address, with the answer to the application. It is one that the client registered. If the answer is a
	// form, Next is its action.
	Next template.URL

	params func() [][2]string
}

// Params returns the fields of the form that is the answer. Nil is an answer that is a link.
func (p LeavePage) Params() [][2]string {
	if p.params == nil {
		return nil
	}
	return p.params()
}

// refuseRequest sends an error to the client, unless no user is signed in and a developer registered the address.
//
// A silent request, with "prompt" of "none", is also answered at once if no page could be shown, as to a frame.
// RFC 9700 §4.11.2 excepts it, and people do not follow links into frames.
func (h *handler) refuseRequest(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, err error) {
	if client.Owner == "" || !isRefusal(err) || a.prompts("none") && !wantsPage(r) {
		h.redirectError(w, r, a, err)
		return
	}
	h.withSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p *signedInUser) {
		if p != nil {
			h.redirectError(w, r, a, err)
			return
		}
		h.showLeave(w, r, client, a, err)
	})
}

// refuseLogin refuses a silent request if its user must sign in first, as refuseRequest does.
func (s *Server) refuseLogin(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, p *signedInUser,
	err error) {
	if p == nil && client.Owner != "" && wantsPage(r) {
		s.showLeave(w, r, client, a, err)
		return
	}
	s.redirectError(w, r, a, err)
}

// showLeave shows the page that leads to the client with an error.
func (s *Server) showLeave(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, err error) {
	s.report(r, statusOf(err), ofClient(client.ID, err))
	var e *Error
	errors.As(err, &e)
	page := LeavePage{Layout: s.question(r, "Leave this site?"), Client: client, ReturnsTo: hostOf(a.RedirectURI),
		Description: e.Description}
	params := s.answerParams(a, [][2]string{{"error", e.Code}, {"error_description", e.description()}})
	// A registered one, which has no script.
	if page.Next = template.URL(withParams(a.RedirectURI, params)); a.FormPost {
		page.Next, page.params = template.URL(a.RedirectURI), func() [][2]string { return params }
	}
	s.pages.secure(w, a.RedirectURI)
	s.show(w, r, http.StatusBadRequest, s.pages.Leave, page)
}

// leaveSignedOut leads to where a logout ends for a browser in which no user was signed in.
func (s *Server) leaveSignedOut(w http.ResponseWriter, r *http.Request, asked logout) {
	if asked.URI == "" || asked.client == nil || asked.client.Owner == "" {
		s.loggedOut(w, r, asked)
		return
	}
	page := LeavePage{Layout: s.question(r, "You are signed out"), Client: asked.client, ReturnsTo: asked.host(),
		Next: template.URL(asked.redirect())} // a registered one, which has no script
	s.show(w, r, http.StatusOK, s.pages.Leave, page)
}
