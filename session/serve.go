package session

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// errFromSession: a session that started another would never end.
var errFromSession error = &auth.Error{Kind: auth.ErrInsufficient,
	Detail: "A session cannot be used to start another one.",
	Cause:  errors.New("session: the login was proved by a session (see auth.Config.Login)")}

func (h handler) serveLogin(w http.ResponseWriter, r backend.Request) {
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
	h.sendEvent(r, auth.EventLogin, session.UserID(), session.ID())
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

func (h handler) serveLogout(w http.ResponseWriter, r backend.Request) {
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
		h.sendEvent(r, auth.EventLogout, session.UserID(), session.ID())
	}
	h.done(w, r)
}

func (h handler) serveLogoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	h.sendEvent(r, auth.EventLogout, r.User.UserID(), "")
	h.cookie.Clear(w.Header())
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

func (h handler) serveList(w http.ResponseWriter, r backend.Request) {
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
		answer[i]["last_used"] = formatTime(session.LastUsed())
		answer[i]["ip"] = session.IP()
		answer[i]["user_agent"] = session.UserAgent()
		answer[i]["current"] = current != nil && current.ID() == session.ID()
	}
	backend.SetNextLink(w.Header(), r.Request, next)
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) serveRevoke(w http.ResponseWriter, r backend.Request) {
	id := r.PathValue("id")
	switch found, err := h.Revoke(r.Context(), r.User.UserID(), id); {
	case err != nil:
		h.guard.Refuse(w, r.Request, err)
	case !found:
		backend.NotFound(h.guard, w, r.Request)
	default:
		if current, ok := auth.As[*Session](r.Credential); ok && current.ID() == id {
			h.cookie.Clear(w.Header())
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h handler) serveRevokeOthers(w http.ResponseWriter, r backend.Request) {
	if err := h.RevokeOthers(w, r.Request, r.User); err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// sendEvent tells the Observer of what a user did.
func (h handler) sendEvent(r backend.Request, kind auth.EventKind, userID, id string) {
	h.events.SendOf(r.Request, auth.Event{Kind: kind, UserID: userID, CredentialID: id})
}

// describe returns the members that a session has in every answer.
func describe(s *Session) map[string]any {
	return map[string]any{"id": s.ID(), "created": formatTime(s.Created()), "expiry": formatTime(s.IdleExpiresAt()),
		"ends": formatTime(s.ExpiresAt()), "remembered": s.Remembered()}
}

// formatTime returns a time as JSON has it.
func formatTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }
