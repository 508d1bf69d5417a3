package server

import (
	"errors"
	"net/http"
)

// redirectError sends an error to the client (RFC 6749 §4.1.2.1).
func (s *Server) redirectError(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	status := http.StatusSeeOther
	if a.FormPost {
		status = http.StatusOK
	}
	s.report(r, status, ofClient(a.ClientID, err))
	var e *Error
	if !errors.As(err, &e) {
		e = refuse(CodeTemporarilyUnavailable, "The server cannot answer now.", err)
	}
	s.respond(w, r, a, [][2]string{{"error", e.Code}, {"error_description", e.description()}})
}

// answerParams adds to an answer the state that the client sent, and the issuer (RFC 9207 §2).
func (s *Server) answerParams(a *authorization, params [][2]string) [][2]string {
	return append(params, [2]string{"state", a.State}, [2]string{"iss", s.config.Issuer})
}

// respond sends the answer to the client, with the state it sent and the issuer
// (RFC 9207 §2). The status is 303: another one could make the browser send its
// form to the client (RFC 9700 §4.12).
func (s *Server) respond(w http.ResponseWriter, r *http.Request, a *authorization, params [][2]string) {
	params = s.answerParams(a, params)
	if a.FormPost {
		s.postTo(w, r, a.RedirectURI, params)
		return
	}
	h := w.Header()
	h.Set("Location", withParams(a.RedirectURI, params))
	w.WriteHeader(http.StatusSeeOther)
}
