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
// code grant, Developers and Logout.
type Config struct {
	// Issuer is the URL that names the server: https, or http of a loopback host
	// for trying things out, without query and fragment (RFC 8414 §2). No header
	// of a request has a say in it.
	Issuer string
	// InsecureHTTP allows an Issuer by plain http on any host: everybody on the way
	// can then read passwords, codes and tokens.
	InsecureHTTP bool
	// Name is what the pages call the service. Empty is the issuer's host.
	Name string
	// Path is where the endpoints are on the issuer's host. Empty is "/o".
	Path string

	Store Store
	// LoadUser is asked whenever tokens are issued, used or introspected: a user
	// that is disabled or deleted has no tokens from then on.
	LoadUser auth.UserLoader

	// SignIn asks a browser to sign in, or again, and to come back: see
	// [SignInRequest].
	SignIn func(w http.ResponseWriter, r *http.Request, login SignInRequest)
	// Logout ends the browser's session, for RP-initiated logout. Nil is without
	// that endpoint.
	Logout func(w http.ResponseWriter, r *http.Request) error

	// Keys sign ID tokens and JWT access tokens. If nil, there are no such tokens,
	// and so no OpenID Connect. Access tokens are signed by the first asymmetric key that
	// signs, and ID tokens by the one of the client's algorithm.
	Keys jwt.KeySource
	// RequestKeys seal the authorization requests of browsers that have to sign in first. The browser
	// keeps such a request in its address, so strangers fill no store. Each key has at least 32 random
	// bytes. The first seals and all open, so a new one is given to all instances in second place first.
	// If nil, they are derived from the application keys of a [jwt.Keyring] in Keys, also of one that a
	// decorator wraps with a method Unwrap() jwt.KeySource. Without one, there is a random key, and the
	// log and Audit say so: a login that comes back to another instance, or after a restart, must then start
	// again at the application.
	RequestKeys []auth.Secret
	// IDTokenAlgorithm signs the ID tokens of clients that registered no
	// id_token_signed_response_alg. Empty is RS256, which such clients expect (OpenID Connect
	// Registration §2) and a provider must have (OpenID Connect Discovery §3). An operator
	// that must not have RSA keys sets another one, such as ES256.
	IDTokenAlgorithm jwt.Algorithm
	// JWKSURL is where Keys are published, if not by the server itself.
	JWKSURL string

	// Scopes are all that there are, besides those of OpenID Connect: "openid", "profile",
	// "email", "address", "phone" and "offline_access".
	Scopes []Scope
	// IgnoreUnknownScopes leaves scopes that do not exist out of an authorization request that
	// has "openid", as OpenID Connect Core §3.1.2.1 recommends. Otherwise the answer is
	// invalid_scope. A client learns from the "scope" of the token response what it got.
	IgnoreUnknownScopes bool
	// Resources are the APIs that tokens are for (RFC 8707). The first is meant
	// if a request names no resource. If nil, there is one with the issuer's URL.
	Resources []Resource
	// AllowAnyAudienceAtUserInfo makes tokens for every resource good at the userinfo endpoint, if they
	// have the scope openid. An API that is sent such a token can then read the profile of its user. If
	// false, the audience must have the issuer, the URL of the endpoint or, as it does where the client
	// names no resource, the first of Resources that the client may have (RFC 9068 §4).
	AllowAnyAudienceAtUserInfo bool
	// Grants are the ways to get tokens. Nil is [AuthorizationCode],
	// [RefreshToken] and [ClientCredentials].
	Grants []GrantType

	// Lifetimes of what is issued. LifetimesOf, if not nil, is asked each time,
	// and what it leaves zero is that of Lifetimes.
	Lifetimes   Lifetimes
	LifetimesOf func(LifetimeRequest) Lifetimes
	// Grace is for how long a refresh token of a confidential client, presented again after
	// its use, answers with the same successor. A client that lost the answer, or
	// that refreshes in several requests at once, keeps its grant so. It is at most a minute.
	// 0 is 10 seconds, and NoGrace is no grace: a second use ends the grant (RFC 9700 §4.14.2).
	//
	// A public client has no grace, and Client.RefreshGrace is that of one client.
	Grace time.Duration
	// Prefix starts all tokens and codes, at most 6 characters of A-Z, a-z, 0-9,
	// "-" and "_", of which "_" should be the last.
	Prefix string

	// Claims returns what the application tells of a user, at the userinfo endpoint and in
	// tokens (OpenID Connect Core §5.1): see [ClaimsRequest]. Claims of the protocol, such as
	// "exp", are an error in tokens and introspection. So are more than 4 KiB of JSON in tokens.
	// Every error is an outage. A "sub" is replaced.
	// If nil, only the claims of the protocol are told.
	Claims func(ctx context.Context, r ClaimsRequest) (map[string]any, error)
	// Discovery is what the metadata tell besides.
	Discovery Discovery
	// SecretHashes verifies secrets of clients that another system has hashed: see
	// Registration.ClientSecretHash. A *password.Hasher reads those of Django. At most 2 are
	// verified at once, and 100 of a client wait. If nil, no such secret is read.
	SecretHashes SecretHasher
	// AllowGuessing looks at every secret that a client sends. Otherwise, after 30 wrong secrets of
	// a client from one address (IPv6: /64), further ones are 429 with Retry-After until 2 seconds
	// have passed for each. A wrong secret that comes again within an hour counts once. From other addresses, the
	// client is not affected (RFC 6749 §2.3.1). Each process counts for itself. Behind a proxy, set
	// auth.Config.Proxies, or all clients have one address.
	AllowGuessing bool
	// Username is told in answers to introspection. Nil leaves it out.
	Username func(user auth.User) string

	// Limit is the most live grants of a user. A grant is what one code, or one Issue, gave
	// to an application. One more is refused, with ErrLimit as its cause, or, with
	// EvictOldest, ends the oldest with its tokens and sends an EventRevoked. 0 is 1,000,
	// of which the oldest ends. NoLimit removes the limit.
	//
	// The refusal is access_denied at the authorization endpoint and invalid_grant at the
	// token endpoint.
	Limit       int
	EvictOldest bool
	// ClientLimit is Limit for what a client has for itself, with the client credentials
	// grant. The cause is ErrClientLimit. 0 is 10,000, of which the oldest ends.
	ClientLimit int

	// Developers says which users may register applications of their own, on a page. If nil,
	// no user may, and there is no such page.
	Developers auth.Policy
	// DeveloperGrants are the grants that these may have. Nil is
	// authorization_code and refresh_token.
	DeveloperGrants []string
	// DeveloperScopes bounds the scopes of clients that have an Owner. By default, such a client
	// may ask users for every scope, and has no scope for itself.
	DeveloperScopes DeveloperScopes
	// DeveloperLimit is the most clients that a Registration.Owner may have. One more is
	// refused, with ErrDeveloperLimit as its cause. 0 is 100, and NoLimit removes the limit.
	DeveloperLimit int

	// Pages replaces the look of single pages.
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
	shortSecrets *loglimit.Once
	access       string // prefixes
	refresh      string
	code         string
	seals        []seal.Key    // of requests that browsers keep
	ownSeal      *atomic.Bool  // not nil if seals has a random key, and true until the log was told
	codeKey      redact.Secret // of codes that answer these
}

// exchangeFunc is [GrantType].Exchange of one grant.
type exchangeFunc func(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error)

var (
	_ oauth2.Source   = (*Server)(nil)
	_ oauth2.Recaller = (*Server)(nil)
	_ auth.Revoker    = (*Server)(nil)
	_ auth.Purger     = (*Server)(nil)
)

// backendName is what events name the server.
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
	c.Lifetimes = c.Lifetimes.or(defaultLifetimes)
	settings.Add("Config.Lifetimes", c.Lifetimes.check())
	s.setPrefixes(settings)
	settings.Add("Config.RequestKeys", s.setRequestKeys())
	s.events = backend.NewEvents(c.Observer, backendName)
	c.Discovery.check(settings)
	c.checkResources(settings)
	s.limits = c.checkLimits(settings)
	s.features = newRegistry(s, settings, features)
	c.Grants = nil
	c.checkScopes(settings)
	s.checkResourceScopes(settings)
	s.checkDeveloperScopes(settings)
	settings.Refuse(s.features.pagesForPeople && c.SignIn == nil, "pages for people need Config.SignIn: "+
		"those of the authorization code grant, Config.Developers and Config.Logout")
	if err := settings.Err(); err != nil {
		return nil, err
	}
	c.RequestKeys = nil // they are in the seals, and nowhere that could be printed
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
	issuer, err := checkIssuer(c.Issuer, c.InsecureHTTP)
	settings.Need("Config.Issuer", c.Issuer)
	settings.Refuse(err != nil && c.Issuer != "", "%w", err)
	c.Name = cmp.Or(c.Name, issuer.Host)
	path := cmp.Or(c.Path, "/o")
	c.Path = strings.TrimSuffix(path, "/")
	settings.Refuse(!validPath(c.Path), "Config.Path %q is no path below the root", path)
	s.origin, s.path = issuer.Scheme+"://"+issuer.Host, strings.TrimSuffix(issuer.EscapedPath(), "/")
}

// setPrefixes checks Config.Prefix.
func (s *Server) setPrefixes(settings *backend.Settings) {
	prefix := s.config.Prefix
	settings.Refuse(len(prefix) > 6 || strings.Trim(prefix, alphanumeric+"-_") != "",
		"Config.Prefix %q is longer than 6 or has other characters than A-Z, a-z, 0-9, - and _", prefix)
	s.access, s.refresh, s.code = prefix+"at_", prefix+"rt_", prefix+"ac_"
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// OpenID reports whether the server is an OpenID provider.
func (s *Server) OpenID() bool { return s.openID }

// url returns the URL of an endpoint.
func (s *Server) url(endpoint string) string { return s.origin + s.config.Path + endpoint }

// now is the time as stores keep it.
func now() time.Time { return backend.StoreTime(time.Now()) }

func (s *Server) logger() *slog.Logger { return cmp.Or(s.config.Logger, slog.Default()) }

func (s *Server) sendEvent(ctx context.Context, kind auth.EventKind, userID, id string) {
	s.events.Send(ctx, auth.Event{Kind: kind, UserID: userID, CredentialID: id})
}

// digestOf is the store's key of a secret that is not one of our tokens.
func digestOf(secret string) string { return backend.TokenDigest(secret, "") }
