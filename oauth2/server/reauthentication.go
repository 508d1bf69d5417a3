package server

import (
	"time"
)

// mustLogIn says why a user must sign in, or again. It is nil if the user need not.
func (s *Server) mustLogIn(a *authorization, p *visitor) error {
	if p == nil {
		return errNotSignedIn
	}
	at := p.login.AuthTime
	// What a browser or proxy proves anew with every request, such as Basic, has no
	// session, and does not tell when somebody was last there.
	sinceAsked := p.session != "" && !at.IsZero() && !at.Before(a.Asked)
	switch {
	case a.Subject != "" && a.Subject != p.user.UserID():
		return wrong("another user than that of the id_token_hint is signed in", p.user.UserID(), a.Subject)
	case sinceAsked:
		return nil
	case a.prompts("login") || a.prompts("select_account"):
		return errPromptLogin
	case a.MaxAge >= 0 && (p.session == "" || at.IsZero() || time.Since(at) > a.MaxAge):
		return errMaxAge
	}
	return nil
}

// reauthIsPointless reports a login after which another one would not help: of another
// user than the client has an ID token of (OpenID Connect Core §3.1.2.1), or by
// something that does not tell when it was.
func (s *Server) reauthIsPointless(a *authorization, p *visitor) bool {
	return p.session == "" || p.login.AuthTime.IsZero() ||
		a.Subject != "" && a.Subject != p.user.UserID() && !p.login.AuthTime.Before(a.Asked)
}
