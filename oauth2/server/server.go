// Package server is an OAuth 2.1 authorization server and OpenID provider to
// embed in a program of one's own: it asks users for consent and issues tokens
// to applications.
//
// Choose it where several applications, or those of other people, share your
// users. Where the only client is your own, package session, knox or jwt is
// less to run and less to get wrong.
//
//	srv, err := server.New(server.Config{
//		Issuer:   "https://login.example",
//		Store:    store,
//		LoadUser: users.Load,
//		Guard:    guard, // who is signed in
//		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
//			http.Redirect(w, r, "/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
//		},
//		Keys:   keyring, // for OpenID Connect and JWTs
//		Scopes: []server.Scope{{Name: "reports:read", Text: "read your reports"}},
//	})
//	srv.Register(mux) // /o/authorize/, /o/token/, …, /.well-known/…
//
// A [Server] is also an oauth2.Source: package oauth2 protects the APIs of the
// same program with it.
//
// There is no implicit grant and no password grant: RFC 9700 §2.1.2 and §2.4
// say why. PKCE with S256 is required, redirect URIs are compared byte by byte,
// codes are good once and refresh tokens rotate; [Audit] lists what a
// configuration has weaker than RFC 9700 recommends.
package server

import (
	"cmp"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// Config is the configuration of a [Server]. Issuer, Store and LoadUser are
// required, and with the authorization code grant Guard and Login.
type Config struct {
	// Issuer is the URL that names the server: https, or http of a loopback host
	// for trying things out, without query and fragment (RFC 8414 §2). No header
	// of a request has a say in it.
	Issuer string
	// InsecureHTTP allows an Issuer by plain http on any host: everybody on the way
	// can then read passwords, codes and tokens.
	InsecureHTTP bool
	// Name is what the pages call the service; empty is the issuer's host.
	Name string
	// Path is where the endpoints are on the issuer's host; empty is "/o".
	Path string

	Store Store
	// LoadUser is asked whenever tokens are issued, used or introspected: a user
	// who is disabled or deleted has none from then on.
	LoadUser auth.UserLoader

	// Guard says who is signed in at the pages. Its credentials must be
	// [auth.Primary]: a token cannot authorize others.
	Guard *auth.Guard
	// Login asks a browser to sign in, or again, and to come back: see
	// [SignInRequest].
	SignIn func(w http.ResponseWriter, r *http.Request, login SignInRequest)
	// Logout ends the browser's session, for RP-initiated logout. Nil is without
	// that endpoint.
	Logout func(w http.ResponseWriter, r *http.Request) error

	// Keys sign ID tokens and JWT access tokens. With a nil one there are neither,
	// and so no OpenID Connect. Asymmetric ones only.
	Keys jwt.KeySource
	// JWKSURL is where Keys are published, if not by the server itself.
	JWKSURL string

	// Scopes are all that there are, besides those of OpenID Connect.
	Scopes []Scope
	// Resources are the APIs that tokens are for (RFC 8707). The first is meant
	// where a request names none. Nil is one with the issuer's URL.
	Resources []Resource
	// Grants are the ways to get tokens; nil is [AuthorizationCode],
	// [RefreshToken] and [ClientCredentials].
	Grants []GrantType

	// Lifetimes of what is issued. LifetimesOf, if not nil, is asked each time,
	// and what it leaves zero is that of Lifetimes.
	Lifetimes   Lifetimes
	LifetimesOf func(LifetimeRequest) Lifetimes
	// Grace is for how long after its use a refresh token, presented again,
	// answers with the same successor, for clients whose network lost the
	// answer; at most a minute. 0 is never: a second use ends the grant (RFC 9700
	// §4.14.2). A thief who is as quick is not told from the client.
	Grace time.Duration
	// Prefix starts all tokens and codes, at most 6 characters of A-Z, a-z, 0-9,
	// "-" and "_", of which "_" should be the last.
	Prefix string

	// Claims are what is told of a user to clients that have these scopes, at the
	// userinfo endpoint (OpenID Connect Core §5.3). Nil is nothing but "sub".
	Claims func(ctx context.Context, user auth.User, scopes []string) (map[string]any, error)
	// Username is told in answers to introspection; nil leaves it out.
	Username func(user auth.User) string

	// Developers says who may register applications of their own, on a page; nil
	// is nobody, and without that page.
	Developers auth.Policy
	// DeveloperGrants are the grants that these may have; nil is
	// authorization_code and refresh_token.
	DeveloperGrants []string

	// Pages replaces the look of single pages.
	Pages Pages

	Observer auth.Observer
	// Logger is told of outages. Nil is slog.Default.
	Logger *slog.Logger
}

// SignInRequest is what a login is needed for.
type SignInRequest struct {
	// ReturnTo is the path and query, shorter than 200 bytes, to which the browser
	// must come back with GET after the login.
	ReturnTo string
	// Fresh wants a proof of who the user is now, though somebody is signed in.
	Fresh  bool
	MaxAge time.Duration // at most so long ago; less than 0 is any
	Hint   string        // "login_hint": whom the client thinks it is; not to be trusted
	ACR    []string      // "acr_values", best first
	Client *Client       // who asked
}

// Scope is something that a user can allow (RFC 6749 §3.3).
type Scope struct {
	Name string
	Text string // to go on after "It will be able to", such as "read your reports"
}

// Resource is an API that tokens are for.
type Resource struct {
	ID   string // its URL, without a fragment (RFC 8707 §2)
	Name string // for people; empty is ID
	// JWT makes access tokens for it JWTs (RFC 9068), which it can check without
	// asking: it does not learn that one was revoked. Tokens for several resources
	// are JWTs if all are to be.
	JWT bool
}

// Lifetimes of what is issued. Zero is the default.
type Lifetimes struct {
	Code    time.Duration // of an authorization code, at most 10 minutes; 0 is a minute
	Access  time.Duration // of an access token; 0 is 10 minutes
	IDToken time.Duration // 0 is 10 minutes
	// RefreshIdle is how long a refresh token lives that is not used, and
	// RefreshAbsolute how long all that come of one authorization do; 0 are 14
	// and 180 days.
	RefreshIdle, RefreshAbsolute time.Duration
}

// LifetimeRequest is what lifetimes can depend on.
type LifetimeRequest struct {
	Client    *Client
	GrantType string // with which the grant began
	Scopes    []string
	Resources []string
}

// Server is an authorization server. It is immutable and safe for concurrent use.
type Server struct {
	config    Config
	origin    string // scheme and host of the issuer
	path      string // the issuer's path without a slash at the end
	grants    map[string]GrantType
	pages     *pages
	verifier  *jwt.Verifier // of JWT access tokens; nil without Keys
	mux       *http.ServeMux
	accessKey string // prefixes
	refresh   string
	code      string
}

var (
	_ oauth2.Source = (*Server)(nil)
	_ auth.Revoker  = (*Server)(nil)
	_ auth.Purger   = (*Server)(nil)
	_ http.Handler  = (*Server)(nil)
)

const maxGrace = time.Minute

// New returns a Server, or an error that says which setting is missing, out of
// range or contradicts another.
func New(config Config) (*Server, error) {
	c := config
	s := &Server{}
	fault := func(format string, args ...any) (*Server, error) {
		return nil, fmt.Errorf("oauth2/server: "+format, args...)
	}
	u, err := checkIssuer(c.Issuer, c.InsecureHTTP)
	switch {
	case err != nil:
		return nil, err
	case c.Store == nil:
		return fault("Config.Store is missing")
	case c.LoadUser == nil:
		return fault("Config.LoadUser is missing")
	case c.Grace < 0 || c.Grace > maxGrace:
		return fault("Config.Grace is not within 0 and a minute")
	case len(c.Prefix) > 6 || strings.Trim(c.Prefix, alphanumeric+"-_") != "":
		return fault("Config.Prefix %q is longer than 6 or has other characters than A-Z, a-z, 0-9, - and _", c.Prefix)
	}
	s.origin, s.path = u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	c.Name = cmp.Or(c.Name, u.Host)
	c.Path = strings.TrimSuffix(cmp.Or(c.Path, "/o"), "/")
	if c.Path == "" || !strings.HasPrefix(c.Path, "/") || strings.HasPrefix(c.Path, "//") || (&url.URL{Path: c.Path}).EscapedPath() != c.Path || path.Clean(c.Path) != c.Path {
		return fault("Config.Path %q is no path below the root", config.Path)
	}
	if c.Lifetimes, err = c.Lifetimes.or(defaultLifetimes).check(); err != nil {
		return nil, err
	}
	if len(c.Resources) == 0 {
		c.Resources = []Resource{{ID: c.Issuer}}
	}
	c.Resources = slices.Clone(c.Resources)
	for i, resource := range c.Resources {
		switch {
		case !validResource(resource.ID):
			return fault("resource %q is no absolute URL without a fragment (RFC 8707 §2)", resource.ID)
		case resource.JWT && c.Keys == nil:
			return fault("resource %q wants JWTs, and Config.Keys is missing", resource.ID)
		case slices.ContainsFunc(c.Resources[:i], func(other Resource) bool { return other.ID == resource.ID }):
			return fault("two resources %q", resource.ID)
		}
	}
	if c.Grants == nil {
		c.Grants = []GrantType{AuthorizationCode{}, RefreshToken{}, ClientCredentials{}}
	}
	s.grants = make(map[string]GrantType)
	for _, grant := range c.Grants {
		if grant == nil || grant.Name() == "" || s.grants[grant.Name()] != nil {
			return fault("a grant is nil, has no name or is there twice")
		}
		s.grants[grant.Name()] = grant
	}
	if c.Keys != nil && s.grants[GrantAuthorizationCode] != nil {
		for _, scope := range openIDScopes {
			if !slices.ContainsFunc(c.Scopes, func(has Scope) bool { return has.Name == scope.Name }) {
				c.Scopes = append(slices.Clip(c.Scopes), scope)
			}
		}
	}
	for i, scope := range c.Scopes {
		if !backend.ValidScope(scope.Name) {
			return fault("%q is not a scope (RFC 6749 §3.3)", scope.Name)
		}
		if slices.ContainsFunc(c.Scopes[:i], func(other Scope) bool { return other.Name == scope.Name }) {
			return fault("two scopes %q", scope.Name)
		}
	}
	if s.grants[GrantAuthorizationCode] != nil && (c.Guard == nil || c.SignIn == nil) {
		return fault("the authorization code grant needs Config.Guard and Config.Login")
	}
	if (c.Developers != nil || c.Logout != nil) && (c.Guard == nil || c.SignIn == nil) {
		return fault("pages for people need Config.Guard and Config.Login")
	}
	if c.DeveloperGrants == nil {
		c.DeveloperGrants = []string{GrantAuthorizationCode, GrantRefreshToken}
	}
	for _, name := range c.DeveloperGrants {
		if c.Developers != nil && s.grants[name] == nil {
			return fault("Config.DeveloperGrants has %q, which is none of Config.Grants", name)
		}
	}
	if s.pages, err = newPages(c.Pages); err != nil {
		return nil, err
	}
	if c.Keys != nil {
		if set, ok := c.Keys.(*jwt.KeySet); ok && !signs(set) {
			return fault("Config.Keys has no asymmetric key that signs")
		}
		if s.verifier, err = newVerifier(c); err != nil {
			return nil, err
		}
	}
	s.config = c
	s.accessKey, s.refresh, s.code = c.Prefix+"at_", c.Prefix+"rt_", c.Prefix+"ac_"
	s.mux = http.NewServeMux()
	s.Register(s.mux)
	return s, nil
}

// openIDScopes are those of OpenID Connect Core §5.4 and §11.
var openIDScopes = []Scope{
	{"openid", "know who you are"},
	{"profile", "see your profile"},
	{"email", "see your e-mail address"},
	{"offline_access", "keep access when you have signed out"},
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// checkIssuer parses an issuer identifier (RFC 8414 §2).
func checkIssuer(issuer string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return nil, errors.New("oauth2/server: Config.Issuer is missing")
	case err != nil || u.Host == "" || u.Path != "" && u.Path != "/" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") || u.User != nil || u.Opaque != "" || strings.ContainsAny(issuer, "?#\\ \"<>") || u.EscapedPath() != u.Path:
		return nil, fmt.Errorf("oauth2/server: issuer %q is no URL with a host, without user, query and fragment (RFC 8414 §2)", issuer)
	case u.Scheme == "https", u.Scheme == "http" && (insecure || isLoopback(u.Hostname())):
		return u, nil
	}
	return nil, fmt.Errorf("oauth2/server: issuer %q is neither https nor http of a loopback host (RFC 8414 §2)", issuer)
}

// isLoopback reports a host that is this machine.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// validResource reports a resource indicator (RFC 8707 §2).
func validResource(resource string) bool {
	u, err := url.Parse(resource)
	return err == nil && u.IsAbs() && !strings.Contains(resource, "#") && (u.Host != "" || u.Opaque != "") &&
		len(resource) <= maxURI && !strings.ContainsFunc(resource, notInURI)
}

func newVerifier(c Config) (*jwt.Verifier, error) {
	var audience []string
	for _, resource := range c.Resources {
		audience = append(audience, resource.ID)
	}
	return jwt.NewVerifier(jwt.VerifierConfig{Name: "oauth2", Issuers: []jwt.Issuer{{
		Issuer: c.Issuer, Audience: audience, Keys: c.Keys, Scoped: true, User: jwt.SubjectUser,
		Algorithms: []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA},
		Require:    []string{"client_id", "iat", "jti"},
	}}})
}

var defaultLifetimes = Lifetimes{Code: time.Minute, Access: 10 * time.Minute, IDToken: 10 * time.Minute,
	RefreshIdle: 14 * 24 * time.Hour, RefreshAbsolute: 180 * 24 * time.Hour}

// or fills in what is zero.
func (l Lifetimes) or(otherwise Lifetimes) Lifetimes {
	return Lifetimes{cmp.Or(l.Code, otherwise.Code), cmp.Or(l.Access, otherwise.Access), cmp.Or(l.IDToken, otherwise.IDToken),
		cmp.Or(l.RefreshIdle, otherwise.RefreshIdle), cmp.Or(l.RefreshAbsolute, otherwise.RefreshAbsolute)}
}

func (l Lifetimes) check() (Lifetimes, error) {
	if min(l.Code, l.Access, l.IDToken, l.RefreshIdle, l.RefreshAbsolute) < time.Second || l.Code > 10*time.Minute {
		return l, errors.New("oauth2/server: a lifetime is shorter than a second, or a code's longer than 10 minutes (RFC 6749 §4.1.2)")
	}
	return l, nil
}

// lifetimes are those for one request. What a function of the application says
// out of range is an outage of the server, not the client's fault.
func (s *Server) lifetimes(r LifetimeRequest) (Lifetimes, error) {
	if s.config.LifetimesOf == nil {
		return s.config.Lifetimes, nil
	}
	return s.config.LifetimesOf(r).or(s.config.Lifetimes).check()
}

// ServeHTTP serves all endpoints and pages; mount it at "/" or, with the paths
// kept whole, at Config.Path and "/.well-known/".
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// OpenID reports whether the server is an OpenID provider.
func (s *Server) OpenID() bool {
	return s.config.Keys != nil && s.grants[GrantAuthorizationCode] != nil
}

// url returns the URL of an endpoint.
func (s *Server) url(endpoint string) string { return s.origin + s.config.Path + endpoint }

// now is the time as stores keep it.
func now() time.Time { return backend.StoreTime(time.Now()) }

func (s *Server) logger() *slog.Logger {
	if s.config.Logger != nil {
		return s.config.Logger
	}
	return slog.Default()
}

func (s *Server) observe(ctx context.Context, kind auth.EventKind, userID, id string) {
	if s.config.Observer != nil {
		s.config.Observer.Observe(ctx, auth.Event{Kind: kind, Time: time.Now(), Backend: "oauth2", UserID: userID, CredentialID: id})
	}
}

// digestOf is the store's key of a secret that is none of our tokens.
func digestOf(secret string) string { return backend.TokenDigest(secret, "") }

// sealer returns what encrypts the successor of a refresh token so that only who
// has that token can read it.
func sealer(predecessor string) (cipher.AEAD, error) {
	return seal.New(predecessor, "oauth2 refresh successor")
}
