package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth/backend"
)

// A feature is one part of the server, such as a grant or the userinfo endpoint. Its register
// method names all that it adds. The core knows no feature by name: Config.features lists
// those that a configuration has.
//
// It is unexported until a feature of somebody else needs it.
type feature interface {
	// register adds the parts of the feature. A setting that is missing or contradicts
	// others goes to r.settings. New is still running, so that functions which are added
	// may keep r.server, and use it only when they are called.
	register(r *registry)
}

// registry holds what the features of one server add. It does not change after New.
type registry struct {
	server   *Server
	config   *Config // of server, with its defaults
	settings *backend.Settings

	grants         map[string]exchangeFunc // by grant_type
	clients        []clientSource
	clientAuth     []clientAuthentication
	parameters     []requestParameters
	repeatable     []string // fields of the token endpoint that may be there twice
	registrations  []func(r *Registration, c *Client) error
	tokenSteps     []func(ctx context.Context, t *tokenSpec, made *createdTokens) error
	claims         []claimsFunc
	metadata       []func(ctx context.Context, now time.Time, m metadata) error
	routes         []func(h *handler, to router)
	audits         []func(a *auditor)
	purges         []func(ctx context.Context, now time.Time, limit int) (int, error)
	pagesForPeople bool
}

// newRegistry registers all features of a configuration. Errors about settings go to settings.
func newRegistry(s *Server, settings *backend.Settings, features []feature) *registry {
	r := &registry{server: s, config: &s.config, settings: settings, grants: make(map[string]exchangeFunc)}
	for _, f := range features {
		f.register(r)
	}
	return r
}

// addGrant adds a value of "grant_type" (RFC 6749 §4). The function is called for a client
// that authenticated and has the grant.
func (r *registry) addGrant(name string, exchange exchangeFunc) {
	if name == "" || r.grants[name] != nil {
		r.settings.Refuse(true, "Config.Tokens.Grants: a grant is nil, has no name or is there twice")
		return
	}
	r.grants[name] = exchange
}

// addClientSource adds a place where clients are looked for, before those that are there.
func (r *registry) addClientSource(source clientSource) {
	r.clients = slices.Insert(r.clients, 0, source)
}

// addClientAuthentication adds a way in which clients authenticate (RFC 6749 §2.3).
func (r *registry) addClientAuthentication(method clientAuthentication) {
	r.clientAuth = append(r.clientAuth, method)
}

// addParameters adds parameters of the authorization request (RFC 6749 §8.2).
func (r *registry) addParameters(p requestParameters) { r.parameters = append(r.parameters, p) }

// mayRepeat says that a field of a token request may be there several times.
func (r *registry) mayRepeat(name string) { r.repeatable = append(r.repeatable, name) }

// addRegistration adds a check of what a client registers (RFC 7591 §2). It may put what it
// read into the client.
func (r *registry) addRegistration(check func(r *Registration, c *Client) error) {
	r.registrations = append(r.registrations, check)
}

// addTokenStep adds a step that runs when an access token was made, and before a store knows
// it. It may add an ID token, or refuse.
func (r *registry) addTokenStep(step func(ctx context.Context, t *tokenSpec, made *createdTokens) error) {
	r.tokenSteps = append(r.tokenSteps, step)
}

// addClaims adds claims of tokens, introspection and userinfo.
func (r *registry) addClaims(claims claimsFunc) { r.claims = append(r.claims, claims) }

// addMetadata adds members of the metadata (RFC 8414 §2).
func (r *registry) addMetadata(add func(ctx context.Context, now time.Time, m metadata) error) {
	r.metadata = append(r.metadata, add)
}

// addRoutes adds endpoints and pages.
func (r *registry) addRoutes(add func(h *handler, to router)) { r.routes = append(r.routes, add) }

// addScope adds a scope, unless the application has named it itself.
func (r *registry) addScope(scope Scope) {
	if !slices.ContainsFunc(r.config.Scopes, func(has Scope) bool { return has.Name == scope.Name }) {
		r.config.Scopes = append(slices.Clip(r.config.Scopes), scope)
	}
}

// addAudit adds lines of [Audit].
func (r *registry) addAudit(audit func(a *auditor)) { r.audits = append(r.audits, audit) }

// addPurge adds a purge of what the feature stores. It removes at most limit records that are
// of no use at now, and returns how many.
func (r *registry) addPurge(purge func(ctx context.Context, now time.Time, limit int) (int, error)) {
	r.purges = append(r.purges, purge)
}

// needPages says that the feature has pages for people, which need Config.SignIn and a guard.
func (r *registry) needPages() { r.pagesForPeople = true }

// router takes the routes of a feature.
type router struct {
	// handle serves a path below Config.Endpoints.Path, with and without a slash at its end.
	handle func(path string, next http.Handler)
	// handleRoot serves a path of the host, as that of the metadata.
	handleRoot func(path string, next http.Handler)
}
