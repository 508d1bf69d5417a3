package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AuthorizedPage shows a user the applications that have access. Each has a form
// that POSTs to Withdraw.
type AuthorizedPage struct {
	Layout
	Applications []Authorized
	Path         string // of this page
}

// Authorized is what a client may do in the name of a user: what they agreed to,
// and what it has.
type Authorized struct {
	Client   *Client
	Scopes   []Scope   // of all grants and of the consent
	Since    time.Time // the first consent or grant
	LastUsed time.Time // when tokens were last issued; zero is never
	Consent  *Consent  // nil if there is none
	Grants   []*Grant  // live ones, the newest first
	Withdraw string    // path
}

// Authorized returns the clients that may do something in the name of a user, in
// order of name.
func (s *Server) Authorized(ctx context.Context, userID string) ([]Authorized, error) {
	consents, err := s.config.Store.Consents(ctx, userID)
	if err != nil {
		return nil, err
	}
	grants, err := s.config.Store.Grants(ctx, userID, now())
	if err != nil {
		return nil, err
	}
	byClient := make(map[string]*Authorized)
	of := func(clientID string) *Authorized {
		if byClient[clientID] == nil {
			byClient[clientID] = &Authorized{Withdraw: s.config.Path + "/authorized_tokens/" + clientID + "/delete/"}
		}
		return byClient[clientID]
	}
	for _, consent := range consents {
		a := of(consent.ClientID)
		a.Consent, a.Since = consent, consent.Created
	}
	for _, grant := range grants {
		a := of(grant.ClientID)
		a.Grants = append(a.Grants, grant)
		if a.Since.IsZero() || grant.Created.Before(a.Since) {
			a.Since = grant.Created
		}
		a.LastUsed = latest(a.LastUsed, grant.LastUsed)
	}
	var all []Authorized
	for clientID, a := range byClient {
		if a.Client, err = s.config.Store.Client(ctx, clientID); err != nil {
			return nil, err
		}
		if a.Client == nil { // removed meanwhile, with all it had
			continue
		}
		a.Scopes = s.scopesIn(a)
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Authorized) int {
		return cmp.Or(cmp.Compare(a.Client.Name, b.Client.Name), cmp.Compare(a.Client.ID, b.Client.ID))
	})
	return all, nil
}

// scopesIn are the scopes of a consent and of grants, in the order of the
// configuration.
func (s *Server) scopesIn(a *Authorized) []Scope {
	var names []string
	if a.Consent != nil {
		names = a.Consent.Scopes
	}
	for _, grant := range a.Grants {
		names = union(names, grant.Scopes)
	}
	var scopes []Scope
	for _, scope := range s.config.Scopes {
		if slices.Contains(names, scope.Name) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// serveAuthorized shows the page.
func (h *handler) serveAuthorized(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.showError(w, r, wrongMethod("The method must be GET.", r))
		return
	}
	h.signedIn(w, r, func(w http.ResponseWriter, r *http.Request, p person) {
		if !h.unlimited(w, r, p) {
			return
		}
		all, err := h.Authorized(r.Context(), p.user.UserID())
		if err != nil {
			h.showError(w, r, err)
			return
		}
		h.show(w, r, http.StatusOK, h.pages.Authorized, AuthorizedPage{h.layout(r, "Applications with access"), all, h.config.Path + "/authorized_tokens/"})
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
	h.signedIn(w, r, func(w http.ResponseWriter, r *http.Request, p person) {
		if !h.unlimited(w, r, p) {
			return
		}
		if _, err := h.Withdraw(r.Context(), p.user.UserID(), r.PathValue("id")); err != nil {
			h.showError(w, r, err)
			return
		}
		http.Redirect(w, r, h.config.Path+"/authorized_tokens/", http.StatusSeeOther)
	})
}

// unlimited refuses who signed in for some scopes only, and reports whether to go
// on.
func (s *Server) unlimited(w http.ResponseWriter, r *http.Request, p person) bool {
	if !p.terms.Limited {
		return true
	}
	s.showError(w, r, &Error{Code: CodeAccessDenied, Description: "You signed in for less than that.",
		Status: http.StatusForbidden, Cause: wrong("the user signed in with a credential that is limited to scopes",
			strings.Join(p.terms.Scopes, " "))})
	return false
}
