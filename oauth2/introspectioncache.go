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

// Recaller implements [Recaller].
func (i *Introspection) Recaller(source Source) Recall {
	if source != Source(i) {
		return nil
	}
	return i.recallOrAsk
}

// recallOrAsk is a [Recall]. It asks the server about a token that is not remembered, so that
// the token is hashed once. Only a token with the characters of one reaches Owns and the server.
func (i *Introspection) recallOrAsk(ctx context.Context, token string, now time.Time) (*Token, error) {
	checked := i.config.Owns != nil
	if checked && !isToken(token) {
		return nil, nil
	}
	key, found, err := i.recall(token, now)
	switch {
	case err != nil:
		return nil, err
	case found.Token != nil && found.plain:
		return found.Token, nil
	case found.Token != nil || !checked && !isToken(token):
		return nil, nil
	}
	return i.wait(ctx, key, token)
}

// recall returns the key of a token, and what is remembered of it.
func (i *Introspection) recall(token string, now time.Time) (key tokencache.Key, found answered, err error) {
	switch {
	case token == "" || len(token) > i.config.MaxLength:
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
	key, found, err := i.recall(token, time.Now())
	if found.Token != nil || err != nil {
		return found.Token, err
	}
	return i.wait(ctx, key, token)
}

// flight is a question that several wait for.
type flight struct {
	began time.Time
	done  chan struct{}
	token *Token
	err   error
}

// wait asks about a token, and waits for the answer.
func (i *Introspection) wait(ctx context.Context, key tokencache.Key, token string) (*Token, error) {
	f, err := i.ask(ctx, key, token)
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

// ask starts a question, or joins the one that is under way, if that began less than TTL ago: the token may have been
// revoked since then (RFC 7662 §4). It goes on if the request that asked first goes away, because others may wait.
func (i *Introspection) ask(ctx context.Context, key tokencache.Key, token string) (*flight, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if f := i.flights[key]; f != nil && now.Sub(f.began) < i.config.TTL {
		return f, nil
	}
	if f := i.landed(key, now); f != nil {
		return f, nil
	}
	if i.asking >= i.config.Concurrent {
		return nil, fmt.Errorf("%d questions are under way already, which is IntrospectionConfig.Concurrent",
			i.config.Concurrent)
	}
	f := &flight{began: now, done: make(chan struct{})}
	i.flights[key] = f
	i.asking++
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.config.Timeout)
		defer cancel()
		f.token, f.err = i.answer(ctx, key, token, f.began)
		i.mu.Lock()
		i.asking--
		if i.flights[key] == f {
			delete(i.flights, key)
		}
		i.mu.Unlock()
		close(f.done)
	}()
	return f, nil
}

// landed returns a question that was answered between the look at what is remembered and now, or nil.
func (i *Introspection) landed(key tokencache.Key, now time.Time) *flight {
	f := &flight{done: make(chan struct{})}
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

// answer asks, and remembers what the server said. What it could not say is not
// remembered. It is remembered from began on, because a token that was revoked while the
// server answered is good for no longer than any other.
func (i *Introspection) answer(ctx context.Context, key tokencache.Key, token string, began time.Time) (*Token, error) {
	text, err := i.request(ctx, token)
	asked := time.Now()
	var found *Token
	if err == nil {
		var odd []string
		found, odd, err = i.rules.read(text, asked)
		i.logOdd(ctx, odd)
		if auth.KindOf(err) == auth.ErrInvalid {
			i.bad.Put(key, err, began.Add(i.config.NegativeTTL), asked)
			return nil, err
		}
	}
	if err != nil {
		return nil, i.outage(ctx, err, asked)
	}
	i.good.Put(key, answered{found, isToken(token)}, backend.Earlier(found.Expiry, began.Add(i.config.TTL)), asked)
	return found, nil
}

// outage returns the answer to a question that the server did not decide. It also logs why, within the bound of such
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

// logOdd writes which members of an answer were read as absent because they are of another type,
// once for each member: the server will write the next answer in the same way.
func (i *Introspection) logOdd(ctx context.Context, names []string) {
	for _, name := range names {
		if i.odd.First(name) {
			i.logger().WarnContext(ctx, "oauth2: the server writes a member of introspection answers in another type "+
				"than RFC 7662 §2.2 has, so it is read as absent", "member", name)
		}
	}
}
