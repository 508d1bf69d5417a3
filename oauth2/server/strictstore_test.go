package server_test

import (
	"context"
	"time"

	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/oauth2/server"
)

// strict is a store of the strictest database: it answers a text that it cannot keep with an error.
type strict struct{ server.Store }

func (s strict) AddClient(ctx context.Context, c *server.Client, limit int) (server.Added, error) {
	if err := texttest.CheckStorable(c); err != nil {
		return server.Added{}, err
	}
	return s.Store.AddClient(ctx, c, limit)
}

func (s strict) Client(ctx context.Context, id string) (*server.Client, error) {
	if err := texttest.CheckStorable(id); err != nil {
		return nil, err
	}
	return s.Store.Client(ctx, id)
}

func (s strict) Clients(ctx context.Context, owner, after string, limit int) ([]*server.Client, error) {
	if err := texttest.CheckStorable(owner, after); err != nil {
		return nil, err
	}
	return s.Store.Clients(ctx, owner, after, limit)
}

func (s strict) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	if err := texttest.CheckStorable(id); err != nil {
		return false, nil, err
	}
	return s.Store.RemoveClient(ctx, id, now)
}

func (s strict) AddInteraction(ctx context.Context, i *server.Interaction, limit int) error {
	if err := texttest.CheckStorable(i); err != nil {
		return err
	}
	return s.Store.AddInteraction(ctx, i, limit)
}

func (s strict) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	if err := texttest.CheckStorable(userID, clientID); err != nil {
		return nil, err
	}
	return s.Store.Consent(ctx, userID, clientID)
}

func (s strict) Consents(ctx context.Context, userID, after string, limit int) ([]*server.Consent, error) {
	if err := texttest.CheckStorable(userID, after); err != nil {
		return nil, err
	}
	return s.Store.Consents(ctx, userID, after, limit)
}

func (s strict) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	if err := texttest.CheckStorable(userID, clientID); err != nil {
		return nil, err
	}
	return s.Store.Withdraw(ctx, userID, clientID, now)
}

func (s strict) Approve(ctx context.Context, a server.Approval) (server.Added, error) {
	if err := texttest.CheckStorable(a); err != nil {
		return server.Added{}, err
	}
	return s.Store.Approve(ctx, a)
}

func (s strict) Start(ctx context.Context, g *server.Grant, t server.Tokens, limit int,
	evict bool) (server.Added, error) {
	if err := texttest.CheckStorable(g, t); err != nil {
		return server.Added{}, err
	}
	return s.Store.Start(ctx, g, t, limit, evict)
}

func (s strict) Grant(ctx context.Context, id string) (*server.Grant, error) {
	if err := texttest.CheckStorable(id); err != nil {
		return nil, err
	}
	return s.Store.Grant(ctx, id)
}

func (s strict) Grants(ctx context.Context, userID, after string, limit int, now time.Time) ([]*server.Grant, error) {
	if err := texttest.CheckStorable(userID, after); err != nil {
		return nil, err
	}
	return s.Store.Grants(ctx, userID, after, limit, now)
}

func (s strict) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	if err := texttest.CheckStorable(sessionID); err != nil {
		return nil, err
	}
	return s.Store.EndSession(ctx, sessionID, now)
}

func (s strict) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := texttest.CheckStorable(userID, kept, stamp); err != nil {
		return nil, err
	}
	return s.Store.EndAll(ctx, userID, kept, stamp, now)
}

func (s strict) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if err := texttest.CheckStorable(key); err != nil {
		return false, err
	}
	return s.Store.PutOnce(ctx, key, expires, now)
}

func (s strict) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, nil, err
	}
	return s.Store.FindCode(ctx, digest)
}

func (s strict) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, nil, err
	}
	return s.Store.FindRefresh(ctx, digest)
}

func (s strict) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, nil, err
	}
	return s.Store.FindAccess(ctx, digest)
}
