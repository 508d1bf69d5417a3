package server

import (
	"net/http"

	"github.com/gatewarden/auth/backend"
)

// mayResendCode reports a request if its browser stays on its page after the answer. The system hands the address of a
// private-use scheme to a program, and asks the user first, or waits for a link that the user presses. A user that
// comes back to the page presses the link again (RFC 8252 §7.1). A request that had a consent page shows it anew
// instead, and its second answer is refused. That is each one of a public client that is not FirstParty.
func (a *authorization) mayResendCode() bool { return a.ID != "" && isPrivateUse(a.RedirectURI) }

// codeFor returns a new code. That of a request that can come again is always the same for one user and session.
func (s *Server) codeFor(a *authorization, p signedInUser) string {
	user := p.user.UserID()
	if !a.mayResendCode() {
		return backend.NewToken(s.codePrefix, user, backend.DefaultTokenLength)
	}
	return backend.DeriveToken(s.codePrefix, user, backend.DefaultTokenLength, s.codeKey.Reveal(),
		a.ID+" "+p.session+" "+user)
}

// resendCode answers a request that was answered before: with the same code if it can come again and the code waits to
// be redeemed. A code of another user or session is another one, which is not there.
func (s *Server) resendCode(w http.ResponseWriter, r *http.Request, a *authorization, secret string) {
	if a.mayResendCode() {
		code, grant, err := s.config.Store.FindCode(r.Context(), backend.TokenDigest(secret, s.codePrefix))
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
	s.showError(w, r, ofClient(a.ClientID, errRequestEnded(errAnswered)))
}
