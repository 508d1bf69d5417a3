package server

import (
	"fmt"
	"net/http"
	"time"
)

// loginGrace is how long a login that came after the request counts as new, however short max_age is. A user needs
// that time to come back and to read the consent page. Otherwise no request with max_age=0 would ever end.
const loginGrace = 5 * time.Minute

// mustLogIn says why a user must sign in, or again. It is nil if the user need not. It is asked whenever a request
// goes on, because a login that was new enough when the request came can be too old when the user comes back (OpenID
// Connect Core §3.1.2.1, max_age).
func (s *Server) mustLogIn(a *authorization, p *signedInUser) error {
	if p == nil {
		return errNotSignedIn
	}
	at := p.login.AuthTime
	// What a browser or proxy proves anew with every request, such as Basic, has no
	// session, and does not tell when somebody was last there.
	sinceAsked := p.session != "" && !at.IsZero() && !at.Before(a.Asked)
	maxAge := a.MaxAge
	if sinceAsked && maxAge >= 0 {
		maxAge = max(maxAge, loginGrace)
	}
	switch {
	case a.Subject != "" && a.Subject != p.user.UserID():
		return failedValue("another user than that of the id_token_hint is signed in", p.user.UserID(), a.Subject)
	case !sinceAsked && (a.prompts("login") || a.prompts("select_account")):
		return errPromptLogin
	case maxAge >= 0 && (p.session == "" || at.IsZero() || time.Since(at) > maxAge):
		return errMaxAge
	}
	return nil
}

// cannotReauthenticate reports a login after which another one would not help: of another
// user than the client has an ID token of (OpenID Connect Core §3.1.2.1), or by
// something that does not tell when it was.
func (s *Server) cannotReauthenticate(a *authorization, p *signedInUser) bool {
	return p.session == "" || p.login.AuthTime.IsZero() ||
		a.Subject != "" && a.Subject != p.user.UserID() && !p.login.AuthTime.Before(a.Asked)
}

// maxLogins is how often a request is sent to a login. A login that asks the user nothing, as with a session of a
// company, comes back at once, and with an old time. The browser would go to and fro without end.
const maxLogins = 5

// errLoginLoop is the cause of a request that came back from each of its logins without what it needs.
func errLoginLoop(missing error) error {
	return fmt.Errorf("the browser came back from %d logins without a new one, so Config.SignIn may not ask the user "+
		"(see SignInRequest.Fresh): %w", maxLogins, missing)
}

// requireNewLogin answers a consent page if its user must sign in again first, because the login grew older than
// max_age while the page waited. The page is used up. Its request is kept by the browser, and goes on as after a POST
// of the client.
func (s *Server) requireNewLogin(w http.ResponseWriter, r *http.Request, page *Interaction, a *authorization) {
	if err := s.consume(r.Context(), page); err != nil {
		s.showError(w, r, err)
		return
	}
	s.sealAndSend(w, r, a, func(returnTo string) { http.Redirect(w, r, returnTo, http.StatusSeeOther) })
}
