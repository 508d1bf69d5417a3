package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// signedInUser is the user that is signed in.
type signedInUser struct {
	user    auth.User
	login   auth.AuthInfo
	session string // identifies the session, if the credential does
	terms   backend.Terms
}

// withSignedInUser calls next with the user that is signed in, or nil.
func (h *handler) withSignedInUser(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, *signedInUser)) {
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
		p := &signedInUser{user: user, login: terms.AuthInfo, terms: terms}
		p.login.AuthTime = backend.StoreTime(p.login.AuthTime)
		if session, ok := auth.As[interface{ ID() string }](credential); ok {
			p.session = session.ID()
		}
		if err := p.checkStorable(); err != nil {
			h.showError(w, r, err)
			return
		}
		next(w, r, p)
	})).ServeHTTP(w, r)
}

// checkStorable returns an error if no store can keep what is approved by the user. The application made the texts.
func (p *signedInUser) checkStorable() error {
	err := errors.Join(backend.CheckUserID(p.user.UserID()), backend.CheckAuthInfo(p.login))
	if p.session != "" && !backend.ValidID(p.session) {
		err = errors.Join(err, fmt.Errorf("%w: the credential has the ID %s, which is longer than %d bytes, or not "+
			"UTF-8 without NUL", auth.ErrInternal, cause.Quote(p.session), backend.MaxID))
	}
	if err != nil {
		return fmt.Errorf("oauth2/server: %w", err)
	}
	return nil
}

// requireSignedInUser is withSignedInUser for what needs a user. It checks the origin of
// unsafe requests before a user is authenticated.
func (h *handler) requireSignedInUser(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, signedInUser)) {
	if err := h.guard.CheckOrigin(r); err != nil {
		h.showError(w, r, errFormRejected(err))
		return
	}
	h.withSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p *signedInUser) {
		switch {
		case p != nil:
			next(w, r, *p)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			h.config.SignIn(w, r, SignInRequest{ReturnTo: h.returnToPage(r), MaxAge: -1})
		default:
			h.showError(w, r, errFormRejected(errNotSignedIn))
		}
	})
}

// returnToPage is where a login leads back to that a page of the user's own needs: the page without a query that is
// longer or has other characters than every login keeps.
func (h *handler) returnToPage(r *http.Request) string {
	for _, to := range []string{r.URL.RequestURI(), r.URL.EscapedPath()} {
		if len(to) <= maxSealed && !strings.ContainsFunc(to, notInReturn) {
			return to
		}
	}
	return h.config.Endpoints.Path + "/authorized_tokens/"
}

func notInReturn(c rune) bool { return !strings.ContainsRune(alphanumeric+"/?=-_", c) }

// errFormRejected is the answer to a form that did not come from a page of this server for this user.
func errFormRejected(cause error) *Error {
	return &Error{Code: CodeAccessDenied, Description: "This form was not sent from its own page, by who saw it, " +
		"or you are signed out. Please go back and try again.", Status: http.StatusForbidden, Cause: cause}
}
