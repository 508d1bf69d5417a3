package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// device is a row of the page of devices: a session, a knox token, or a login
// that a pair of JWTs came of.
type device struct {
	Kind    string
	ID      string
	Name    string
	IP      string
	Created time.Time
	Used    time.Time
	Current bool
}

// devices lists where a user is signed in.
func (a *app) devices(w http.ResponseWriter, r *http.Request) {
	u, _ := auth.UserFrom[auth.User](r.Context())
	current, _ := auth.CredentialFrom[auth.Credential](r.Context())
	page, err := backend.ParsePage(r)
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	all, next, err := a.devicesOf(r.Context(), u.UserID(), page)
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	if this, ok := deviceOf(current); ok {
		all = backend.PutCurrentFirst(page, all, this, func(d device) bool { return d.ID == this.ID })
		if page.After == "" {
			all[0].Current = true
		}
	}
	v := view{Title: "Your devices", Page: Page{Backend: current.Backend(),
		devicesPage: devicesPage{Devices: all, Cursor: next, Later: page.After != ""}}}
	if r.URL.Query().Has("changed") {
		v.Flashes = []string{"Your password is changed. Every other device is signed out."}
	}
	a.pages.write(w, r, http.StatusOK, "devices", v)
}

// devicesOf returns a page of what a user has of all kinds, and the cursor of the next
// one. Identifiers are in the order of time whatever they identify, so a cursor is a place
// in each of the lists.
func (a *app) devicesOf(ctx context.Context, userID string, page backend.Page) (all []device, next string, err error) {
	sessions, nextSession, err := a.sessions.List(ctx, userID, page)
	if err != nil {
		return nil, "", err
	}
	tokens, nextToken, err := a.tokens.List(ctx, userID, page)
	if err != nil {
		return nil, "", err
	}
	pairs, nextPair, err := a.pairs.List(ctx, userID, page)
	if err != nil {
		return nil, "", err
	}
	for _, s := range sessions {
		all = append(all, sessionDevice(s))
	}
	for _, t := range tokens {
		all = append(all, tokenDevice(t))
	}
	for _, f := range pairs {
		all = append(all, device{Kind: "login", ID: f.ID, Name: browser(f.UserAgent), IP: f.IP, Created: f.Created,
			Used: f.LastUsed})
	}
	// Further down than the cursor of one list, that list is not known yet.
	next = max(nextSession, nextToken, nextPair)
	all = slices.DeleteFunc(all, func(d device) bool { return d.ID < next })
	slices.SortFunc(all, func(x, y device) int { return cmp.Compare(y.ID, x.ID) })
	if len(all) > page.Limit {
		all = all[:page.Limit]
		next = all[page.Limit-1].ID
	}
	return all, next, nil
}

func sessionDevice(s *session.Session) device {
	return device{Kind: "session", ID: s.ID(), Name: browser(s.UserAgent()), IP: s.IP(), Created: s.Created(),
		Used: s.LastUsed()}
}

func tokenDevice(t *knox.Token) device {
	return device{Kind: "token", ID: t.ID(), Name: cmp.Or(t.Name(), browser(t.UserAgent())), IP: t.IP(),
		Created: t.Created(), Used: t.LastUsed()}
}

// deviceOf returns the device that a credential is of, if it is of one.
func deviceOf(c auth.Credential) (device, bool) {
	if s, ok := auth.As[*session.Session](c); ok {
		return sessionDevice(s), true
	}
	if t, ok := auth.As[*knox.Token](c); ok {
		return tokenDevice(t), true
	}
	if t, ok := auth.As[*jwt.Token](c); ok && t.SessionID() != "" {
		return device{Kind: "login", ID: t.SessionID(), Name: "The program that shows this", Created: t.IssuedAt()},
			true
	}
	return device{}, false
}

// endDevice is a form of that page.
func (a *app) endDevice(w http.ResponseWriter, r *http.Request) {
	u, _ := auth.UserFrom[auth.User](r.Context())
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	kind, id := r.PostFormValue("kind"), r.PostFormValue("id")
	if kind == "others" {
		a.endOthers(w, r, u)
		return
	}
	r, failed := noteEndFailure(r)
	var found bool
	var err error
	switch c, ok := auth.CredentialFrom[*session.Session](r.Context()); {
	case kind == "session" && ok && c.ID() == id: // this one: the cookie goes too
		found, err = a.sessions.Logout(w, r)
	case kind == "session":
		found, err = a.sessions.Revoke(r.Context(), u.UserID(), id)
	case kind == "token":
		found, err = a.tokens.Revoke(r.Context(), u.UserID(), id)
	case kind == "login":
		found, err = a.pairs.Revoke(r.Context(), u.UserID(), id)
	}
	if err = errors.Join(err, failed.err); err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	if found {
		a.sessions.AddFlash(w, r, "The "+kind+" has ended.")
	} else {
		a.sessions.AddFlash(w, r, "That one had ended already.")
	}
	w.Header().Set("Location", "/devices")
	w.WriteHeader(http.StatusSeeOther)
}

// endOthers ends all but what proved the request. What applications were granted in a
// session ends with it: see sessionEnded.
func (a *app) endOthers(w http.ResponseWriter, r *http.Request, u auth.User) {
	r, failed := noteEndFailure(r)
	for _, issuer := range []auth.Revoker{a.sessions, a.tokens, a.pairs} {
		if err := errors.Join(issuer.RevokeOthers(w, r, u), failed.err); err != nil {
			a.guard.Refuse(w, r, err)
			return
		}
	}
	a.sessions.AddFlash(w, r, "All others have ended.")
	w.Header().Set("Location", "/devices")
	w.WriteHeader(http.StatusSeeOther)
}

// browser names a browser well enough for its owner to know it.
func browser(userAgent string) string {
	name := ""
	for _, product := range []string{"Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/", "curl/"} {
		if strings.Contains(userAgent, product) {
			name = strings.Trim(product, "/")
			break
		}
	}
	name = map[string]string{"Edg": "Edge", "OPR": "Opera"}[name] + strings.NewReplacer("Edg", "", "OPR", "").Replace(
		name)
	if name == "" {
		return cmp.Or(userAgent, "A program without a name")
	}
	for _, system := range [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"},
		{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(userAgent, system[0]) {
			return name + " on " + system[1]
		}
	}
	return name
}
