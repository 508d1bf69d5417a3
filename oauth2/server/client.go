package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/jwt"
)

// The ways in which a client authenticates at the token endpoint (RFC 7591 §2).
const (
	AuthNone              = "none" // a public client: it proves nothing (RFC 6749 §2.1)
	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
)

// The grants that are built in (RFC 6749, OpenID Connect Core §3.1).
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
)

// Client is an application that asks for tokens (RFC 6749 §2), as a [Store]
// keeps it. The names in JSON are those of RFC 7591 §2 where it has one.
//
// Its fields are not grouped, because they are the members of the flat JSON object that stores keep.
type Client struct {
	ID           string `json:"client_id"` // visible ASCII, at most 200 bytes (RFC 6749 appendix A.1)
	SecretDigest string `json:"secret_digest,omitempty"`
	Name         string `json:"client_name,omitempty"` // what users are shown
	// Owner is the user that may change it, or "". It has nothing while the owner is disabled or deleted:
	// it gets no tokens, and those that it got for itself since it has the owner are not good. Earlier access tokens
	// are good until they expire.
	Owner string `json:"owner,omitempty"`

	// SecretHash is its secret as another system hashed it, while SecretDigest is "": see
	// Registration.ClientSecretHash. The first request with the right secret puts SecretDigest in its place.
	SecretHash string `json:"secret_hash,omitempty"`
	// SecretReplaces is a digest of the SecretHash that SecretDigest has replaced, or "".
	SecretReplaces string `json:"secret_replaces,omitempty"`
	// SecretsRetired are digests of the last 50 secrets and hashes that [Server.RenewSecret] retired. A registration
	// with one of them does not bring it back: see [Server.EnsureClient].
	SecretsRetired []string `json:"secrets_retired,omitempty"`

	// AuthMethod is how it authenticates. "" is with its secret, by Basic or in
	// the body: clients that try both are many.
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"`

	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes             []string `json:"grant_types,omitempty"`
	// Scopes are all that it may ask for, and what it gets if it does not name any.
	Scopes []string `json:"scopes,omitempty"`
	// Resources are those that it may ask tokens for. Nil is every one of
	// Config.Resources.
	Resources []string `json:"resources,omitempty"`
	// ResourceServer are the resources that it is: it may introspect tokens that
	// are for one of them (RFC 7662 §4).
	ResourceServer []string `json:"resource_server,omitempty"`

	// IDTokenAlgorithm signs its ID tokens. "" is Config.OpenID.IDTokenAlgorithm.
	IDTokenAlgorithm jwt.Algorithm `json:"id_token_signed_response_alg,omitempty"`

	// ClaimsInIDToken puts what Config.Tokens.Claims returns into its ID tokens, for clients that read
	// name and e-mail address there. Others get them at the userinfo endpoint (OpenID Connect
	// Core §5.4).
	ClaimsInIDToken bool `json:"id_token_claims,omitempty"`

	// FirstParty is of the same people as the server: users are not asked
	// whether they agree.
	FirstParty bool `json:"first_party,omitempty"`
	// RefreshGrace is Config.Tokens.Grace for this client, in seconds: 1 to 60, or -1 for no grace. 0 is
	// Config.Tokens.Grace, and no grace for a public client. A public client with a grace does not
	// notice a thief that uses its refresh token within that time.
	RefreshGrace int `json:"refresh_token_grace,omitempty"`
	// AllowWithoutPKCE lets a confidential client leave out PKCE (RFC 7636). A code that an
	// attacker injects is then noticed only by a client that sends a nonce and checks it in
	// the ID token (RFC 9700 §2.1.1).
	AllowWithoutPKCE bool `json:"allow_without_pkce,omitempty"`
	// AllowShortSecret lets the operator choose a secret of fewer than 16 bytes. An attacker that may ask often enough,
	// or reads the database, finds such a secret by trying (RFC 6749 §10.10).
	AllowShortSecret bool `json:"allow_short_secret,omitempty"`
	// IgnoreUnknownScopes is Config.OpenID.IgnoreUnknownScopes for this client alone.
	IgnoreUnknownScopes bool `json:"ignore_unknown_scopes,omitempty"`
	// RevokeGrantWithAccessToken ends the whole grant if the client revokes an access token of
	// it (RFC 7009 §2.1). Otherwise the refresh token stays good.
	RevokeGrantWithAccessToken bool `json:"revoke_grant_with_access_token,omitempty"`
	// Disabled clients get nothing, and what they had has ended.
	Disabled bool `json:"disabled,omitempty"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // when it was last changed
}

// Format shows the ID of a Client alone, because its digests and hashes help to guess its secret. Its JSON has them
// all, for stores.
func (c Client) Format(f fmt.State, _ rune) {
	redact.WriteType(f, "server.Client "+strconv.Quote(c.ID))
}

// LogValue shows what Format does.
func (c Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// Public reports a client that cannot keep a secret (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }

// Allows reports whether the client may use a grant.
func (c *Client) Allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// mayAskFor reports whether the client may ask for tokens for a resource.
func (c *Client) mayAskFor(resource string) bool {
	return c.Resources == nil || slices.Contains(c.Resources, resource)
}

// isResource reports whether the client is a resource server of this identifier.
func (c *Client) isResource(id string) bool { return slices.Contains(c.ResourceServer, id) }

// CheckSecret compares with SecretDigest in constant time. A client without one has no secret that fits.
func (c *Client) CheckSecret(secret string) bool {
	digest := DigestSecret(auth.Secret(secret))
	return c.SecretDigest != "" && subtle.ConstantTimeCompare([]byte(digest), []byte(c.SecretDigest)) == 1
}

// NewSecret returns a random secret of 256 bits and its digest. It is all
// random, so that a hash as slow as a password's would only serve attackers that send
// many wrong ones.
func NewSecret() (secret auth.Secret, digest string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	secret = auth.Secret(base64.RawURLEncoding.EncodeToString(random[:]))
	return secret, DigestSecret(secret)
}

// DigestSecret returns what is kept of a client's secret: SHA-256 in base64url.
// It is for secrets that are random.
func DigestSecret(secret auth.Secret) string {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// NewClientID returns a new identifier, a UUID. No program takes it for a flag.
func NewClientID() string { return backend.NewID() }

// containsAll reports whether all has every one of some.
func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}
