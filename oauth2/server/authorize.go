package server

import (
	"context"
	"net/http"
	"slices"
)

// serveAuthorize is the authorization endpoint (RFC 6749 §3.1).
//
// The browser keeps a request that needs its user to sign in, or that came by POST, sealed in an
// address. So it comes back without a cookie of another site's POST, and strangers fill no store.
//
// GET is not safe here, because it may lead to a code. HEAD is: it checks the request, and asks,
// keeps and issues nothing.
func (h *handler) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.showError(w, r, wrongMethod("The method must be GET or POST.", r))
		return
	}
	req, err := readAuthorizationForm(r)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if r.Method == http.MethodPost && (req.form.Get("interaction") != "" || req.form.Get("allow") != "") {
		h.requireSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p signedInUser) {
			h.answerConsent(w, r, p, req.form)
		})
		return
	}
	if id := req.form.Get("interaction"); id != "" {
		h.resumeRequest(w, r, id)
		return
	}
	client, a, err := h.identifyClient(r.Context(), req)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if err := h.readRequest(r.Context(), req, client, a); err != nil {
		h.refuseRequest(w, r, client, a, err)
		return
	}
	if r.Method == http.MethodPost {
		h.sealAndSend(w, r, a, func(returnTo string) { http.Redirect(w, r, returnTo, http.StatusSeeOther) })
		return
	}
	h.authorizeSignedIn(w, r, client, a)
}

// sealAndSend calls send with an address that holds a request and goes on with it.
func (s *Server) sealAndSend(w http.ResponseWriter, r *http.Request, a *authorization, send func(returnTo string)) {
	kept, err := s.sealRequest(a)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	send(s.resumeURL(kept))
}

// resumeRequest goes on with a request that the browser kept.
func (h *handler) resumeRequest(w http.ResponseWriter, r *http.Request, kept string) {
	a, cause := h.openRequest(kept)
	if cause != nil {
		h.showError(w, r, errRequestEnded(cause))
		return
	}
	if h.showResumePage(w, r, kept) {
		return
	}
	client, err := h.revalidate(r.Context(), a)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	h.authorizeSignedIn(w, r, client, a)
}

// authorizeSignedIn goes on with a good request, as the user that is signed in, if any.
func (h *handler) authorizeSignedIn(w http.ResponseWriter, r *http.Request, client *Client, a *authorization) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", pageType)
		w.WriteHeader(http.StatusOK)
		return
	}
	h.withSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p *signedInUser) {
		h.authorizeUser(w, r, client, a, p)
	})
}

// revalidate returns the client of a request that was kept, if it could ask the same
// now.
func (s *Server) revalidate(ctx context.Context, a *authorization) (*Client, error) {
	client, cause, err := s.authorizingClient(ctx, a.ClientID)
	if err != nil {
		return nil, err
	}
	if cause == nil {
		cause = client.requestFault(a)
	}
	if cause == nil {
		cause = s.unknownPermission(a.Permissions)
	}
	if cause != nil {
		return nil, ofClient(a.ClientID, refuse(CodeInvalidRequest,
			"The application has changed meanwhile. Please go back to it and try again.", cause))
	}
	return client, nil
}

// requestFault says why a client could not ask the same now. It is nil if the client could.
func (c *Client) requestFault(a *authorization) error {
	lost := func(has func(string) bool, names []string) string {
		if i := slices.IndexFunc(names, func(name string) bool { return !has(name) }); i >= 0 {
			return names[i]
		}
		return ""
	}
	scope := lost(func(name string) bool { return slices.Contains(c.Scopes, name) }, a.Permissions.Scopes())
	resource := lost(c.mayAskFor, a.Permissions.Resources())
	switch {
	case !matchRedirect(c.RedirectURIs, a.RedirectURI):
		return failedValue("the redirect_uri is not registered any more", a.RedirectURI, c.RedirectURIs...)
	case !c.Allows(GrantAuthorizationCode):
		return causeGrantNotAllowed(c, GrantAuthorizationCode)
	case len(a.Permissions) == 0 || a.Version != requestVersion:
		return errOtherVersion
	case a.Challenge == "" && !c.mayLeaveOutPKCE():
		return errChallengeMissing
	case scope != "":
		return failedValue("the client does not have the scope any more", scope, c.Scopes...)
	case resource != "":
		return failedValue("the client does not have the resource any more", resource, c.Resources...)
	}
	return nil
}

// authorizeUser goes on with a request of the user that is signed in. p is nil if no user is.
func (s *Server) authorizeUser(w http.ResponseWriter, r *http.Request, client *Client, a *authorization,
	p *signedInUser) {
	if cause := s.mustLogIn(a, p); cause != nil {
		s.askToSignIn(w, r, client, a, p, cause)
		return
	}
	if p.user.UserID() == client.ID {
		// Its tokens would be taken for the client's own (RFC 9068 §5).
		s.redirectError(w, r, a, refuse(CodeAccessDenied, "The user has the name of the client.", errUserIsClient))
		return
	}
	if _, _, err := p.terms.Narrow(a.Permissions.Scopes(), true); err != nil {
		s.redirectError(w, r, a, refuse(CodeAccessDenied, "The user signed in for less than that.", err))
		return
	}
	if client.FirstParty && !a.prompts("consent") {
		s.approveAuthorization(w, r, client, a, *p, Approval{})
		return
	}
	consent, err := s.config.Store.Consent(r.Context(), p.user.UserID(), client.ID)
	switch {
	case err != nil:
		s.redirectError(w, r, a, err)
	case consent.covers(client, a):
		s.approveAuthorization(w, r, client, a, *p, Approval{RequireConsent: true})
	case a.prompts("none"):
		s.redirectError(w, r, a, refuse(CodeConsentRequired, "The user must agree.", errMustAgree))
	default:
		s.showConsent(w, r, client, a, *p, consent)
	}
}

// covers reports whether a request needs no consent page, because the user has agreed to all
// of it before. A program on the user's machine always needs one, because nothing proves
// which program asks (RFC 8252 §8.6).
func (c *Consent) covers(client *Client, a *authorization) bool {
	return c.Covers(a.Permissions) && !a.prompts("consent") && !(client.Public() && isNative(a.RedirectURI))
}

// askToSignIn sends the browser to the login, with the address that holds the request.
func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, p *signedInUser,
	cause error) {
	if p != nil && a.SentToLogin && s.cannotReauthenticate(a, p) {
		s.redirectError(w, r, a, refuse(CodeLoginRequired,
			"Another user signed in, or when they did is not known.", cause))
		return
	}
	if a.prompts("none") {
		s.refuseLogin(w, r, client, a, p, refuse(CodeLoginRequired, "The user must sign in.", cause))
		return
	}
	if a.Logins >= maxLogins {
		s.refuseLogin(w, r, client, a, p,
			refuse(CodeLoginRequired, "The user did not sign in anew.", errLoginLoop(cause)))
		return
	}
	kept := *a
	kept.SentToLogin, kept.Fresh, kept.Logins = true, p != nil, a.Logins+1
	s.sealAndSend(w, r, &kept, func(returnTo string) {
		s.config.SignIn(w, r, *signInRequest(returnTo, client, &kept))
	})
}
