package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Tickets issues and checks tickets, one for each device: `Authorization: Ticket tk_…`.
type Tickets struct {
	users  auth.UserLoader
	format *backend.TokenFormat
	mu     sync.Mutex
	issued map[string]Ticket // by digest, because the text of a ticket is not kept
}

// Ticket is what is known of a ticket, as a credential. It is not primary, so nothing is issued for it.
type Ticket struct {
	ID     string
	UserID string
	IP     string
	Device string
	digest string
	stamp  string
	terms  backend.Terms // MaxExpiresAt is the end of the ticket
}

func (Ticket) Backend() string            { return "ticket" }
func (Ticket) Ambient() bool              { return false } // no browser adds it by itself
func (t Ticket) Scopes() ([]string, bool) { return t.terms.Scopes, t.terms.Limited }
func (t Ticket) ExpiresAt() time.Time     { return t.terms.MaxExpiresAt }
func (t Ticket) AuthInfo() auth.AuthInfo  { return t.terms.AuthInfo }

func NewTickets(users auth.UserLoader) (*Tickets, error) {
	format, err := backend.NewTokenFormat("tk_", backend.DefaultTokenLength)
	return &Tickets{users: users, format: format, issued: make(map[string]Ticket)}, err
}
func (*Tickets) Backend() string                 { return "ticket" }
func (*Tickets) Challenges() []auth.Challenge    { return []auth.Challenge{{Scheme: "Ticket"}} }
func (ts *Tickets) OwnTokens() []auth.TokenClass { return ts.format.TokenClasses("Ticket") }

func (ts *Tickets) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, text, err := auth.TokenFrom(r, "Ticket")
	if err != nil {
		return nil, nil, err
	}
	digest, err := ts.format.Read(text)
	if err != nil {
		return nil, nil, err
	}
	ts.mu.Lock()
	t, ok := ts.issued[digest]
	ts.mu.Unlock()
	if !ok || !time.Now().Before(t.ExpiresAt()) {
		return nil, nil, auth.ErrInvalid
	}
	user, err := ts.users.Load(r.Context(), t.UserID) // at each request, so that a disabled user is out at once
	if err != nil {
		return nil, nil, err
	}
	if !backend.SameStamp(t.stamp, backend.Stamp("ticket", user)) { // such as after a new password
		return nil, nil, auth.ErrInvalid
	}
	return user, t, nil
}

// Handlers returns login/, which answers a POST with a ticket. A header Ticket-Scope limits it.
func (ts *Tickets) Handlers(guard *auth.Guard) (backend.Routes, error) {
	login, err := guard.Login()
	if err != nil {
		return nil, err
	}
	post := backend.Methods{"POST": func(w http.ResponseWriter, r backend.Request) {
		now, scopes := time.Now(), strings.Fields(r.Header.Get("Ticket-Scope"))
		terms, err := backend.TermsOf(r.Credential, false, now)
		if slices.ContainsFunc(scopes, func(s string) bool { return !backend.ValidScope(s) }) {
			err = auth.ErrMalformed
		} else if err == nil {
			terms.Scopes, terms.Limited, err = terms.Narrow(scopes, r.Header["Ticket-Scope"] != nil)
		}
		if err == nil { // the user may be disabled, whatever the login says
			_, err = ts.users.Load(r.Context(), r.User.UserID())
		}
		if err != nil {
			login.Refuse(w, r.Request, err)
			return
		}
		terms.MaxExpiresAt = backend.Earlier(now.Add(12*time.Hour), terms.MaxExpiresAt)
		text, digest := ts.format.New(r.User.UserID())
		ip, device := backend.ClientOf(r.Request)
		id := backend.NewID()
		ts.mu.Lock()
		maps.DeleteFunc(ts.issued, func(_ string, t Ticket) bool { return !now.Before(t.ExpiresAt()) })
		ts.issued[digest] = Ticket{ID: id, UserID: r.User.UserID(), digest: digest, terms: terms, IP: ip,
			Device: backend.CleanText(device, 200), stamp: backend.Stamp("ticket", r.User)} // of the proved password
		ts.mu.Unlock()
		issued := backend.Issued{Backend: "ticket", UserID: r.User.UserID(), CredentialID: id,
			Revoke: func(context.Context) error { ts.Revoke(r.User.UserID(), id); return nil }}
		// the login, now that it has one
		if err := backend.FinishOrRevoke(r.Context(), r.Credential, issued); err != nil {
			login.Refuse(w, r.Request, err)
			return
		}
		backend.WriteJSON(w, http.StatusOK, map[string]string{"ticket": text})
	}}
	return backend.Routes{{Path: "/login/", Handler: backend.NewEndpoint(login, login.Require(), post)}}, nil
}

func (ts *Tickets) Revoke(userID, id string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	maps.DeleteFunc(ts.issued, func(_ string, t Ticket) bool { return t.UserID == userID && t.ID == id })
}

// RevokeOthers implements auth.Revoker: the ticket that proved r stays good, and gets the stamp of user.
func (ts *Tickets) RevokeOthers(_ http.ResponseWriter, r *http.Request, user auth.User) error {
	current, _ := auth.CredentialFrom[Ticket](r.Context())
	ts.mu.Lock()
	defer ts.mu.Unlock()
	kept := ts.issued[current.digest]
	maps.DeleteFunc(ts.issued, func(_ string, t Ticket) bool { return t.UserID == user.UserID() })
	if kept.UserID == user.UserID() {
		kept.stamp = backend.Stamp("ticket", user)
		ts.issued[kept.digest] = kept
	}
	return nil
}
