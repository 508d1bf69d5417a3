package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// openStores opens -db and reads the key of the application.
func (a *app) openStores(ctx context.Context) (err error) {
	if a.hasher, err = password.NewHasher(password.HasherConfig{}); err != nil {
		return err
	}
	if a.stores, err = openStores(ctx, a.db, a.hasher, a.logger); err != nil {
		return err
	}
	if path, ok := database.KeyFile(a.db); ok && a.key == "" {
		a.key = path
	}
	a.keys, err = applicationKeys(a.key)
	return err
}

// openBackends makes what proves users: tokens, pairs of JWTs, sessions, passwords.
func (a *app) openBackends(ctx context.Context) (err error) {
	if a.tokens, err = knox.New(knox.Config{
		Store: a.stores.knox, LoadUser: a.users.load, Observer: a.observer,
		Schemes: []string{"Token", "Bearer"}, TTL: a.tokenTTL, KeepEnded: 30 * 24 * time.Hour,
		Limit:    knox.NoLimit, // visitors try as many logins as they like
		Token:    knox.TokenSettings{Prefix: "demo_"},
		Personal: knox.PersonalSettings{Scopes: []string{"reports:read", "reports:write"}},
	}); err != nil {
		return err
	}
	if err := a.openPairs(ctx); err != nil {
		return err
	}
	if a.sessions, err = session.New(session.Config{
		Store: a.stores.session, LoadUser: a.users.load, Observer: a.sessionEnded(a.observer), Logger: a.logger,
		Keys:     a.keys,
		Cookie:   "session-" + a.port,
		Limit:    session.NoLimit,
		Remember: session.Lifetime{Idle: 7 * 24 * time.Hour, Absolute: 30 * 24 * time.Hour},
		// What the login reached, for applications that ask by acr_values.
		BeforeLogin: func(_ *http.Request, _ auth.User, o *session.Options) error {
			if slices.Contains(o.AuthInfo.AMR, "pwd") {
				o.AuthInfo.ACR = passwordACR
			}
			return nil
		},
	}); err != nil {
		return err
	}
	devices, err := password.NewDevices(password.DeviceConfig{Keys: a.keys, Cookie: "device-" + a.port})
	if err != nil {
		return err
	}
	if a.passwords, err = password.New(password.Config{
		Hasher: a.hasher, Account: a.users.byName, Throttle: a.throttle, Upgrade: a.users.setPassword, Logger: a.logger,
		Devices: devices,
	}); err != nil {
		return err
	}
	if a.basic, err = header.NewBasic(header.BasicConfig{
		Check: a.passwords.Check, LoadUser: a.users.load,
	}); err != nil {
		return err
	}
	if len(a.trusted) > 0 {
		a.proxied, err = header.New(header.Config{
			Header: "X-Username", LoadUser: a.users.load, Trust: header.Trust{Proxies: a.trusted},
		})
	}
	return err
}

// openPairs makes JWTs with keys that make and replace themselves, sealed with the
// application's.
func (a *app) openPairs(ctx context.Context) (err error) {
	a.keyring, err = jwt.NewKeyring(ctx, jwt.KeyringConfig{
		Store: a.jwtKeys, Keys: a.keys, Generate: true, Logger: a.logger,
		RSABits: 2048, // made in a moment
	})
	if err != nil {
		return err
	}
	a.pairs, err = jwt.New(jwt.Config{
		Issuer: a.issuer + "/api/token", Audience: []string{a.issuer}, Keys: a.keyring, Store: a.stores.jwt,
		LoadUser: a.users.load, Observer: a.observer,
		Verify:    jwt.VerifySettings{Leeway: a.leeway},
		Lifetimes: jwt.Lifetimes{Access: a.accessTTL, Refresh: max(a.accessTTL, 24*time.Hour)}, Limit: jwt.NoLimit,
	})
	return err
}
