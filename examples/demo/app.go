package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/login"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// app is the service, put together.
type app struct {
	stores
	handler  http.Handler
	logger   *slog.Logger
	guard    *auth.Guard
	tokens   *knox.Tokens
	pairs    *jwt.Tokens
	keyring  *jwt.Keyring
	sessions *session.Sessions
	oauth    *server.Server
	api      *oauth2.Resource
	logins   *login.Logins // nil without -provider
	purgers  []auth.Purger // what has expired in their stores
	pages    *pages
}

// stores are where things are kept.
type stores struct {
	knox       knox.Store
	jwt        jwt.Store
	jwtKeys    jwt.KeyStore
	oauthStore server.Store
	loginStore login.Store
	session    session.Store
	throttle   password.ThrottleStore
	users      *users
	ping       func(context.Context) error
	close      func() error
}

func openStores(ctx context.Context, where string, hasher *password.Hasher) (s stores, err error) {
	kind, path, _ := strings.Cut(where, ":")
	switch kind {
	case "memory":
		db, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			return s, err
		}
		db.SetMaxOpenConns(1) // each connection would be a database of its own
		s = stores{knox: knox.NewMemoryStore(), jwt: jwt.NewMemoryStore(), jwtKeys: jwt.NewMemoryKeyStore(), oauthStore: server.NewMemoryStore(), loginStore: login.NewMemoryStore(), session: session.NewMemoryStore(), throttle: password.NewMemoryThrottle(), ping: db.PingContext, close: db.Close}
		s.users, err = openUsers(ctx, db, db, hasher)
		return s, err
	case "sqlite":
		db, err := sqlstore.OpenSQLite(ctx, "sqlite", path, sqlstore.Config{})
		if err != nil {
			return s, err
		}
		s.ping, s.close = db.Ping, db.Close
		var errs [8]error
		s.knox, errs[0] = sqlstore.Knox(ctx, db)
		s.session, errs[1] = sqlstore.Sessions(ctx, db)
		s.throttle, errs[2] = sqlstore.Throttle(ctx, db)
		s.jwt, errs[3] = sqlstore.JWT(ctx, db)
		s.jwtKeys, errs[4] = sqlstore.JWTKeys(ctx, db)
		s.oauthStore, errs[6] = sqlstore.OAuth(ctx, db)
		s.loginStore, errs[7] = sqlstore.Login(ctx, db)
		s.users, errs[5] = openUsers(ctx, db.Reader(), db.Writer(), hasher)
		return s, errors.Join(errs[:]...)
	}
	return s, fmt.Errorf("-db %s: want memory: or sqlite:PATH", where)
}

// open is all that a service has to do to use the library.
func open(ctx context.Context, s settings, logger *slog.Logger) (*app, error) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		return nil, err
	}
	a := &app{logger: logger}
	if a.stores, err = openStores(ctx, s.db, hasher); err != nil {
		return nil, err
	}
	if _, path, ok := strings.Cut(s.db, "sqlite:"); ok && s.key == "" {
		s.key = path + ".key"
	}
	keys, err := applicationKeys(s.key)
	if err != nil {
		return nil, err
	}
	proxies := auth.Proxies{Trusted: s.trusted}
	observer := auth.SlogObserver(logger)

	// The backends.
	if a.tokens, err = knox.New(knox.Config{
		Store: a.knox, LoadUser: a.users.load, Observer: observer,
		Schemes: []string{"Token", "Bearer"}, Prefix: "demo_", TTL: s.tokenTTL, KeepEnded: 30 * 24 * time.Hour,
		Scopes: []string{"reports:read", "reports:write"},
	}); err != nil {
		return nil, err
	}
	// Keys are made and replaced by themselves, and sealed with the application's.
	if a.keyring, err = jwt.NewKeyring(ctx, jwt.KeyringConfig{Store: a.jwtKeys, Keys: keys, Generate: true, Logger: logger}); err != nil {
		return nil, err
	}
	if a.pairs, err = jwt.New(jwt.Config{
		Issuer: s.issuer + "/api/token", Audience: []string{s.issuer}, Keys: a.keyring, Store: a.jwt, LoadUser: a.users.load, Observer: observer,
		AccessTTL: s.accessTTL, RefreshTTL: max(s.accessTTL, 24*time.Hour),
	}); err != nil {
		return nil, err
	}
	if a.sessions, err = session.New(session.Config{
		Store: a.session, LoadUser: a.users.load, Observer: a.sessionEnded(observer), Logger: logger, Proxies: proxies, Keys: keys,
		Cookie:   "session-" + s.port,
		Remember: session.Lifetime{Idle: 7 * 24 * time.Hour, Absolute: 30 * 24 * time.Hour},
	}); err != nil {
		return nil, err
	}
	if a.pages, err = newPages(a.sessions); err != nil {
		return nil, err
	}
	passwords, err := password.New(password.Config{
		Hasher: hasher, Account: a.users.byName, Throttle: a.throttle, Proxies: proxies,
		Upgrade: a.users.setPassword, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	basic, err := header.NewBasic(header.BasicConfig{Check: passwords.Check, LoadUser: a.users.load})
	if err != nil {
		return nil, err
	}

	// The guards: one for the API, one for pages, and those for logging in.
	// Explicit credentials come before those that a browser or a proxy adds.
	people, err := auth.New(auth.Config{Backends: []auth.Authenticator{a.sessions}, Proxies: proxies, Observer: observer, Logger: logger})
	if err != nil {
		return nil, err
	}
	if err := a.openOAuth(ctx, s, people, observer); err != nil {
		return nil, err
	}
	if err := a.openLogins(s, keys, people, proxies, observer); err != nil {
		return nil, err
	}
	a.purgers = []auth.Purger{a.tokens, a.sessions, a.pairs, a.oauth, passwords}
	if a.logins != nil {
		a.purgers = append(a.purgers, a.logins)
	}
	a.pages.logins = a.logins
	a.pages.accountPolicy = strings.Replace(pagePolicy, "form-action 'self'", strings.Join(append([]string{"form-action 'self' https:"}, s.origins...), " "), 1)
	backends, logins := []auth.Authenticator{a.tokens, a.pairs, a.api, a.sessions, basic}, []auth.Authenticator{passwords}
	if len(s.trusted) > 0 {
		proxied, err := header.New(header.Config{Header: "X-Username", LoadUser: a.users.load,
			Trust: header.Trust{Proxies: s.trusted}})
		if err != nil {
			return nil, err
		}
		backends, logins = append(backends, proxied), append(logins, proxied)
	}
	config := auth.Config{Backends: backends, Proxies: proxies, Observer: observer, Logger: logger}
	if a.guard, err = auth.New(config); err != nil {
		return nil, err
	}
	config.Render = a.sessions.RedirectToLogin("/session/login", nil)
	pageGuard, err := auth.New(config)
	if err != nil {
		return nil, err
	}
	config.Render = a.sessions.RedirectToLogin("/session/login", a.pages.passwordRefused)
	changeGuard, err := auth.New(config)
	if err != nil {
		return nil, err
	}
	// Whoever is signed in with a browser may have tokens, too, and whose app comes from
	// a provider with a code.
	issuing := append(slices.Clone(logins), a.sessions)
	if a.logins != nil {
		issuing = append(issuing, a.logins)
	}
	issuer, err := a.guard.With(issuing...)
	if err != nil {
		return nil, err
	}
	config.Backends, config.Render = logins, a.pages.loginFailed
	formLogin, err := auth.New(config)
	if err != nil {
		return nil, err
	}
	handlers, err := a.tokens.Handlers(issuer)
	if err != nil {
		return nil, err
	}
	pairHandlers, err := a.pairs.Handlers(issuer)
	if err != nil {
		return nil, err
	}
	sessionHandlers, err := a.sessions.Handlers(formLogin)
	if err != nil {
		return nil, err
	}
	// As lenient as Django, for trying things out; without Validators there are
	// stricter ones.
	common, err := password.CommonFrom(strings.NewReader("password\npassword1\npassword123\n12345678\nqwertyuiop\niloveyou\n"))
	if err != nil {
		return nil, err
	}
	validators := password.Validators{password.MinLength(8), password.Numeric(), password.Similar(), common}
	changePassword, err := password.NewChange(changeGuard, password.ChangeConfig{
		Authenticator: passwords, Redirect: "/devices?changed",
		Renewal: password.Renewal{Hasher: hasher, Set: a.users.setPassword, LoadUser: a.users.load, Observer: observer,
			Revokers:   []auth.Revoker{a.sessions, a.tokens, a.pairs, a.oauth},
			Validators: validators,
			Attributes: func(u auth.User) []password.Attribute {
				return []password.Attribute{{Name: "username", Value: u.UserID()}}
			}},
	})
	if err != nil {
		return nil, err
	}

	// The routes.
	mux := http.NewServeMux()
	handlers.Register(mux, "/auth")
	pairHandlers.Register(mux, "/api/token")
	a.oauth.Register(mux)
	a.api.Register(mux)
	mux.Handle("/.well-known/jwks.json", jwt.NewJWKSHandler(a.keyring, 5*time.Minute))
	sessionHandlers.Register(mux, "/session")
	mux.Handle("POST /session/logout", a.signOut(sessionHandlers.Logout))
	anyone := a.guard.Optional(auth.AllowMachines)
	reading := a.guard.Require(auth.AllowMachines, auth.Any(auth.FullAccess, auth.Scopes("reports:read")))
	writing := a.guard.Require(auth.AllowMachines, auth.Any(auth.FullAccess, auth.Scopes("reports:write")))
	admins := a.guard.Require(auth.FullAccess, auth.UserIs(func(u *user) bool { return u.admin }))
	mux.HandleFunc("GET /healthz", a.health)
	mux.Handle("GET /api/me", a.guard.Require(auth.AllowMachines)(http.HandlerFunc(whoami)))
	mux.Handle("GET /api/public", anyone(http.HandlerFunc(whoami)))
	mux.Handle("GET /api/reports", reading(http.HandlerFunc(whoami)))
	mux.Handle("POST /api/reports", writing(http.HandlerFunc(whoami)))
	mux.Handle("POST /api/users/{name}/disable", admins(a.switchUser(false)))
	mux.Handle("POST /api/users/{name}/enable", admins(a.switchUser(true)))
	visitors, members := pageGuard.Optional(auth.AllowMachines), pageGuard.Require(auth.FullAccess)
	mux.Handle("GET /{$}", visitors(a.pages.home(s.url)))
	mux.Handle("GET /callback", visitors(a.pages.callback(s.url)))
	mux.Handle("POST /callback", a.pages.callback(s.url)) // response_mode=form_post
	mux.Handle("GET /session/login", visitors(http.HandlerFunc(a.pages.login)))
	mux.Handle("GET /session/password", members(http.HandlerFunc(a.pages.password)))
	mux.Handle("POST /session/password", changePassword)
	if a.logins != nil {
		a.logins.Register(mux)
		mux.Handle("GET /account", members(http.HandlerFunc(a.account)))
	}
	mux.Handle("GET /devices", members(http.HandlerFunc(a.devices)))
	mux.Handle("POST /devices", members(http.HandlerFunc(a.endDevice)))
	a.handler = mux
	return a, nil
}

// purge removes what has expired, now and then, until ctx ends.
func (a *app) purge(ctx context.Context) {
	auth.PurgeEvery(ctx, time.Minute, a.logger, a.purgers...)
}

// signOut tells people that they are signed out, on the next page.
func (a *app) signOut(logout http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if session.WantsPage(r) && a.guard.CheckOrigin(r) == nil {
			a.sessions.AddFlash(w, r, "You are signed out.")
		}
		logout.ServeHTTP(w, r)
	})
}

func (a *app) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.ping(ctx); err != nil {
		http.Error(w, "store does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// identity is who a request is from, as the API tells it.
type identity struct {
	User    any      `json:"user"` // null for nobody, and for a machine
	Backend string   `json:"backend,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Client  string   `json:"client,omitempty"`
}

func identify(ctx context.Context) (id identity) {
	if u, ok := auth.UserFrom[*user](ctx); ok {
		id.User = u.name
	}
	if m, ok := auth.UserFrom[auth.Machine](ctx); ok {
		id.Client = m.ID
	}
	if c, ok := auth.CredentialFrom[auth.Credential](ctx); ok {
		id.Backend = c.Backend()
		if scoped, ok := c.(auth.Scoped); ok {
			id.Scopes, _ = scoped.Scopes()
		}
		if token, ok := c.(*oauth2.Token); ok {
			id.Client = token.ClientID
		}
	}
	return id
}

func whoami(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(identify(r.Context()))
}

func (a *app) switchUser(active bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch found, err := a.users.setActive(r.Context(), r.PathValue("name"), active); {
		case err != nil:
			a.logger.ErrorContext(r.Context(), "users", "error", err)
			http.Error(w, "store does not answer", http.StatusServiceUnavailable)
		case !found:
			http.NotFound(w, r)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
