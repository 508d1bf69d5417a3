package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
	// [Sessions.RedirectToLogin] found the browser, or else to "/". A "next"
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
	// "user_agent", "current"}, the session of the request first and then the
	// newest. It has 100 of them, or as many as the query's "limit" says, up to
	// 100. A Link header with rel="next" (RFC 8288) leads to the next ones. It
	// also ends all but the one of the request, which
	// gets a new identifier: DELETE, 204.
	Sessions http.Handler
	// Session ends the session whose identifier is the path value "id":
	// DELETE, 204, or 404 if the user has no session with it.
	Session http.Handler
}

// Handlers returns the handlers, or an error if no backend of guard may log
// somebody in, or does not ask s. See auth.Config.Login. Login starts sessions for what these
// backends prove, except for a session of this very Sessions, which would never
// end. The Render, Proxies, CrossOrigin and Observer of guard serve all handlers.
//
// The answers raise no password dialog of the browser: a 401 has the challenge of
// the cookie instead of Basic.
func (s *Sessions) Handlers(guard *auth.Guard) (*Handlers, error) {
	login, err := guard.Login(s)
	if err != nil {
		return nil, fmt.Errorf("session: Handlers: %w", err)
	}
	if !guard.Has(s) {
		return nil, fmt.Errorf("session: Handlers: %q is not among Config.Backends of the guard, so what it issues "+
			"would be refused", s.config.Name)
	}
	own, err := guard.WithoutDialog().With(s)
	if err != nil {
		return nil, err
	}
	login = login.WithoutDialog(s.Challenges()...)
	atLogin, h := handler{s, login}, handler{s, own}
	full := own.Require(auth.FullAccess)
	return &Handlers{
		Login:     backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": atLogin.login}),
		Logout:    backend.NewEndpoint(own, backend.Unprotected, backend.Methods{"POST": h.logout}),
		LogoutAll: backend.NewEndpoint(own, full, backend.Methods{"POST": h.logoutAll}),
		Sessions:  backend.NewEndpoint(own, full, backend.Methods{"GET": h.list, "DELETE": h.revokeOthers}),
		Session:   backend.NewEndpoint(own, full, backend.Methods{"DELETE": h.revoke}),
	}, nil
}

func (h *Handlers) routes() backend.Routes {
	return backend.Routes{
		{Path: "/login", Handler: h.Login},
		{Path: "/logout", Handler: h.Logout},
		{Path: "/logoutall", Handler: h.LogoutAll},
		{Path: "/sessions", Handler: h.Sessions},
		{Path: "/sessions/{id}", Handler: h.Session},
	}
}

// Register mounts the handlers below prefix, such as "/session", at login, logout,
// logoutall, sessions and sessions/{id}. A pattern with a method, such as "GET
// /session/login" for the page with the form, goes beside them. It panics if no
// request can match below prefix. See [backend.Routes].
func (h *Handlers) Register(mux auth.Mux, prefix string) { h.routes().Register(mux, prefix) }

// Open opens what Register mounted, for [auth.Guard.Protect]: the handlers
// authenticate their requests themselves. The page with the form needs an
// [auth.Open] of its own.
func (h *Handlers) Open(prefix string) auth.RouteOption { return h.routes().Open(prefix) }

// handler is what the handlers share.
type handler struct {
	*Sessions
	guard *auth.Guard // of the endpoint, which answers refusals
}

// errFromSession: a session that started another would never end.
var errFromSession error = &auth.Error{Kind: auth.ErrInsufficient,
	Detail: "A session cannot be used to start another one.",
	Cause:  errors.New("session: the login was proved by a session (see auth.Config.Login)")}

func (h handler) login(w http.ResponseWriter, r backend.Request) {
	if _, ok := auth.As[*Session](r.Credential); ok {
		h.guard.Refuse(w, r.Request, errFromSession)
		return
	}
	terms, err := backend.TermsOf(r.Credential, false, time.Now())
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	form := readForm(r.Request)
	next := form.next(h.ReturnPath(w, r.Request))
	options := Options{Remember: form.remember, AuthInfo: terms.AuthInfo, ReturnTo: next}
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
	session, err := h.signIn(w, r, options)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	h.tell(r, auth.EventLogin, session.UserID(), session.ID())
	h.forgetReturn(w, r.Request)
	if !form.json {
		backend.Redirect(w, next)
		return
	}
	answer := describe(session)
	answer["next"] = next
	backend.WriteJSON(w, http.StatusOK, answer)
}

// signIn starts the session and finishes the login. If that fails, there is no session, and the browser gets no cookie.
func (h handler) signIn(w http.ResponseWriter, r backend.Request, options Options) (*Session, error) {
	before := w.Header().Clone()
	session, err := h.SignIn(w, r.Request, r.User, options)
	if err != nil {
		return nil, err
	}
	err = backend.FinishOrRevoke(r.Context(), r.Credential, backend.Issued{Backend: h.Backend(),
		UserID:       session.UserID(),
		CredentialID: session.ID(), Logger: h.config.Logger, Revoke: func(ctx context.Context) error {
			_, err := h.Revoke(ctx, session.UserID(), session.ID())
			return err
		}})
	if err != nil {
		clear(w.Header())
		maps.Copy(w.Header(), before)
		return nil, err
	}
	return session, nil
}

func (h handler) logout(w http.ResponseWriter, r backend.Request) {
	var session *Session // for the event
	if user, credential, err := h.Authenticate(r.Request); err == nil {
		r.User = user
		session, _ = auth.As[*Session](credential)
	}
	found, err := h.Logout(w, r.Request)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	if found && session != nil {
		h.tell(r, auth.EventLogout, session.UserID(), session.ID())
	}
	h.done(w, r)
}

func (h handler) logoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	h.tell(r, auth.EventLogout, r.User.UserID(), "")
	h.jar.Clear(w.Header())
	h.done(w, r)
}

// done answers a form with a redirect and a program with 204.
func (h handler) done(w http.ResponseWriter, r backend.Request) {
	if form := readForm(r.Request); !form.json {
		backend.Redirect(w, form.next(""))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) list(w http.ResponseWriter, r backend.Request) {
	page, err := backend.ParsePage(r.Request)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	sessions, next, err := h.List(r.Context(), r.User.UserID(), page)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	current, _ := auth.As[*Session](r.Credential)
	if current != nil {
		sessions = backend.PutCurrentFirst(page, sessions, current,
			func(s *Session) bool { return s.ID() == current.ID() })
	}
	answer := make([]map[string]any, len(sessions))
	for i, session := range sessions {
		answer[i] = describe(session)
		answer[i]["last_used"] = instant(session.LastUsed())
		answer[i]["ip"] = session.IP()
		answer[i]["user_agent"] = session.UserAgent()
		answer[i]["current"] = current != nil && current.ID() == session.ID()
	}
	backend.SetNextLink(w.Header(), r.Request, next)
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
		if current, ok := auth.As[*Session](r.Credential); ok && current.ID() == id {
			h.jar.Clear(w.Header())
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

func (h handler) tell(r backend.Request, kind auth.EventKind, userID, id string) {
	h.events.SendOf(r.Request, auth.Event{Kind: kind, UserID: userID, CredentialID: id})
}

// describe returns the members that a session has in every answer.
func describe(s *Session) map[string]any {
	return map[string]any{"id": s.ID(), "created": instant(s.Created()), "expiry": instant(s.Expiry()),
		"ends": instant(s.ExpiresAt()), "remembered": s.Remembered()}
}

func instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }

// maxBody is the longest request body that is read, in bytes.
const maxBody = 8 << 10

// form is what a body says besides the credentials, which the login backend has
// judged. Nothing in it is an error.
type form struct {
	wanted   string // the next, may be ""
	remember bool
	json     bool // the answer is for a program
}

func readForm(r *http.Request) (f form) {
	body, _ := backend.ReadBody(r, maxBody)
	f.json = body.Type == backend.TypeJSON || prefersJSON(r)
	switch body.Type {
	case backend.TypeJSON:
		members, _ := body.Members()
		f.wanted, _ = backend.Text(members["next"])
		f.remember = string(members["remember"]) == "true"
	case backend.TypeForm, backend.TypeMultipart:
		if fields, err := body.Form(); err == nil {
			f.wanted = fields.Get("next")
			f.remember = slices.Contains([]string{"on", "1", "true", "yes"}, fields.Get("remember"))
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
