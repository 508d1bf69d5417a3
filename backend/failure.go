package backend

import (
	"log/slog"
	"net/http"

	"github.com/gatewarden/auth"
)

// Failed reports a request that was refused, or could not be answered, by a handler that does not go through
// [auth.Guard.Refuse]. It tells the Observer, and writes the same event to logger as [auth.SlogObserver] does, once.
// If logger is nil, slog.Default is used. It sets Time, Backend, ClientIP, Method and Route. An empty Kind is
// auth.EventFailure. Status should be that of the answer, and Err must have the cause.
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
	if e.Observer == log || e.Observer == auth.SlogObserver(slog.Default()) && (logger == nil || logger == slog.Default()) ||
		e.Observer == auth.SlogObserver(nil) && logger == slog.Default() {
		return // which has written the line
	}
	Events{Observer: log, Backend: e.Backend}.SendOf(r, event)
}
