package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Handlers are the HTTP interface of [Sessions]. Each authenticates its requests
// by itself and needs no middleware, answers other methods with 405, and
// refuses requests that a page of another origin made a browser send.
//
// Where they succeed they redirect with 303, as a form expects, unless the
// request's body is JSON or its Accept prefers JSON. Where they fail they
// answer by the Render of the login guard, which may show a form again.
type Handlers struct {
	// Login starts a session for the user that the login guard proves: POST.
	// It leads to the field or member "next", or else to where
	// [Sessions.RedirectToLogin] found the browser, or else to "/"; a "next"
	// that is not a path of this server is "/". "remember" asks for
	// Config.Remember. JSON: 200 with {"id", "created", "expiry", "ends",
	// "remembered", "next"}.
	Login http.Handler
	// Logout ends the session of the request, if there is one: POST. It leads
	// to "next", or to "/". JSON: 204.
	Logout http.Handler
	// LogoutAll ends all sessions of the user of the request: POST. It leads
	// to "next", or to "/". JSON: 204.
	LogoutAll http.Handler
	// Sessions lists the user's sessions: GET, 200 with a JSON array of {"id",
	// "created", "last_used", "expiry", "ends", "remembered", "ip",
	// "user_agent", "current"}; and ends all but the one of the request, which
	// gets a new identifier: DELETE, 204.
	Sessions http.Handler
	// Session ends the session whose identifier is the path value "id":
	// DELETE, 204, or 404 if the user has none of that identifier.
	Session http.Handler
}

// Handlers returns the handlers. The guard says how users log in: its backends
// are those of primary credentials, such as password.Authenticator. Its Render, Proxies,
// CrossOrigin and Observer serve all handlers.
func (s *Sessions) Handlers(login *auth.Guard) (*Handlers, error) {
	if login == nil {
		return nil, errors.New("session: Handlers needs a guard that logs users in")
	}
	own, err := login.With(s)
	if err != nil {
		return nil, err
	}
	h := handler{s, login}
	unlimited := own.Require(auth.FullAccess)
	return &Handlers{
		Login:     backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": h.login}),
		Logout:    backend.NewEndpoint(own, anybody, backend.Methods{"POST": h.logout}),
		LogoutAll: backend.NewEndpoint(own, unlimited, backend.Methods{"POST": h.logoutAll}),
		Sessions:  backend.NewEndpoint(own, unlimited, backend.Methods{"GET": h.list, "DELETE": h.revokeOthers}),
		Session:   backend.NewEndpoint(own, unlimited, backend.Methods{"DELETE": h.revoke}),
	}, nil
}

// Register mounts the handlers below prefix at login, logout, logoutall,
// sessions and sessions/{id}. A pattern with a method, such as "GET
// /session/login" for the page with the form, goes beside them.
func (h *Handlers) Register(mux *http.ServeMux, prefix string) {
	mux.Handle(prefix+"/login", h.Login)
	mux.Handle(prefix+"/logout", h.Logout)
	mux.Handle(prefix+"/logoutall", h.LogoutAll)
	mux.Handle(prefix+"/sessions", h.Sessions)
	mux.Handle(prefix+"/sessions/{id}", h.Session)
}

// anybody may log out, whatever their session is worth by now.
func anybody(next http.Handler) http.Handler { return next }

// handler is what the handlers share.
type handler struct {
	*Sessions
	guard *auth.Guard
}

// errFromSession: a session that started another would never end.
var errFromSession error = &auth.Error{Kind: auth.ErrInsufficient, Detail: "A session cannot be used to start another one."}

func (h handler) login(w http.ResponseWriter, r backend.Request) {
	if _, ok := r.Credential.(*Session); ok {
		h.guard.Refuse(w, r.Request, errFromSession)
		return
	}
	terms, err := backend.TermsOf(r.Credential, false, time.Now())
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	form := readForm(r.Request)
	options := Options{Remember: form.remember, AuthInfo: terms.AuthInfo}
	if h.config.BeforeLogin != nil {
		if err := h.config.BeforeLogin(r.Request, r.User, &options); err != nil {
			h.guard.Refuse(w, r.Request, err)
			return
		}
	}
	if options.Scopes, options.Limited, err = terms.Narrow(options.Scopes, options.Limited); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	session, err := h.SignIn(w, r.Request, r.User, options)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	h.observeRequest(r, auth.EventLogin, session.UserID(), session.ID())
	next := form.next(h.takeReturn(w, r.Request))
	if !form.json {
		redirect(w, next)
		return
	}
	answer := describe(session)
	answer["next"] = next
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) logout(w http.ResponseWriter, r backend.Request) {
	var session *Session // for the event
	if user, credential, err := h.Authenticate(r.Request); err == nil {
		r.User, session = user, credential.(*Session)
	}
	found, err := h.Logout(w, r.Request)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	if found && session != nil {
		h.observeRequest(r, auth.EventLogout, session.UserID(), session.ID())
	}
	h.done(w, r)
}

func (h handler) logoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	h.observeRequest(r, auth.EventLogout, r.User.UserID(), "")
	h.clearCookie(w.Header(), h.cookie)
	h.done(w, r)
}

// done answers a form with a redirect and a program with 204.
func (h handler) done(w http.ResponseWriter, r backend.Request) {
	if form := readForm(r.Request); !form.json {
		redirect(w, form.next(""))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) list(w http.ResponseWriter, r backend.Request) {
	sessions, err := h.List(r.Context(), r.User.UserID())
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	current, _ := r.Credential.(*Session)
	answer := make([]map[string]any, len(sessions))
	for i, session := range sessions {
		answer[i] = describe(session)
		answer[i]["last_used"] = instant(session.LastUsed())
		answer[i]["ip"] = session.IP()
		answer[i]["user_agent"] = session.UserAgent()
		answer[i]["current"] = current != nil && current.ID() == session.ID()
	}
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) revoke(w http.ResponseWriter, r backend.Request) {
	id := r.PathValue("id")
	switch found, err := h.Revoke(r.Context(), r.User.UserID(), id); {
	case err != nil:
		h.guard.Refuse(w, r.Request, err)
	case !found:
		backend.NotFound(h.guard, w, r.Request)
	default:
		if current, ok := r.Credential.(*Session); ok && current.ID() == id {
			h.clearCookie(w.Header(), h.cookie)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h handler) revokeOthers(w http.ResponseWriter, r backend.Request) {
	if err := h.RevokeOthers(w, r.Request, r.User); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) observeRequest(r backend.Request, kind auth.EventKind, userID, id string) {
	if h.config.Observer != nil {
		h.config.Observer.Observe(r.Context(), auth.Event{Kind: kind, Time: time.Now(), Backend: h.config.Name,
			UserID: userID, CredentialID: id, ClientIP: h.guard.Proxies().ClientIP(r.Request)})
	}
}

// describe returns the members that a session has in every answer.
func describe(s *Session) map[string]any {
	return map[string]any{"id": s.ID(), "created": instant(s.Created()), "expiry": instant(s.Expiry()),
		"ends": instant(s.ExpiresAt()), "remembered": s.Remembered()}
}

func instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }

// maxBody is the longest request body that is read, in bytes.
const maxBody = 8 << 10

// form is what a body says besides the credentials, which are the login
// backend's. Nothing in it is an error.
type form struct {
	wanted   string // the next; empty is none
	remember bool
	json     bool // the answer is for a program
}

func readForm(r *http.Request) (f form) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	f.json = mediaType == "application/json" || prefersJSON(r)
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(io.LimitReader(r.Body, maxBody))
	}
	switch mediaType {
	case "application/json":
		var members struct{ Next, Remember any }
		if json.Unmarshal(body, &members) == nil {
			f.wanted, _ = members.Next.(string)
			f.remember, _ = members.Remember.(bool)
		}
	case "application/x-www-form-urlencoded":
		if fields, err := url.ParseQuery(string(body)); err == nil {
			f.wanted = fields.Get("next")
			switch fields.Get("remember") {
			case "on", "1", "true", "yes":
				f.remember = true
			}
		}
	}
	if f.wanted == "" {
		f.wanted = r.URL.Query().Get("next")
	}
	return f
}

// prefersJSON reports a client that accepts JSON by name, and a page less.
func prefersJSON(r *http.Request) bool {
	if WantsPage(r) {
		return false
	}
	_, quality := accepted(r)
	return quality > 0
}

// next returns where the browser goes.
func (f form) next(otherwise string) string {
	if path, ok := backend.LocalPath(cmp.Or(f.wanted, otherwise)); ok {
		return path
	}
	return "/"
}

func redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}
