package oauth2

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/loglimit"
	"github.com/gatewarden/auth/internal/tokencache"
)

// Lookup implements [TokenLookup].
func (i *Introspection) Lookup(source Source) LookupFunc {
	if source != Source(i) {
		return nil
	}
	return i.lookUp
}

// lookUp is a [LookupFunc]. It sends a request to the server for a token that is not remembered, so that
// the token is hashed once. Only a token with the characters of one reaches Owns and the server.
func (i *Introspection) lookUp(ctx context.Context, token string, now time.Time) (*Token, error) {
	checked := i.config.Owns != nil
	if checked && !isToken(token) {
		return nil, nil
	}
	key, found, err := i.cached(token, now)
	switch {
	case err != nil:
		return nil, err
	case found.Token != nil && found.validSyntax:
		return found.Token, nil
	case found.Token != nil || !checked && !isToken(token):
		return nil, nil
	}
	return i.inspect(ctx, key, token)
}

// cached returns the key of a token in the cache, and the response that is remembered for it.
func (i *Introspection) cached(token string, now time.Time) (key tokencache.Key, found activeToken, err error) {
	switch {
	case token == "" || len(token) > i.config.Limits.MaxLength:
		return key, found, errNoToken
	case i.config.Owns != nil && !i.config.Owns(token):
		return key, found, errNotOwned
	}
	key = i.good.Key(token)
	if found, ok := i.good.Get(key, now); ok {
		return key, found, nil
	}
	why, _ := i.bad.Get(key, now)
	return key, found, why
}

// Inspect implements [Source].
func (i *Introspection) Inspect(ctx context.Context, token string) (*Token, error) {
	key, found, err := i.cached(token, time.Now())
	if found.Token != nil || err != nil {
		return found.Token, err
	}
	return i.inspect(ctx, key, token)
}

// introspectionRequest is a request to the server. Several requests of clients may wait for it.
type introspectionRequest struct {
	began time.Time
	done  chan struct{}
	token *Token
	err   error
}

// inspect sends a request for a token, or joins the one that is under way, and waits for the response.
func (i *Introspection) inspect(ctx context.Context, key tokencache.Key, token string) (*Token, error) {
	f, err := i.startRequest(ctx, key, token)
	if err != nil {
		return nil, i.outage(ctx, err, time.Now())
	}
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, backend.Outage(ctx.Err())
	}
}

// startRequest starts a request, or joins the one that is under way, if that began less than Cache.TTL ago: after that
// the token may have been revoked (RFC 7662 §4). It goes on if the client that came first goes away, because others may
// wait.
func (i *Introspection) startRequest(ctx context.Context, key tokencache.Key, token string) (*introspectionRequest,
	error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if f := i.requests[key]; f != nil && now.Sub(f.began) < i.config.Cache.TTL {
		return f, nil
	}
	if f := i.cachedRequest(key, now); f != nil {
		return f, nil
	}
	if i.running >= i.config.Limits.Concurrent {
		return nil, fmt.Errorf("%d questions are under way already, which is IntrospectionConfig.Limits.Concurrent",
			i.config.Limits.Concurrent)
	}
	f := &introspectionRequest{began: now, done: make(chan struct{})}
	i.requests[key] = f
	i.running++
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.config.HTTP.Timeout)
		defer cancel()
		f.token, f.err = i.request(ctx, key, token, f.began)
		i.mu.Lock()
		i.running--
		if i.requests[key] == f {
			delete(i.requests, key)
		}
		i.mu.Unlock()
		close(f.done)
	}()
	return f, nil
}

// cachedRequest returns a request that ended between the look at the cache and now, or nil.
func (i *Introspection) cachedRequest(key tokencache.Key, now time.Time) *introspectionRequest {
	f := &introspectionRequest{done: make(chan struct{})}
	if found, ok := i.good.Get(key, now); ok {
		f.token = found.Token
	} else if why, ok := i.bad.Get(key, now); ok {
		f.err = why
	} else {
		return nil
	}
	close(f.done)
	return f
}

// request sends a request, and remembers what the server said. An outage is not remembered. The time counts from began,
// because a token that was revoked while the server answered must not stay valid for longer than any other token.
func (i *Introspection) request(ctx context.Context, key tokencache.Key, token string, began time.Time) (
	*Token, error) {
	text, err := i.post(ctx, token)
	asked := time.Now()
	var found *Token
	if err == nil {
		var ignored []string
		found, ignored, err = i.rules.read(text, asked)
		i.logIgnored(ctx, ignored)
		if auth.KindOf(err) == auth.ErrInvalid {
			i.bad.Put(key, err, began.Add(i.config.Cache.NegativeTTL), asked)
			return nil, err
		}
	}
	if err != nil {
		return nil, i.outage(ctx, err, asked)
	}
	until := backend.Earlier(found.Expiry, began.Add(i.config.Cache.TTL))
	i.good.Put(key, activeToken{found, isToken(token)}, until, asked)
	return found, nil
}

// outage returns the error for a request that the server did not decide. It also logs why, within the limit of such
// lines.
func (i *Introspection) outage(ctx context.Context, err error, now time.Time) error {
	err = fmt.Errorf("oauth2: introspection: %w", err)
	ok, leftOut := i.lines.Allow(loglimit.Key{Backend: "introspection", Status: http.StatusServiceUnavailable}, now)
	if !ok {
		return backend.Outage(err)
	}
	log := i.logger()
	if leftOut > 0 {
		log = log.With("left_out", leftOut)
	}
	log.ErrorContext(ctx, "oauth2: cannot ask about a token", "error", err)
	return backend.Outage(err)
}

func (i *Introspection) logger() *slog.Logger { return cmp.Or(i.config.Logger, slog.Default()) }

// logIgnored writes which members of an answer were read as absent because they are of another type,
// once for each member: the server will write the next answer in the same way.
func (i *Introspection) logIgnored(ctx context.Context, names []string) {
	for _, name := range names {
		if i.ignored.First(name) {
			i.logger().WarnContext(ctx, "oauth2: the server writes a member of introspection answers in another type "+
				"than RFC 7662 §2.2 has, so it is read as absent", "member", name)
		}
	}
}
