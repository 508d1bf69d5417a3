package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// Events tells an observer what happens in a backend. Without an Observer it
// tells no one.
type Events struct {
	Observer auth.Observer // may be nil
	Backend  string        // written into each event
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
