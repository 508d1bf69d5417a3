package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatewarden/auth/page"
)

// LogoutPage asks a user whether to sign out. Its form is as that of the
// [ConsentPage].
type LogoutPage struct {
	Layout
	Client      *Client // the client that wants it, or nil
	ReturnsTo   string  // where it leads afterwards, or ""
	Interaction string
	Action      string
}

// logout is a request to sign out that was found good.
type logout struct {
	ClientID string `json:"client_id,omitempty"`
	URI      string `json:"uri,omitempty"` // where it leads afterwards, or ""
	State    string `json:"state,omitempty"`

	client *Client // with ClientID, while the request is read
}

// redirect returns the URI with the state, or "".
func (l *logout) redirect() string { return withParams(l.URI, [][2]string{{"state", l.State}}) }

// host is where the URI leads, for people. It is "" without a URI.
func (l *logout) host() string { return hostOf(l.URI) }

// initiatedLogout is OpenID Connect RP-Initiated Logout. It has an endpoint where there are ID
// tokens, which name the session to end.
type initiatedLogout struct{}

func (initiatedLogout) register(r *registry) {
	s := r.server
	r.needPages()
	if !s.openID {
		return
	}
	r.addRoutes(func(h *handler, to router) { to.handle("/logout", h.withPageUser(h.serveLogout)) })
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["end_session_endpoint"] = s.url("/logout/")
		return nil
	})
}

// serveLogout is the end session endpoint (OpenID Connect RP-Initiated Logout §2).
// A user that is signed in and for whom the client has an ID token is signed out at
// once. Any other request could come from anybody, and asks first.
func (h *handler) serveLogout(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.showError(w, r, wrongMethod("The method must be GET or POST.", r))
		return
	}
	req, err := readAuthorizationForm(r)
	for name := range req.twice {
		if err == nil {
			err = errTwice(name)
		}
	}
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if r.Method == http.MethodPost && (req.form.Get("interaction") != "" || req.form.Get("allow") != "") {
		h.requireSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p signedInUser) {
			h.answerLogout(w, r, p, req.form)
		})
		return
	}
	asked, token, err := h.findLogout(r, req.form)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if r.Method == http.MethodHead { // asks and ends nothing
		w.Header().Set("Content-Type", pageType)
		w.WriteHeader(http.StatusOK)
		return
	}
	if r.Method == http.MethodPost && h.logoutByGET(w, r, asked, token) {
		return
	}
	h.withSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p *signedInUser) {
		switch {
		case p == nil: // done already
			h.leaveSignedOut(w, r, asked)
		case token != nil && token.Subject == p.user.UserID() && token.SessionID == p.session && p.session != "":
			h.logOut(w, r, *p, asked)
		default:
			h.confirmLogout(w, r, *p, asked)
		}
	})
}

// findLogout returns the logout that the parameters ask for, or that the address holds.
func (s *Server) findLogout(r *http.Request, form Form) (asked logout, token *idTokenHint, err error) {
	if kept := form.Get("interaction"); kept != "" {
		return s.openLogout(r.Context(), kept)
	}
	return s.readLogout(r, form)
}

// readLogout reads the parameters (OpenID Connect RP-Initiated Logout §2).
func (s *Server) readLogout(r *http.Request, form Form) (asked logout, token *idTokenHint, err error) {
	asked.ClientID = form.Get("client_id")
	if text := form.Get("id_token_hint"); text != "" {
		var of string
		token, of, err = s.logoutHint(r, text)
		if err == nil && asked.ClientID != "" && of != asked.ClientID {
			err = &hintError{failedValue("its aud is not the client_id", of, asked.ClientID)}
		}
		if bad := (*hintError)(nil); errors.As(err, &bad) {
			err = refuse(CodeInvalidRequest,
				"The id_token_hint is no ID token of this server, or not for the client.", bad)
		}
		if err != nil {
			return asked, nil, err
		}
		asked.ClientID = of
	}
	uri := form.Get("post_logout_redirect_uri")
	if asked.ClientID == "" {
		if uri != "" {
			return asked, nil, refuse(CodeInvalidRequest, "Which application to go back to is not known.",
				failedCheck("a post_logout_redirect_uri came without a client_id or id_token_hint"))
		}
		return asked, token, nil
	}
	return s.readReturn(r.Context(), form, asked, token)
}

// readReturn reads where a browser goes after the logout.
func (s *Server) readReturn(ctx context.Context, form Form, asked logout, token *idTokenHint) (
	logout, *idTokenHint, error) {
	uri := form.Get("post_logout_redirect_uri")
	unknown := func(cause error) error {
		return refuse(CodeInvalidRequest, "The application or the address to go back to is not known.", cause)
	}
	if !s.ownsClient(asked.ClientID) {
		return asked, nil, unknown(
			failedValue("the client_id has another form than those of this server", asked.ClientID))
	}
	client, err := s.findClient(ctx, asked.ClientID)
	if err != nil {
		return asked, nil, err
	}
	if client == nil && uri == "" { // the client is gone, which must not keep a user signed in
		asked.ClientID = ""
		return asked, token, nil
	}
	if client == nil {
		return asked, nil, unknown(failedValue("no client is registered with this client_id", asked.ClientID))
	}
	if uri != "" && !matchRedirect(client.PostLogoutRedirectURIs, uri) {
		return asked, nil, ofClient(client.ID, unknown(failedSetting("Client.PostLogoutRedirectURIs",
			"the post_logout_redirect_uri is not registered", uri, client.PostLogoutRedirectURIs...)))
	}
	if asked.client = client; uri == "" {
		return asked, token, nil
	}
	if asked.URI, asked.State = uri, form.Get("state"); !isPrintable(asked.State) {
		return asked, nil, ofClient(client.ID, refuse(CodeInvalidRequest,
			"The state has a character that it must not have.", errState))
	}
	if err := asked.checkLength(); err != nil {
		return asked, nil, ofClient(client.ID, err)
	}
	return asked, token, s.checkReturn(ctx, &asked)
}

func (s *Server) confirmLogout(w http.ResponseWriter, r *http.Request, p signedInUser, asked logout) {
	if neverShown(r) {
		s.showError(w, r, errFormRejected(errNeverShown))
		return
	}
	id, err := s.saveInteraction(r.Context(), p, kindLogout, asked)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	page := LogoutPage{Layout: s.question(r, "Sign out?"), ReturnsTo: asked.host(), Interaction: id,
		Action: s.config.Endpoints.Path + "/logout/"}
	if asked.ClientID != "" {
		if page.Client, err = s.findClient(r.Context(), asked.ClientID); err != nil {
			s.showError(w, r, err)
			return
		}
	}
	s.pages.secure(w, asked.redirect())
	s.show(w, r, http.StatusOK, s.pages.Logout, page)
}

// answerLogout takes the answer to the page. A user that does not agree stays signed in.
//
// The page is good as long as the session is, so that after an outage the form can be sent again. Signing out ends the
// session, and with it the page.
func (s *Server) answerLogout(w http.ResponseWriter, r *http.Request, p signedInUser, form Form) {
	var asked logout
	question, err := s.findAnswered(r.Context(), form.Get("interaction"), p, kindLogout, &asked)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	if form.Get("allow") == "" {
		if err := s.consume(r.Context(), question); err != nil {
			s.showError(w, r, err)
			return
		}
		s.showPage(w, r, &Error{Code: CodeAccessDenied, Description: "You are still signed in.", Status: http.StatusOK,
			Cause: errDenied})
		return
	}
	if err := s.checkReturn(r.Context(), &asked); err != nil {
		s.showError(w, r, err)
		return
	}
	s.logOut(w, r, p, asked)
}

// checkReturn drops the address to go back to if the client may not ask users any more, or the address is not
// registered any more. The user is then signed out and stays here, and the log has the reason. A page that anybody
// disabled must get no visitors from here (RFC 9700 §4.11).
func (s *Server) checkReturn(ctx context.Context, asked *logout) error {
	if asked.URI == "" {
		return nil
	}
	client, cause, err := s.authorizingClient(ctx, asked.ClientID)
	if err != nil {
		return err
	}
	if cause == nil && !matchRedirect(client.PostLogoutRedirectURIs, asked.URI) {
		cause = failedValue("the post_logout_redirect_uri is not registered any more", asked.URI,
			client.PostLogoutRedirectURIs...)
	}
	if cause != nil {
		s.logger().InfoContext(ctx, "oauth2/server: a logout does not lead back to the client", "client",
			asked.ClientID,
			"error", cause)
		*asked = logout{}
		return nil
	}
	asked.client = client
	return nil
}

// endTimeout is for what must end though the browser is gone.
const endTimeout = 10 * time.Second

// logOut ends the session and what was granted in it. Before that, an error can be tried
// again, because the user is signed in. After that, there may be a grant that another
// request got until the session ended, which ends also if the browser hangs up.
func (s *Server) logOut(w http.ResponseWriter, r *http.Request, p signedInUser, asked logout) {
	if _, err := s.EndSession(r.Context(), p.session); err != nil {
		s.showError(w, r, err)
		return
	}
	failed := s.config.OpenID.Logout(w, r) // which may have ended the session all the same
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout)
	defer cancel()
	if _, err := s.EndSession(ctx, p.session); failed == nil {
		failed = err
	}
	if failed != nil {
		s.showError(w, r, failed)
		return
	}
	s.loggedOut(w, r, asked)
}

func (s *Server) loggedOut(w http.ResponseWriter, r *http.Request, asked logout) {
	if asked.URI == "" {
		s.show(w, r, http.StatusOK, s.pages.Logout,
			LogoutPage{Layout: s.layout(page.SignedOut(r), "You are signed out")})
		return
	}
	w.Header().Set("Location", asked.redirect())
	w.WriteHeader(http.StatusSeeOther)
}
