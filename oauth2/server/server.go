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
//		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
//			http.Redirect(w, r, "/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
//		},
//		Keys:   keyring, // for OpenID Connect and JWTs
//		Scopes: []server.Scope{{Name: "reports:read", Text: "read your reports"}},
//	})
//	handlers, err := srv.Handlers(guard) // the program's guard proves the user
//	handlers.Register(mux)               // /o/authorize/, /o/token/, …, /.well-known/…
//
// A [Server] is also an oauth2.Source: package oauth2 protects the APIs of the
// same program with it, behind the same guard:
//
//	api, err := oauth2.New(oauth2.Config{
//		Resource: "https://api.example/", Sources: []oauth2.Source{srv}, LoadUser: users.Load})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api, sessions}})
//
// A user agrees to pairs: to a scope at an API. Config.Resources lists the APIs, and
// the scopes that each of them knows. A consent, a grant and the pages keep the scopes
// of each API apart ([Permissions]), and a token has those of its own API only.
//
// There is no implicit grant and no password grant: RFC 9700 §2.1.2 and §2.4
// say why. PKCE with S256 is required, redirect URIs are compared byte by byte,
// codes are good once and refresh tokens rotate. [Audit] lists what a
// configuration has weaker than RFC 9700 recommends.
package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/loglimit"
	"github.com/gatewarden/auth/internal/memo"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/internal/seal"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// Config is the configuration of a [Server]. Issuer, Store and LoadUser are
// required, and SignIn where there are pages for people: those of the authorization
// code grant, Clients.Developers and OpenID.Logout.
type Config struct {
	// Issuer is the URL that names the server: https, or http of a loopback host
	// for trying things out, without query and fragment (RFC 8414 §2). No header
	// of a request has a say in it.
	Issuer string

	Store Store
	// LoadUser is asked whenever tokens are issued, used or introspected: a user
	// that is disabled or deleted has no tokens from then on.
	LoadUser auth.UserLoader

	// SignIn asks a browser to sign in, or again, and to come back: see
	// [SignInRequest].
	SignIn func(w http.ResponseWriter, r *http.Request, login SignInRequest)

	// Keys sign ID tokens and JWT access tokens. If nil, there are no such tokens,
	// and so no OpenID Connect. Access tokens are signed by the first asymmetric key that
	// signs, and ID tokens by the one of the client's algorithm.
	Keys jwt.KeySource

	// Scopes are all that there are, besides those of OpenID Connect: "openid", "profile",
	// "email", "address", "phone" and "offline_access".
	Scopes []Scope
	// Resources are the APIs that tokens are for (RFC 8707). The first is meant
	// if a request names no resource. If nil, there is one with the issuer's URL.
	Resources []Resource

	// Endpoints says where the endpoints are, and how browsers come back to them.
	Endpoints EndpointConfig
	// Tokens says how tokens are issued, and what is in them.
	Tokens TokenConfig
	// OpenID has the settings of OpenID Connect.
	OpenID OpenIDConfig
	// Clients says how clients prove themselves, and which users may register some.
	Clients ClientConfig
	// Limits says how many grants there may be.
	Limits GrantLimits
	// Pages says how the service is called, and replaces the look of single pages.
	Pages Pages

	Observer auth.Observer
	// Logger gets one line for each request that is refused, with its cause, at level Info. The reuse of a code or
	// refresh token is at Warn, and an outage at Error. If nil, slog.Default is used.
	Logger *slog.Logger
}

// Server is an authorization server: what it knows and does without HTTP, which
// is in [Server.Handlers]. It is immutable and safe for concurrent use.
type Server struct {
	config   Config    // without Grants
	features *registry // what they add
	openID   bool      // there are ID tokens
	origin   string    // scheme and host of the issuer
	path     string    // the issuer's path without a slash at the end
	pages    *pages
	verifier *jwt.Verifier // of JWT access tokens, nil without Keys
	findHash FindAccessHash
	// foreign are the refusals of JWTs of other issuers, by those of package jwt.
	foreign *memo.Memo[*auth.Error, error]
	events  backend.Events
	limits  grantLimits
	guesses *guesses
	unknown *guesses // of clients that there are not
	hashes  *hashQueue
	// shortSecrets are clients of which a short secret was logged.
	shortSecrets  *loglimit.Once
	accessPrefix  string // prefixes
	refreshPrefix string
	codePrefix    string
	seals         []seal.Key    // of requests that browsers keep
	ownSeal       *atomic.Bool  // not nil if seals has a random key, and true until the log was told
	codeKey       redact.Secret // of codes that answer these
}

// exchangeFunc is [GrantType].Exchange of one grant.
type exchangeFunc func(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error)

var (
	_ oauth2.Source      = (*Server)(nil)
	_ oauth2.TokenLookup = (*Server)(nil)
	_ auth.Revoker       = (*Server)(nil)
	_ auth.Purger        = (*Server)(nil)
	_ auth.Named         = (*Server)(nil)
)

// backendName is what events and logs name the server.
const backendName = "oauth2"

// New returns a Server, or an error that says which settings are missing, out of
// range or contradict others.
func New(config Config) (*Server, error) { return newServer(config, config.features()) }

// newServer returns a Server with these features.
func newServer(config Config, features []feature) (*Server, error) {
	s := &Server{config: config, foreign: new(memo.Memo[*auth.Error, error]), guesses: newGuesses(),
		unknown: newGuesses(),
		hashes:  newHashQueue(), shortSecrets: new(loglimit.Once)}
	c := &s.config
	settings := &backend.Settings{Package: "oauth2/server"}
	s.setAddresses(settings)
	settings.Need("Config.Store", c.Store)
	settings.Need("Config.LoadUser", c.LoadUser)
	c.checkGrace(settings)
	c.Tokens.Lifetimes = c.Tokens.Lifetimes.or(defaultLifetimes)
	settings.Add("Config.Tokens.Lifetimes", c.Tokens.Lifetimes.check())
	s.setPrefixes(settings)
	settings.Add("Config.Endpoints.RequestKeys", s.setRequestKeys())
	s.events = backend.NewEvents(c.Observer, backendName)
	c.OpenID.Discovery.check(settings)
	c.checkResources(settings)
	s.limits = c.checkLimits(settings)
	s.features = newRegistry(s, settings, features)
	c.Tokens.Grants = nil
	c.checkScopes(settings)
	s.checkResourceScopes(settings)
	s.checkDeveloperScopes(settings)
	settings.Refuse(s.features.pagesForPeople && c.SignIn == nil, "pages for people need Config.SignIn: "+
		"those of the authorization code grant, Config.Clients.Developers and Config.OpenID.Logout")
	if err := settings.Err(); err != nil {
		return nil, err
	}
	c.Endpoints.RequestKeys = nil // they are in the seals, and nowhere that could be printed
	s.findHash = hashFinder(c.Store)
	var err error
	if s.pages, err = newPages(c.Pages); err != nil {
		return nil, err
	}
	if c.Keys != nil {
		s.verifier, err = newVerifier(*c)
	}
	return s, err
}

// setAddresses checks the issuer and the path.
func (s *Server) setAddresses(settings *backend.Settings) {
	c := &s.config
	issuer, err := checkIssuer(c.Issuer, c.Endpoints.InsecureHTTP)
	settings.Need("Config.Issuer", c.Issuer)
	settings.Refuse(err != nil && c.Issuer != "", "%w", err)
	c.Pages.Name = cmp.Or(c.Pages.Name, issuer.Host)
	path := cmp.Or(c.Endpoints.Path, "/o")
	c.Endpoints.Path = strings.TrimSuffix(path, "/")
	settings.Refuse(!validPath(c.Endpoints.Path), "Config.Endpoints.Path %q is no path below the root", path)
	s.origin, s.path = issuer.Scheme+"://"+issuer.Host, strings.TrimSuffix(issuer.EscapedPath(), "/")
}

// setPrefixes checks Config.Tokens.Prefix.
func (s *Server) setPrefixes(settings *backend.Settings) {
	prefix := s.config.Tokens.Prefix
	settings.Refuse(len(prefix) > 6 || strings.Trim(prefix, alphanumeric+"-_") != "",
		"Config.Tokens.Prefix %q is longer than 6 or has other characters than A-Z, a-z, 0-9, - and _", prefix)
	s.accessPrefix, s.refreshPrefix, s.codePrefix = prefix+"at_", prefix+"rt_", prefix+"ac_"
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// OpenID reports whether the server is an OpenID provider.
func (s *Server) OpenID() bool { return s.openID }

// url returns the URL of an endpoint.
func (s *Server) url(endpoint string) string { return s.origin + s.config.Endpoints.Path + endpoint }

// now is the time as stores keep it.
func now() time.Time { return backend.StoreTime(time.Now()) }

func (s *Server) logger() *slog.Logger { return cmp.Or(s.config.Logger, slog.Default()) }

func (s *Server) sendEvent(ctx context.Context, kind auth.EventKind, userID, id string) {
	s.events.Send(ctx, auth.Event{Kind: kind, UserID: userID, CredentialID: id})
}

// digestOf is the store's key of a secret that is not one of our tokens.
func digestOf(secret string) string { return backend.TokenDigest(secret, "") }
