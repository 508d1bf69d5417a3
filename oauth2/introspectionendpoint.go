package oauth2

import (
	"context"
	"time"

	"github.com/gatewarden/auth/internal/fetch"
)

// locatedFor is how long the endpoint of the metadata is asked before it is looked
// for again.
const locatedFor = time.Hour

// where returns the endpoint.
func (i *Introspection) where(ctx context.Context) (string, error) {
	if i.config.Endpoint != "" {
		return i.config.Endpoint, nil
	}
	e := &i.endpoint
	e.Lock()
	known, until := e.url, e.until
	e.Unlock()
	if known != "" && time.Now().Before(until) {
		return known, nil
	}
	metadata, err := fetch.Discover(ctx, i.client, i.config.Issuer)
	if err != nil {
		return "", err
	}
	found, err := metadata.URL("introspection_endpoint")
	if err != nil {
		return "", err
	}
	e.Lock()
	e.url, e.until = found, time.Now().Add(locatedFor)
	e.Unlock()
	return found, nil
}

func (i *Introspection) forget(endpoint string) {
	e := &i.endpoint
	e.Lock()
	defer e.Unlock()
	if e.url == endpoint {
		e.url = ""
	}
}
