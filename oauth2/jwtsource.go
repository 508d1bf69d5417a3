package oauth2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/memo"
	"github.com/gatewarden/auth/jwt"
)

// JWTConfig is the configuration of a [JWT]. Issuer and Audience are required.
type JWTConfig struct {
	// Issuer is the authorization server, compared byte by byte (RFC 9068 §4). It may be a template, as
	// in jwt.Issuer, and then needs Keys, and Shared.Tenants or Shared.AllowAnyTenant.
	Issuer string
	// Audience are names of this API, of which a token must have one.
	Audience []string
	// Keys are the issuer's. Nil are those that its metadata names, fetched by
	// Client when they are needed and kept for 5 minutes.
	Keys   jwt.KeySource
	Client *http.Client // as in jwt.RemoteKeysConfig

	// Profile says how the issuer writes access tokens, such as [jwt.Keycloak], [jwt.Entra], [jwt.Auth0]
	// and [jwt.Okta]: their "typ", the claims with scopes and the client, what marks a machine's token,
	// and what tells them from ID tokens. Claims of RFC 9068 that the profile does not ask for may be
	// missing. The zero value, and [jwt.Gatewarden], are issuers that follow RFC 9068.
	Profile jwt.Profile
	// UserClaim names the user. Empty is "sub". AllowUnverifiedEmail is as in jwt.Issuer: it takes an
	// e-mail address in another claim although the issuer does not say that it is verified.
	UserClaim            string
	AllowUnverifiedEmail bool
	// MachinePrefix comes before the identifier of each machine, as in [IntrospectionConfig].
	MachinePrefix string

	// Shared is as in jwt.Issuer: which customers of an issuer that many share may call. Issuers that give
	// tokens for every audience to everybody, such as those of [jwt.Google] and [jwt.GitHubActions], need
	// Shared.RequireValues.
	Shared jwt.SharedIssuer
	// Checks are what a token must say besides.
	Checks JWTChecks

	// Revocations is asked at every request whether a token is void. If nil, tokens cannot be revoked.
	Revocations jwt.Revocations
	// CacheSize is how many verified tokens are remembered. 0 is 10,000, and less than 0 is not at all.
	CacheSize int

	// MaxLength is the longest token that is looked at, in bytes, at most 1 MiB. 0 is
	// [auth.MaxAuthorization]. A header is read so far only if auth.Config.MaxAuthorization
	// allows it.
	MaxLength int
}

// JWTChecks are what a token must say for a [JWT]. The zero value is strict.
type JWTChecks struct {
	// Algorithms are those accepted. Nil is every asymmetric one.
	Algorithms []jwt.Algorithm
	// Types are as in jwt.TokenChecks. Nil is those of JWTConfig.Profile, or "at+jwt" (RFC 9068 §2.1).
	// Without a Profile, only their audience tells access tokens from ID tokens of an issuer that
	// writes "JWT".
	Types []string
	// AllowMissing are claims of RFC 9068 §2.2 that may be missing, of client_id, iat and jti, for an
	// issuer without a Profile. A token of a machine without client_id cannot be told from a user's.
	AllowMissing []string
	// Leeway is as in jwt.TokenChecks.
	Leeway time.Duration
}

// JWT is a [Source] of JWT access tokens (RFC 9068) of one issuer. It asks no server
// about a token, so one that was revoked is good until it expires.
type JWT struct {
	issuer   string
	prefix   string              // of machines
	bound    map[string][]string // Profile.BoundKinds
	audience string              // Profile.AudienceClaim
	verifier *jwt.Verifier
	remote   *jwt.RemoteKeys // nil with JWTConfig.Keys
	leeway   time.Duration   // which Resource gives a token that a source found, too
	// arguments are what RequireBearerToken calls its settings, by their names here.
	arguments map[string]string
	// foreign are the refusals of tokens of other issuers, by those of package jwt.
	foreign memo.Memo[*auth.Error, error]
}

var (
	_ Source      = (*JWT)(nil)
	_ TokenLookup = (*JWT)(nil)
)

// NewJWT returns a JWT, or an error that says which setting is missing or wrong. It
// fetches nothing.
func NewJWT(config JWTConfig) (*JWT, error) {
	c := config
	if err := c.check(); err != nil {
		return nil, err
	}
	source := &JWT{issuer: c.Issuer, leeway: c.Checks.Leeway, prefix: c.MachinePrefix,
		audience: c.Profile.AudienceClaim, bound: maps.Clone(c.Profile.BoundKinds)}
	for name, kinds := range source.bound {
		source.bound[name] = slices.Clone(kinds)
	}
	if c.Keys == nil {
		remote, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: c.Issuer, Client: c.Client})
		if err != nil {
			return nil, err
		}
		source.remote, c.Keys = remote, remote
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: c.CacheSize, MaxLength: c.MaxLength,
		Issuers: []jwt.Issuer{{
			Issuer: c.Issuer, Audience: c.Audience, Keys: c.Keys, Profile: c.Profile, Shared: c.Shared,
			Checks: jwt.TokenChecks{Algorithms: c.Checks.Algorithms, Types: c.Checks.Types, Leeway: c.Checks.Leeway,
				Require: c.required()},
			Format: jwt.Format{UserClaim: c.UserClaim}, AllowUnverifiedEmail: c.AllowUnverifiedEmail,
			MachinePrefix: c.MachinePrefix, User: jwt.SubjectUser, Revocations: c.Revocations,
			Claims:           source.readClaims,
			AllowBoundTokens: true, // Resource asks for the proof
		}}})
	if err != nil {
		return nil, err
	}
	source.verifier = verifier
	return source, nil
}

// followsRFC9068 reports an issuer that writes the claims of RFC 9068 §2.2.
func (c *JWTConfig) followsRFC9068() bool {
	return c.Profile.Own || reflect.ValueOf(c.Profile).IsZero()
}

// required returns the claims that a token must have besides those that package jwt asks for.
func (c *JWTConfig) required() (claims []string) {
	if !c.followsRFC9068() {
		return nil // the profile says what an access token has
	}
	for _, claim := range []string{"client_id", "iat", "jti"} {
		if !slices.Contains(c.Checks.AllowMissing, claim) {
			claims = append(claims, claim)
		}
	}
	return claims
}

func (c *JWTConfig) check() error {
	s := backend.Settings{Package: "oauth2"}
	s.Refuse(c.Checks.AllowMissing != nil && !c.followsRFC9068(),
		"JWTConfig.Checks.AllowMissing is for issuers without a Profile, which says what its tokens have")
	s.Refuse(c.Issuer == "" || len(c.Audience) == 0, "JWTConfig.Issuer or Audience is missing")
	template := strings.Contains(c.Issuer, "{tenantid}")
	s.Refuse(template && c.Keys == nil,
		"JWTConfig.Keys is missing: there is no metadata of an Issuer that is a template")
	if c.Issuer != "" && c.Keys == nil && !template { // its metadata is fetched
		if err := fetch.CheckURL(c.Issuer); err != nil {
			s.Refuse(true, "JWTConfig.Issuer %w", err)
		}
	}
	// Typed nils.
	if c.Keys != nil {
		s.Need("JWTConfig.Keys", c.Keys)
	}
	if c.Revocations != nil {
		s.Need("JWTConfig.Revocations", c.Revocations)
	}
	return s.Err()
}

// Run keeps the issuer's keys fresh until ctx ends, and returns its error. Without
// it, a request now and then waits for them.
func (j *JWT) Run(ctx context.Context) error {
	if j.remote == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return j.remote.Run(ctx)
}

// Check reports whether tokens can be checked now: a health check.
func (j *JWT) Check(ctx context.Context) error {
	if j.remote == nil {
		return nil
	}
	return j.remote.Check(ctx)
}

// Lookup implements [TokenLookup].
func (j *JWT) Lookup(source Source) LookupFunc {
	if source != Source(j) {
		return nil
	}
	return j.recall
}

// recall is a [LookupFunc]. Package jwt refuses characters outside base64url before it asks for a key.
func (j *JWT) recall(ctx context.Context, token string, _ time.Time) (*Token, error) {
	found, err := j.Inspect(ctx, token)
	if err != nil {
		return nil, err
	}
	if now := time.Now(); found.expired(now) { // keys and revocations may have taken a while
		return nil, errExpired(found, now)
	}
	return found, nil
}

// Inspect implements [Source].
func (j *JWT) Inspect(ctx context.Context, token string) (*Token, error) {
	user, credential, err := j.verifier.VerifyToken(ctx, token)
	switch auth.KindOf(err) {
	case auth.ErrInvalid, auth.ErrMalformed:
		return nil, errInvalid(j.cause(err))
	case auth.ErrUnrecognized:
		return nil, j.unrecognized(err)
	}
	if err != nil {
		return nil, backend.Outage(err)
	}
	verified, ok := auth.As[*jwt.Token](credential)
	if !ok {
		return nil, backend.Outage(errors.New("oauth2: a verifier returned another credential than a *jwt.Token"))
	}
	claims, _ := jwt.ClaimsOf[*claims](verified)
	return claims.token(j, verified, user), nil
}

// unrecognized puts a refusal of package jwt into the words of this package. It is made once,
// because package jwt returns one of a few for what anybody can send.
func (j *JWT) unrecognized(err error) error {
	if stated, ok := err.(*auth.Error); ok {
		return j.foreign.Get(stated, func(stated *auth.Error) error { return errUnrecognized(j.cause(stated)) })
	}
	return errUnrecognized(j.cause(err))
}

// claims are what is read of a token besides what package jwt does. They are
// remembered with it.
type claims struct {
	all          map[string]any
	confirmation map[string]string
	made         atomic.Pointer[Token] // of the token that the claims are of
}

// readClaims is a jwt.Issuer.Claims.
func (j *JWT) readClaims(payload []byte) (any, error) {
	c := &claims{}
	if err := json.Unmarshal(payload, &c.all); err != nil {
		return nil, err
	}
	var err error
	if c.confirmation, err = confirmationOf(c.all["cnf"]); err != nil {
		return nil, err
	}
	for name, kinds := range j.bound {
		if kind := oneOf(c.all[name], kinds); c.confirmation == nil && kind != "" {
			return nil, fmt.Errorf("%s is %q, so the token is bound to a key, and cnf does not say to which",
				name, kind)
		}
	}
	return c, nil
}

// oneOf returns the one of kinds that a claim is or, if it is an array, has. Otherwise it returns "".
func oneOf(claim any, kinds []string) string {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	for _, each := range list {
		if kind, ok := each.(string); ok && slices.Contains(kinds, kind) {
			return kind
		}
	}
	return ""
}

// token returns the Token of a token with these claims.
func (c *claims) token(j *JWT, verified *jwt.Token, user auth.User) *Token {
	if made := c.made.Load(); made != nil {
		return made
	}
	t := SharedToken(Token{Issuer: verified.Issuer(), Subject: verified.Subject(), ClientID: verified.ClientID(),
		Audience: verified.Audience(), ID: verified.ID(), IssuedAt: verified.IssuedAt(), Expiry: verified.ExpiresAt(),
		Auth: verified.AuthInfo(), Confirmation: c.confirmation, Claims: c.all, leeway: j.leeway, decided: true})
	t.Scope, _ = verified.Scopes()
	if machine, ok := user.(auth.Machine); ok {
		t.machine = machine.ID // with its prefix
	}
	if name, ok := c.all[j.audience].(string); ok && len(t.Audience) == 0 {
		t.Audience = []string{name}
	}
	c.made.Store(t)
	return t
}

// confirmationOf reads "cnf" (RFC 7800 §3.1): members that are no strings are there,
// too, since a token that has them is bound to something.
func confirmationOf(value any) (map[string]string, error) {
	if value == nil {
		return nil, nil
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) == 0 {
		return nil, errors.New("oauth2: cnf is no object, or an empty one")
	}
	confirmation := make(map[string]string)
	for name, member := range members {
		text, _ := member.(string)
		confirmation[name] = text
	}
	return confirmation, nil
}
