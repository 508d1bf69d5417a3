package session

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// afterLogin is how long after a login a page that refuses its session counts as the page that the login leads to.
const afterLogin = time.Minute

// loginDidNotHelp reports whether RedirectToLogin sent the browser to log in again, and it did so and is refused as
// before. A provider such as GitHub does not tell when its user logged in there, and so [auth.Fresh] refuses each
// session that begins with it. A login page that leads straight there would send the browser round for ever.
//
// The first refusal of a session is noted on w, and the note is gone with the answer about the next one: a user that
// opens the page once more may try another way to log in.
func (s *Sessions) loginDidNotHelp(w http.ResponseWriter, r *http.Request, p *auth.Problem) bool {
	digest := s.cookieDigest(r)
	if p.Code != auth.CodeInsufficientUserAuthentication || digest == "" {
		return false
	}
	record, err := s.config.Store.Find(r.Context(), digest)
	if err != nil || record == nil || record.IsTombstone() {
		return false // the login page tells what is wrong
	}
	state := s.readState(w, r)
	helped := state.Reauthenticated == "" || state.Reauthenticated == record.ID ||
		time.Since(record.Created) > afterLogin
	state.Reauthenticated = record.ID
	if !helped {
		state.Reauthenticated = ""
	}
	s.setState(w, state)
	return !helped
}
