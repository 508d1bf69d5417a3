package server

import (
	"net/http"

	"github.com/gatewarden/auth/backend"
)

// canComeAgain reports a request if its browser stays on its page after the answer. The system hands the address of a
// private-use scheme to a program, and asks the user first, or waits for a link that the user presses. A user that
// comes back to the page presses the link again (RFC 8252 §7.1). A request that had a consent page shows it anew
// instead, and its second answer is refused. That is each one of a public client that is not FirstParty.
func (a *authorization) canComeAgain() bool { return a.ID != "" && isPrivateUse(a.RedirectURI) }

// codeFor returns a new code. That of a request that can come again is always the same for one user and session.
func (s *Server) codeFor(a *authorization, p visitor) string {
	user := p.user.UserID()
	if !a.canComeAgain() {
		return backend.NewToken(s.code, user, backend.DefaultTokenLength)
	}
	return backend.DeriveToken(s.code, user, backend.DefaultTokenLength, s.codeKey.Reveal(),
		a.ID+" "+p.session+" "+user)
}

// sendAgain answers a request that was answered before: with the same code if it can come again and the code waits to
// be redeemed. A code of another user or session is another one, which is not there.
func (s *Server) sendAgain(w http.ResponseWriter, r *http.Request, a *authorization, secret string) {
	if a.canComeAgain() {
		code, grant, err := s.config.Store.FindCode(r.Context(), backend.TokenDigest(secret, s.code))
		if err != nil {
			s.redirectError(w, r, a, err)
			return
		}
		at := now()
		if code != nil && code.Redeemed.IsZero() && at.Before(code.ExpiresAt) && grant.Live(at) {
			s.respond(w, r, a, [][2]string{{"code", secret}})
			return
		}
	}
	s.showError(w, r, ofClient(a.ClientID, errOver(errAnswered)))
}
