package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/backend"
)

// AuthorizedPage shows a user the applications that have access. Each has a form
// that POSTs to Withdraw.
type AuthorizedPage struct {
	Layout
	Applications []Authorized
	Path         string // of this page
	Next         string // path of the next page, or ""
	Later        bool   // it is not the first page
}

// Authorized is what a client may do in the name of a user: what they agreed to,
// and what it has.
type Authorized struct {
	Client *Client
	// Permissions are those of all grants and of the consent.
	Permissions []ShownPermission

	Since    time.Time // the first consent or grant
	LastUsed time.Time // when tokens were last issued, zero is never
	Consent  *Consent  // may be nil
	Grants   int       // how many are live, see [Server.Grants]
	Withdraw string    // path
}

// access is what a client has of a user, one of which may be nil.
type clientAccess struct {
	clientID string
	consent  *Consent
	grants   *ClientGrants
}

// Authorized returns a page of the clients that may do something in the name of a user,
// and the cursor of the next page, or "". Pages are in order of client ID, and a page is
// in order of name. One that cannot be meant is auth.ErrMalformed.
func (s *Server) Authorized(ctx context.Context, userID string, page backend.Page) (all []Authorized, next string,
	err error) {
	if page, err = byClient(page); err != nil {
		return nil, "", err
	}
	if !backend.ValidUserID(userID) { // nothing is granted to such a user
		return nil, "", nil
	}
	at := now()
	found, next, err := backend.ReadPage(page, func(after string, limit int) ([]clientAccess, error) {
		return s.clientAccessPage(ctx, userID, after, limit, at)
	}, func(a clientAccess) string { return a.clientID }, every)
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	for _, a := range found {
		client, err := s.findClient(ctx, a.clientID)
		if err != nil {
			return nil, "", backend.Outage(err)
		}
		if client != nil { // not removed meanwhile, with all it had
			all = append(all, s.authorized(client, a))
		}
	}
	slices.SortFunc(all, func(a, b Authorized) int {
		return cmp.Or(cmp.Compare(a.Client.Name, b.Client.Name), cmp.Compare(a.Client.ID, b.Client.ID))
	})
	return all, next, nil
}

// clientAccessPage returns what at most limit clients have, in order of client ID. It merges two
// lists: of what the user agreed to, and of what was issued.
func (s *Server) clientAccessPage(ctx context.Context, userID, after string, limit int, at time.Time) (
	[]clientAccess, error) {
	consents, err := s.config.Store.Consents(ctx, userID, after, limit)
	if err != nil {
		return nil, err
	}
	grants, err := s.config.Store.GrantsByClient(ctx, userID, after, limit, at)
	if err != nil {
		return nil, err
	}
	var all []clientAccess
	for len(all) < limit && len(consents)+len(grants) > 0 {
		var a clientAccess
		compared := -1 // the next client has a consent, and no grant
		if len(consents) == 0 {
			compared = 1
		} else if len(grants) > 0 {
			compared = cmp.Compare(consents[0].ClientID, grants[0].ClientID)
		}
		if compared <= 0 {
			a.clientID, a.consent, consents = consents[0].ClientID, consents[0], consents[1:]
		}
		if compared >= 0 {
			a.clientID, a.grants, grants = grants[0].ClientID, grants[0], grants[1:]
		}
		all = append(all, a)
	}
	return all, nil
}

// authorized returns what is shown of a client.
func (s *Server) authorized(client *Client, a clientAccess) Authorized {
	shown := Authorized{Client: client, Consent: a.consent,
		Withdraw: s.authorizedPath() + clientSegment(client.ID) + "/delete/"}
	var may Permissions
	if a.consent != nil {
		may, shown.Since = a.consent.Permissions, a.consent.Created
	}
	if a.grants != nil {
		may = may.Add(a.grants.Permissions)
		shown.Grants, shown.LastUsed = a.grants.Count, a.grants.LastUsed
		if a.consent == nil || a.grants.Since.Before(shown.Since) {
			shown.Since = a.grants.Since
		}
	}
	shown.Permissions = s.shownPermissions(may, nil)
	return shown
}

func (s *Server) authorizedPath() string { return s.config.Endpoints.Path + "/authorized_tokens/" }

// serveAuthorized shows the page.
func (h *handler) serveAuthorized(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.showError(w, r, wrongMethod("The method must be GET.", r))
		return
	}
	h.requireSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p signedInUser) {
		if !h.requireFullAccess(w, r, p) {
			return
		}
		page := pageOf(r)
		all, next, err := h.Authorized(r.Context(), p.user.UserID(), page)
		if err != nil {
			h.showError(w, r, err)
			return
		}
		h.show(w, r, http.StatusOK, h.pages.Authorized, AuthorizedPage{
			Layout: h.layout(r, "Applications with access"), Applications: all,
			Path: h.authorizedPath(), Next: nextOf(h.authorizedPath(), next), Later: page.After != "",
		})
	})
}

// serveWithdraw takes its forms.
func (h *handler) serveWithdraw(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		h.showError(w, r, wrongMethod("The method must be POST.", r))
		return
	}
	h.requireSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p signedInUser) {
		if !h.requireFullAccess(w, r, p) {
			return
		}
		if _, err := h.Withdraw(r.Context(), p.user.UserID(), clientOfSegment(r.PathValue("id"))); err != nil {
			h.showError(w, r, err)
			return
		}
		http.Redirect(w, r, h.authorizedPath(), http.StatusSeeOther)
	})
}

// requireFullAccess refuses a user that signed in for some scopes only, and reports whether to go
// on.
func (s *Server) requireFullAccess(w http.ResponseWriter, r *http.Request, p signedInUser) bool {
	if !p.terms.Limited {
		return true
	}
	s.showError(w, r, &Error{Code: CodeAccessDenied, Description: "You signed in for less than that.",
		Status: http.StatusForbidden,
		Cause: failedValue("the user signed in with a credential that is limited to scopes",
			strings.Join(p.terms.Scopes, " "))})
	return false
}
