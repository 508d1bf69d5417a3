package server

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// visitor is who is signed in.
type visitor struct {
	user    auth.User
	login   auth.AuthInfo
	session string // identifies the session, if the credential does
	terms   backend.Terms
}

// withVisitor calls next with who is signed in, or nil.
func (h *handler) withVisitor(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, *visitor)) {
	h.guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := auth.UserFrom[auth.User](r.Context())
		if !ok {
			next(w, r, nil)
			return
		}
		credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
		terms, err := backend.TermsOf(credential, false, time.Now())
		if err != nil {
			h.guard.Refuse(w, r, err)
			return
		}
		p := &visitor{user: user, login: terms.AuthInfo, terms: terms}
		p.login.AuthTime = backend.StoreTime(p.login.AuthTime)
		if session, ok := auth.As[interface{ ID() string }](credential); ok {
			p.session = session.ID()
		}
		next(w, r, p)
	})).ServeHTTP(w, r)
}

// requireVisitor is withVisitor for what nobody else may do. It checks the origin of
// unsafe requests before anybody is authenticated.
func (h *handler) requireVisitor(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, visitor)) {
	if err := h.guard.CheckOrigin(r); err != nil {
		h.showError(w, r, errForgery(err))
		return
	}
	h.withVisitor(w, r, func(w http.ResponseWriter, r *http.Request, p *visitor) {
		switch {
		case p != nil:
			next(w, r, *p)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			h.config.SignIn(w, r, SignInRequest{ReturnTo: r.URL.RequestURI(), MaxAge: -1})
		default:
			h.showError(w, r, errForgery(errNotSignedIn))
		}
	})
}

// errForgery refuses a form.
func errForgery(cause error) *Error {
	return &Error{Code: CodeAccessDenied, Description: "This form was not sent from its own page, by who saw it, " +
		"or you are signed out. Please go back and try again.", Status: http.StatusForbidden, Cause: cause}
}
