package oauth2

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/fetch"
)

const (
	// locatedFor is how long the address in the metadata is used before the metadata is read again.
	locatedFor = time.Hour
	// locateCoolDown is the least time between two readings of the metadata, whatever came of the first.
	locateCoolDown = 5 * time.Second
)

// endpoint is the address of the introspection endpoint. It reads the metadata of the issuer (RFC 8414 §2) once for
// all requests that need it at the same time. An address that is known is used until the metadata names another
// one, also while the metadata cannot be read.
type endpoint struct {
	fixed  string // of the configuration, or ""
	issuer string
	client *http.Client

	mu      sync.Mutex
	url     string
	err     error // of the last reading
	fresh   time.Time
	next    time.Time     // no reading before this instant
	running chan struct{} // closed at the end of the reading that is under way, if there is one
}

// resolve returns the address.
func (e *endpoint) resolve(ctx context.Context) (string, error) {
	if e.fixed != "" {
		return e.fixed, nil
	}
	for {
		e.mu.Lock()
		now, running := time.Now(), e.running
		url, err, known := e.url, e.err, e.url != ""
		reads := running == nil && !now.Before(e.next) && !(known && now.Before(e.fresh))
		if reads {
			e.running = make(chan struct{})
		}
		e.mu.Unlock()
		switch {
		case reads:
			e.read(ctx)
			continue
		case known:
			return url, nil
		case running == nil:
			return "", err
		}
		select {
		case <-running:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// read reads the metadata. The caller has set running.
func (e *endpoint) read(ctx context.Context) {
	var url string
	metadata, err := fetch.Discover(ctx, e.client, e.issuer)
	if err == nil {
		url, err = metadata.URL("introspection_endpoint")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.err, e.next = err, now.Add(locateCoolDown)
	if err == nil {
		e.url, e.fresh = url, now.Add(locatedFor)
	}
	close(e.running)
	e.running = nil
}

// markStale notes that an address did not answer. The server may have moved, so the metadata is read again soon.
func (e *endpoint) markStale(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.url == url {
		e.fresh = time.Time{}
	}
}
