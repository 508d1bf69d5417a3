package backend

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/loglimit"
)

// Failed reports a request that was refused, or could not be answered, by a handler that does not go through
// [auth.Guard.Refuse]. It tells the Observer, and writes the same event to logger as [auth.SlogObserver] does, once.
// If logger is nil, slog.Default is used. It sets Time, Backend, ClientIP, Method and Route. An empty Kind is
// auth.EventFailure. Status should be that of the answer, and Err must have the cause.
//
// Of Events that [NewEvents] made, at most 100 lines at once and then 10 in a second are
// written for one status, so that a stranger cannot fill a disk. The next line has
// left_out, which is how many were not.
//
// A request without credentials, which is the bare auth.ErrNoCredentials, is no failure and is not reported.
func (e Events) Failed(r *http.Request, logger *slog.Logger, event auth.Event) {
	if event.Err == auth.ErrNoCredentials {
		return
	}
	if event.Kind == "" {
		event.Kind = auth.EventFailure
	}
	event.Method, event.Route = r.Method, r.Pattern
	e.SendOf(r, event)
	log := auth.SlogObserver(logger)
	if e.Observer == log || e.Observer == auth.SlogObserver(slog.Default()) && (logger == nil ||
		logger == slog.Default()) ||
		e.Observer == auth.SlogObserver(nil) && logger == slog.Default() {
		return // which has written the line
	}
	ok, leftOut := e.lines.Allow(loglimit.Key{Backend: string(event.Kind), Status: event.Status}, time.Now())
	if leftOut > 0 {
		log = auth.SlogObserver(cmp.Or(logger, slog.Default()).With("left_out", leftOut))
	}
	if ok {
		Events{Observer: log, Backend: e.Backend}.SendOf(r, event)
	}
}
