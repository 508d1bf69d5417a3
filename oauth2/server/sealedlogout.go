package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gatewarden/auth/internal/seal"
)

// sealedLogout is a logout that came by POST, as an address holds it. A page of another site sends no cookies with a
// POST, so the browser comes back with a GET. The address is sealed. So it has no id_token_hint in it, which a client
// sends by POST to keep it out of addresses and logs (OpenID Connect RP-Initiated Logout §2).
type sealedLogout struct {
	Version int         `json:"v"`
	Asked   time.Time   `json:"asked"`
	Logout  logout      `json:"logout"`
	Hint    *sealedHint `json:"hint,omitempty"`
}

// sealedHint is what a logout needs of its id_token_hint.
type sealedHint struct {
	Subject   string `json:"sub"`
	SessionID string `json:"sid,omitempty"`
}

// maxHint is how much of a kept logout is left for its hint and instant, in bytes.
const maxHint = 300

// logoutSealedFor names what is sealed, and by which server.
func (s *Server) logoutSealedFor() string { return "logout at " + s.config.Issuer }

// logoutURL is the path and query that goes on with a logout.
func (s *Server) logoutURL(asked logout, token *idTokenHint) (string, error) {
	kept := sealedLogout{Version: requestVersion, Asked: now(), Logout: asked}
	if token != nil {
		kept.Hint = &sealedHint{token.Subject, token.SessionID}
	}
	text, err := json.Marshal(kept)
	if err == nil && len(text) > maxRequest { // of a very long identifier: the user is asked instead
		kept.Hint = nil
		text, err = json.Marshal(kept)
	}
	if err != nil {
		return "", err
	}
	sealed := seal.Seal(s.seals, text, s.logoutSealedFor())
	return s.config.Endpoints.Path + "/logout/?" + url.Values{"interaction": {sealed}}.Encode(), nil
}

// openLogout returns the logout that an address holds. Where it leads must still be registered.
func (s *Server) openLogout(ctx context.Context, sealed string) (asked logout, token *idTokenHint, err error) {
	text, err := seal.OpenLong(s.seals, sealed, s.logoutSealedFor(), maxSealed)
	if err != nil {
		return asked, nil, errRequestEnded(errSealedRequest)
	}
	var kept sealedLogout
	switch {
	case json.Unmarshal(text, &kept) != nil || kept.Version != requestVersion:
		return asked, nil, errRequestEnded(errOtherVersion)
	case !now().Before(kept.Asked.Add(interactionTTL)):
		return asked, nil, errRequestEnded(errLateRequest)
	}
	if kept.Hint != nil {
		token = &idTokenHint{Subject: kept.Hint.Subject, SessionID: kept.Hint.SessionID}
	}
	asked = kept.Logout
	return asked, token, s.checkReturn(ctx, &asked)
}

// checkLength refuses a logout that would not fit into an address.
func (l *logout) checkLength() error {
	text, err := json.Marshal(l)
	if most := maxRequest - maxHint; err == nil && len(text) > most {
		return refuse(CodeInvalidRequest, "The request is too long.",
			failedValue("the logout, with its state, has more bytes than an address holds", strconv.Itoa(len(text)),
				strconv.Itoa(most)+" or fewer"))
	}
	return err
}

// logoutByGET sends a browser back with the same request by GET, and reports whether it has answered. Browsers get a
// page in between: the form-action of the other site's page need then name this server alone, wherever the logout
// leads.
func (h *handler) logoutByGET(w http.ResponseWriter, r *http.Request, asked logout, token *idTokenHint) bool {
	page := wantsPage(r)
	if !page && h.guard.CheckOrigin(r) == nil {
		return false
	}
	next, err := h.logoutURL(asked, token)
	switch {
	case err != nil:
		h.showError(w, r, err)
	case page:
		h.showContinuePage(w, r, next)
	default:
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
	return true
}
