package redisstore

import (
	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/cached"
)

var _ server.Store = (*oauthStore)(nil)

// OAuth returns the store of package server. Its look-ups of access tokens and of clients are cached: see
// Config.MaxCached.
func OAuth(db *DB) server.Store {
	s := &oauthStore{db: db}
	config, ok := db.cacheConfig()
	if !ok {
		return s
	}
	cache, err := cached.OAuth(s, config)
	if err != nil {
		panic(err) // the configuration is ours
	}
	db.watch.add(cache, func(k kind, name string) {
		switch k {
		case oauthAccess:
			cache.ForgetToken(name)
		case oauthGrants:
			cache.ForgetGrant(name)
		case oauthClients:
			cache.Forget(auth.Machine{ID: name}.UserID())
		}
	}, oauthAccess, oauthGrants, oauthClients)
	return &cachedOAuth{cache, s}
}

// cachedOAuth asks the cache while changes are heard.
type cachedOAuth struct {
	*cached.OAuthStore
	store *oauthStore
}

// FindAccess implements [server.Store].
func (s *cachedOAuth) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	if s.store.db.watch.believed() {
		return s.OAuthStore.FindAccess(ctx, digest)
	}
	return s.store.FindAccess(ctx, digest)
}

// Client implements [server.Store].
func (s *cachedOAuth) Client(ctx context.Context, id string) (*server.Client, error) {
	if s.store.db.watch.believed() {
		return s.OAuthStore.Client(ctx, id)
	}
	return s.store.Client(ctx, id)
}
