package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/jwt"
)

// EndpointConfig says where the endpoints of a [Server] are, and how browsers come back to them after a login.
type EndpointConfig struct {
	// Path is where the endpoints are on the issuer's host. Empty is "/o".
	Path string
	// InsecureHTTP allows an Issuer by plain http on any host: everybody on the way
	// can then read passwords, codes and tokens.
	InsecureHTTP bool
	// RequestKeys seal the authorization requests of browsers that have to sign in first. The browser
	// keeps such a request in its address, so strangers fill no store. Each key has at least 32 random
	// bytes. The first seals and all open, so a new one is given to all instances in second place first.
	// If nil, they are derived from the application keys of a [jwt.Keyring] in Config.Keys, also of one that a
	// decorator wraps with a method Unwrap() jwt.KeySource. Without one, there is a random key, and the
	// log and Audit say so: a login that comes back to another instance, or after a restart, must then start
	// again at the application.
	RequestKeys []auth.Secret
}

// TokenConfig says how a [Server] issues tokens, and what is in them.
type TokenConfig struct {
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
	// Username is told in answers to introspection. Nil leaves it out.
	Username func(user auth.User) string
}

// OpenIDConfig has the settings of OpenID Connect. There are ID tokens if Config.Keys is set and the authorization code
// grant is among Config.Tokens.Grants.
type OpenIDConfig struct {
	// Discovery is what the metadata tell besides.
	Discovery Discovery
	// IDTokenAlgorithm signs the ID tokens of clients that registered no
	// id_token_signed_response_alg. Empty is RS256, which such clients expect (OpenID Connect
	// Registration §2) and a provider must have (OpenID Connect Discovery §3). An operator
	// that must not have RSA keys sets another one, such as ES256.
	IDTokenAlgorithm jwt.Algorithm
	// JWKSURL is where Config.Keys are published, if not by the server itself.
	JWKSURL string
	// Logout ends the browser's session, for RP-initiated logout. Nil is without
	// that endpoint.
	Logout func(w http.ResponseWriter, r *http.Request) error
	// IgnoreUnknownScopes leaves scopes that do not exist out of an authorization request that
	// has "openid", as OpenID Connect Core §3.1.2.1 recommends. Otherwise the answer is
	// invalid_scope. A client learns from the "scope" of the token response what it got.
	IgnoreUnknownScopes bool
	// AllowAnyAudienceAtUserInfo makes tokens for every resource good at the userinfo endpoint, if they
	// have the scope openid. An API that is sent such a token can then read the profile of its user. If
	// false, the audience must have the issuer, the URL of the endpoint or, as it does where the client
	// names no resource, the first of Config.Resources that the client may have (RFC 9068 §4).
	AllowAnyAudienceAtUserInfo bool
}

// ClientConfig says how clients prove themselves to a [Server], and which users may register some.
type ClientConfig struct {
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
}

// GrantLimits says how many live grants there may be. A grant is what one code, or one Issue, gave
// to an application.
type GrantLimits struct {
	// User is the most live grants of a user. One more is refused, with ErrLimit as its cause, or, with
	// EvictOldest, ends the oldest with its tokens and sends an EventRevoked. 0 is 1,000,
	// of which the oldest ends. NoLimit removes the limit.
	//
	// The refusal is access_denied at the authorization endpoint and invalid_grant at the
	// token endpoint.
	User int
	// Client is the limit for what a client has for itself, with the client credentials
	// grant. The cause is ErrClientLimit. 0 is 10,000, of which the oldest ends.
	Client int
	// EvictOldest ends the oldest grant for a new one, where User or Client is set.
	EvictOldest bool
}

// Format shows nothing of a Config, because a grant of the application may hold a secret, and package fmt prints it.
func (Config) Format(f fmt.State, _ rune) { redact.WriteType(f, "server.Config") }

// Format shows nothing of the keys. If a verb does not fit, package fmt prints an [auth.Secret] of a field without its
// methods.
func (EndpointConfig) Format(f fmt.State, _ rune) { redact.WriteType(f, "server.EndpointConfig") }

// Format shows nothing of the grants, because one of the application may hold a secret, and package fmt prints it.
func (TokenConfig) Format(f fmt.State, _ rune) { redact.WriteType(f, "server.TokenConfig") }
