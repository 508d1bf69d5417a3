package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// app is the service, put together.
type app struct {
	settings
	stores
	logger   *slog.Logger
	observer auth.Observer
	keys     []auth.Secret // of the application
	handler  http.Handler

	guard     *auth.Guard
	tokens    *knox.Tokens
	pairs     *jwt.Tokens
	keyring   *jwt.Keyring
	sessions  *session.Sessions
	hasher    *password.Hasher
	passwords *password.Authenticator
	basic     *header.Basic
	proxied   *header.Header // nil without -trust-proxy
	oauth     *server.Server
	api       *oauth2.Resource
	logins    *external.Logins // nil without -provider
	pages     *pages
}

// open is all that a service has to do to use the library: open the stores, make
// the backends, give them to one guard, and mount the handlers that take it.
func open(ctx context.Context, s settings, logger *slog.Logger) (*app, error) {
	a := &app{settings: s, logger: logger, observer: auth.SlogObserver(logger)}
	for _, step := range []func(context.Context) error{
		a.openStores, a.openBackends, a.openOAuth, a.openLogins, a.openPages,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	// Credentials that clients send on purpose come before those that a browser or a
	// proxy adds.
	config := auth.Config{
		Backends: []auth.Authenticator{a.tokens, a.pairs, a.api, a.sessions, a.basic},
		Login:    []auth.Authenticator{a.passwords},
		Proxies:  auth.Proxies{Trusted: s.trusted},
		Render:   a.pages.refused,
		Observer: a.observer,
		Logger:   logger,
	}
	if a.proxied != nil {
		config.Backends = append(config.Backends, a.proxied)
		config.Login = append(config.Login, a.proxied) // which knows better than an old session
	}
	config.Login = append(config.Login, a.sessions)
	if a.logins != nil { // an app has a code for a login with a provider
		config.Login = append(config.Login, a.logins)
	}
	var err error
	if a.guard, err = auth.New(config); err != nil {
		return nil, err
	}
	return a, a.mount()
}

// purge removes what has expired, until ctx ends.
func (a *app) purge(ctx context.Context) {
	purgers := []auth.Purger{a.tokens, a.sessions, a.pairs, a.oauth, a.passwords}
	if a.logins != nil {
		purgers = append(purgers, a.logins)
	}
	auth.PurgeEvery(ctx, time.Minute, a.logger, purgers...)
}
