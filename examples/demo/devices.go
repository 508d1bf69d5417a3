package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// device is a row of the page of devices: a session, a knox token, or a login
// that a pair of JWTs came of.
type device struct {
	Kind, ID, Name, IP string
	Created, Used      time.Time
	Current            bool
}

// devices lists where a user is signed in.
func (a *app) devices(w http.ResponseWriter, r *http.Request) {
	u, _ := auth.UserFrom[auth.User](r.Context())
	current, _ := auth.CredentialFrom[auth.Credential](r.Context())
	sessions, err := a.sessions.List(r.Context(), u.UserID())
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	tokens, err := a.tokens.List(r.Context(), u.UserID())
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	pairs, err := a.pairs.List(r.Context(), u.UserID())
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	var all []device
	for _, s := range sessions {
		c, ok := auth.As[*session.Session](current)
		all = append(all, device{"session", s.ID(), browser(s.UserAgent()), s.IP(), s.Created(), s.LastUsed(), ok && c.ID() == s.ID()})
	}
	for _, t := range tokens {
		c, ok := auth.As[*knox.Token](current)
		all = append(all, device{"token", t.ID(), cmp.Or(t.Name(), browser(t.UserAgent())), t.IP(), t.Created(), t.LastUsed(), ok && c.ID() == t.ID()})
	}
	for _, f := range pairs {
		c, ok := auth.As[*jwt.Token](current)
		all = append(all, device{"login", f.ID, browser(f.UserAgent), f.IP, f.Created, f.LastUsed, ok && c.SessionID() == f.ID})
	}
	slices.SortStableFunc(all, func(x, y device) int { return y.Created.Compare(x.Created) })
	v := view{Title: "Your devices", Page: Page{Devices: all, Backend: current.Backend()}}
	if r.URL.Query().Has("changed") {
		v.Flashes = []string{"Your password is changed. Every other device is signed out."}
	}
	a.pages.write(w, r, http.StatusOK, "devices", v)
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
	var found bool
	var err error
	switch c, ok := auth.CredentialFrom[*session.Session](r.Context()); {
	case kind == "session" && ok && c.ID() == id: // this one: the cookie goes too
		if found, err = a.sessions.Logout(w, r); found {
			_, err = a.oauth.EndSession(r.Context(), id)
		}
	case kind == "session":
		if found, err = a.sessions.Revoke(r.Context(), u.UserID(), id); found {
			_, err = a.oauth.EndSession(r.Context(), id) // what applications were granted in it
		}
	case kind == "token":
		found, err = a.tokens.Revoke(r.Context(), u.UserID(), id)
	case kind == "login":
		found, err = a.pairs.Revoke(r.Context(), u.UserID(), id)
	}
	if err != nil {
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

// endOthers ends all but what proved the request.
func (a *app) endOthers(w http.ResponseWriter, r *http.Request, u auth.User) {
	before, err := a.sessions.List(r.Context(), u.UserID())
	if err != nil {
		a.guard.Refuse(w, r, err)
		return
	}
	for _, issuer := range []auth.Revoker{a.sessions, a.tokens, a.pairs} {
		if err := issuer.RevokeOthers(w, r, u); err != nil {
			a.guard.Refuse(w, r, err)
			return
		}
	}
	current, _ := auth.CredentialFrom[*session.Session](r.Context())
	for _, other := range before {
		if current != nil && other.ID() == current.ID() {
			continue
		}
		if _, err := a.oauth.EndSession(r.Context(), other.ID()); err != nil {
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
	name = map[string]string{"Edg": "Edge", "OPR": "Opera"}[name] + strings.NewReplacer("Edg", "", "OPR", "").Replace(name)
	if name == "" {
		return cmp.Or(userAgent, "A program without a name")
	}
	for _, system := range [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(userAgent, system[0]) {
			return name + " on " + system[1]
		}
	}
	return name
}
