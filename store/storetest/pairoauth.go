package storetest

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// OAuthPair returns a store for [OAuth] that sends its calls to two stores in turn.
func OAuthPair(first, second server.Store) server.Store {
	return oauthPair{newPair(first, second)}
}

type oauthPair struct{ *pair[server.Store] }

func (p oauthPair) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.next().Purge(ctx, now, limit)
}

func (p oauthPair) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	return p.next().PutOnce(ctx, key, expires, now)
}

func (p oauthPair) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	return p.next().FindCode(ctx, digest)
}

func (p oauthPair) Redeem(ctx context.Context, digest string, now time.Time,
	tokens server.Tokens) (server.Verdict, error) {
	return p.next().Redeem(ctx, digest, now, tokens)
}

func (p oauthPair) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	return p.next().FindRefresh(ctx, digest)
}

func (p oauthPair) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	tokens server.Tokens) (server.Rotation, error) {
	return p.next().Rotate(ctx, old, now, grace, tokens)
}

func (p oauthPair) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	return p.next().FindAccess(ctx, digest)
}

func (p oauthPair) AddAccess(ctx context.Context, access *server.Access, now time.Time) (bool, error) {
	return p.next().AddAccess(ctx, access, now)
}

func (p oauthPair) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	return p.next().RemoveAccess(ctx, digest)
}

func (p oauthPair) AddClient(ctx context.Context, client *server.Client, limit int) (server.Added, error) {
	return p.next().AddClient(ctx, client, limit)
}

func (p oauthPair) Client(ctx context.Context, id string) (*server.Client, error) {
	return p.next().Client(ctx, id)
}

func (p oauthPair) Clients(ctx context.Context, owner, after string, limit int) ([]*server.Client, error) {
	return p.next().Clients(ctx, owner, after, limit)
}

func (p oauthPair) ChangeClient(ctx context.Context, client *server.Client,
	was time.Time) (bool, []server.EndedGrant, error) {
	return p.next().ChangeClient(ctx, client, was)
}

func (p oauthPair) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	return p.next().RemoveClient(ctx, id, now)
}

func (p oauthPair) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	return p.next().Consent(ctx, userID, clientID)
}

func (p oauthPair) Consents(ctx context.Context, userID, after string, limit int) ([]*server.Consent, error) {
	return p.next().Consents(ctx, userID, after, limit)
}

func (p oauthPair) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	return p.next().Withdraw(ctx, userID, clientID, now)
}

func (p oauthPair) Approve(ctx context.Context, approval server.Approval) (server.Added, error) {
	return p.next().Approve(ctx, approval)
}

func (p oauthPair) Start(ctx context.Context, grant *server.Grant, tokens server.Tokens, limit int,
	evict bool) (server.Added, error) {
	return p.next().Start(ctx, grant, tokens, limit, evict)
}

func (p oauthPair) Grant(ctx context.Context, id string) (*server.Grant, error) {
	return p.next().Grant(ctx, id)
}

func (p oauthPair) Grants(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.Grant, error) {
	return p.next().Grants(ctx, userID, after, limit, now)
}

func (p oauthPair) GrantsByClient(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*server.ClientGrants, error) {
	return p.next().GrantsByClient(ctx, userID, after, limit, now)
}

func (p oauthPair) End(ctx context.Context, id string, now time.Time) (bool, error) {
	return p.next().End(ctx, id, now)
}

func (p oauthPair) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	return p.next().EndSession(ctx, sessionID, now)
}

func (p oauthPair) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	return p.next().EndAll(ctx, userID, kept, stamp, now)
}

func (p oauthPair) AddInteraction(ctx context.Context, interaction *server.Interaction, limit int) error {
	return p.next().AddInteraction(ctx, interaction, limit)
}

func (p oauthPair) Interaction(ctx context.Context, digest string, now time.Time) (*server.Interaction, error) {
	return p.next().Interaction(ctx, digest, now)
}

func (p oauthPair) ConsumeInteraction(ctx context.Context, digest string,
	now time.Time) (*server.Interaction, error) {
	return p.next().ConsumeInteraction(ctx, digest, now)
}
