package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/loglimit"
)

// Events tells an observer what happens in a backend. If Observer is nil, it tells of
// nothing. [NewEvents] returns one that bounds the lines of [Events.Failed].
type Events struct {
	Observer auth.Observer // may be nil
	Backend  string        // written into each event

	lines *loglimit.Limit // nil for no bound
}

// NewEvents returns Events for a backend with handlers that call [Events.Failed]. It is safe
// for concurrent use, and copies share its bound.
func NewEvents(observer auth.Observer, backend string) Events {
	return Events{Observer: observer, Backend: backend, lines: new(loglimit.Limit)}
}

// Send tells of an event that belongs to no request. It sets Time and Backend.
func (e Events) Send(ctx context.Context, event auth.Event) {
	if e.Observer == nil {
		return
	}
	event.Time, event.Backend = time.Now(), e.Backend
	e.Observer.Observe(ctx, event)
}

// SendOf is Send for an event of a request, with the address of its client.
func (e Events) SendOf(r *http.Request, event auth.Event) {
	if e.Observer == nil {
		return
	}
	event.ClientIP = auth.ClientIP(r)
	e.Send(r.Context(), event)
}
