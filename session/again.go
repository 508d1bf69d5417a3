package session

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// justNow is how long after a login a page that refuses its session counts as the page that the login leads to.
const justNow = time.Minute

// noLoginHelps reports a browser that RedirectToLogin sent to log in again, that did so, and that is refused as
// before. A provider such as GitHub does not tell when its user logged in there, and so [auth.Fresh] refuses each
// session that begins with it. A login page that leads straight there would send the browser round for ever.
//
// The first refusal of a session is noted on w, and the note is gone with the answer about the next one: a user that
// opens the page once more may try another way to log in.
func (s *Sessions) noLoginHelps(w http.ResponseWriter, r *http.Request, p *auth.Problem) bool {
	digest := s.presented(r)
	if p.Code != auth.CodeInsufficientUserAuthentication || digest == "" {
		return false
	}
	record, err := s.config.Store.Find(r.Context(), digest)
	if err != nil || record == nil || record.IsTombstone() {
		return false // the login page tells what is wrong
	}
	n := s.readNotes(w, r)
	helped := n.Again == "" || n.Again == record.ID || time.Since(record.Created) > justNow
	n.Again = record.ID
	if !helped {
		n.Again = ""
	}
	s.setNotes(w, n)
	return !helped
}
