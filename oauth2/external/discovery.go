package external

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/jwt"
)

// discovery finds the endpoints of an issuer by its metadata (OpenID Connect Discovery
// §4), and remembers them.
type discovery struct {
	environment
	issuer string // as the metadata names it
	from   string // where it is, "" is where the specification says

	turn  chan struct{} // holds one value while somebody asks
	mu    sync.Mutex
	found *endpoints
	asked time.Time // when it was found
	next  time.Time // not to be asked before
	err   error
}

const (
	metadataFresh = time.Hour
	metadataStale = 24 * time.Hour // for how long it serves while the provider is down
	metadataPause = 5 * time.Second
)

func (d *discovery) cached(now time.Time) (*endpoints, error, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.found != nil && now.Sub(d.asked) < metadataFresh:
		return d.found, nil, true
	case !now.Before(d.next):
		return nil, nil, false
	case d.found != nil && now.Sub(d.asked) < metadataStale:
		return d.found, nil, true
	}
	return nil, d.err, true
}

// endpoints returns them. The only errors are that the provider is down or says what it
// should not, and that ctx ended.
func (d *discovery) endpoints(ctx context.Context, now time.Time) (*endpoints, error) {
	if e, err, ok := d.cached(now); ok {
		return e, err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Others may wait for the answer, too, so it comes even if ctx ends.
	var e *endpoints
	var err error
	done := make(chan struct{})
	go func() {
		defer func() { close(done); <-d.turn }()
		e, err = d.refetch(context.WithoutCancel(ctx), now)
	}()
	select {
	case <-done:
		return e, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refetch asks for the endpoints, unless another request has just done so.
func (d *discovery) refetch(ctx context.Context, now time.Time) (*endpoints, error) {
	if e, err, ok := d.cached(now); ok {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	e, err := d.fetchEndpoints(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	if err == nil {
		d.found, d.asked = e, now
		return e, nil
	}
	d.next = now.Add(metadataPause)
	d.logger.WarnContext(ctx, "oauth2/external: metadata could not be fetched", "issuer", d.issuer, "error", err)
	if d.found != nil && now.Sub(d.asked) < metadataStale {
		return d.found, nil
	}
	return nil, err
}

func (d *discovery) fetchEndpoints(ctx context.Context) (*endpoints, error) {
	m, err := d.metadata(ctx)
	if err != nil {
		return nil, err
	}
	e := &endpoints{issuerInAnswers: m.Flag("authorization_response_iss_parameter_supported")}
	for name, to := range map[string]*string{
		"authorization_endpoint": &e.authorize, "token_endpoint": &e.token, "jwks_uri": &e.keys,
		"userinfo_endpoint": &e.userInfo, "revocation_endpoint": &e.revoke, "end_session_endpoint": &e.end,
	} {
		if required := to == &e.authorize || to == &e.token || to == &e.keys; !required {
			*to = m.OptionalURL(name)
			continue
		}
		if *to, err = m.URL(name); err != nil {
			return nil, err
		}
	}
	if methods := m.List("token_endpoint_auth_methods_supported"); len(methods) > 0 {
		e.post = !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post")
	}
	if ignored := m.Ignored(); len(ignored) > 0 { // once an hour, as metadata is fresh so long
		d.logger.WarnContext(ctx, "oauth2/external: members of the metadata are ignored", "issuer", d.issuer,
			"ignored", ignored)
	}
	return e, nil
}

func (d *discovery) metadata(ctx context.Context) (*fetch.Metadata, error) {
	if d.from == "" {
		return fetch.Discover(ctx, d.client, d.issuer)
	}
	return fetch.MetadataAt(ctx, d.client, d.from, d.issuer)
}

// metadataKeys are the keys that the metadata of a provider names (jwks_uri).
type metadataKeys struct {
	found  *discovery
	config jwt.RemoteKeysConfig

	mu   sync.Mutex
	keys *jwt.RemoteKeys
	at   string // where they are
}

var (
	_ jwt.KeySource = (*metadataKeys)(nil)
	_ jwt.Refetcher = (*metadataKeys)(nil)
)

// Current implements [jwt.KeySource].
func (k *metadataKeys) Current(ctx context.Context, now time.Time) (*jwt.KeySet, error) {
	keys, err := k.source(ctx, now)
	if err != nil {
		return nil, err
	}
	return keys.Current(ctx, now)
}

// Renew implements [jwt.KeySource].
func (k *metadataKeys) Renew(ctx context.Context, id string, now time.Time) (*jwt.KeySet, error) {
	keys, err := k.source(ctx, now)
	if err != nil {
		return nil, err
	}
	return keys.Renew(ctx, id, now)
}

// Refetch implements [jwt.Refetcher].
func (k *metadataKeys) Refetch(ctx context.Context, known *jwt.KeySet, now time.Time) (*jwt.KeySet, error) {
	keys, err := k.source(ctx, now)
	if err != nil {
		return nil, err
	}
	return keys.Refetch(ctx, known, now)
}

func (k *metadataKeys) source(ctx context.Context, now time.Time) (*jwt.RemoteKeys, error) {
	e, err := k.found.endpoints(ctx, now)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || k.at != e.keys {
		config := k.config
		config.URL = e.keys
		keys, err := jwt.NewRemoteKeys(config)
		if err != nil {
			return nil, err
		}
		k.keys, k.at = keys, e.keys
	}
	return k.keys, nil
}
