package jwt

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/memo"
	"github.com/gatewarden/auth/internal/tokencache"
)

// VerifierConfig is the configuration of a [Verifier]. Issuers is required.
type VerifierConfig struct {
	// Issuers are the issuers of tokens that are accepted. No two may have the same Issuer,
	// and only one Checks.AllowNoIssuer.
	Issuers []Issuer

	// Name is what credentials return as their backend. Empty is "jwt".
	Name string
	// Schemes are the schemes of the Authorization header that are spoken, in
	// any case. Nil is "Bearer" (RFC 6750).
	Schemes []string
	// Realm is named in challenges (RFC 9110 §11.5). Empty is "api".
	Realm string

	// CacheSize is how many verified tokens are remembered. 0 is 10,000, less
	// than 0 is no cache. What a remembered token says is not checked again, but its
	// expiry, its keys, revocation and its user are.
	CacheSize int
	// CacheTTL is the longest that a token is remembered. 0 is 10 minutes.
	CacheTTL time.Duration

	// MaxLength is the longest token that is looked at, in bytes, at most 1 MiB. 0 is
	// [auth.MaxAuthorization]. A token in a header may be longer only if
	// auth.Config.MaxAuthorization allows it. Tokens that came otherwise need nothing else,
	// such as ID tokens of a provider that puts hundreds of groups there.
	MaxLength int

	// Logger is told of optional claims that are of another type than they must have and
	// therefore count as absent, such as "acr": 1. Each claim of an issuer is told once.
	// Nil is slog.Default.
	Logger *slog.Logger
}

// Verifier is the backend that checks tokens of one or several issuers. It is
// safe for concurrent use.
type Verifier struct {
	config    VerifierConfig
	byIssuer  map[string]*issuer
	templates []*issuer // issuers that are templates
	noIssuer  *issuer   // of tokens without "iss", may be nil
	headers   headers
	cache     *cache // may be nil
	want      wanted
	unknown   *refusal // of a token of another issuer
	without   *refusal // of a token without "iss"
	tooLong   *refusal
	// malformed are the errors of package auth for a malformed header, in our words.
	malformed memo.Memo[*auth.Error, error]
}

var (
	_ auth.Authenticator = (*Verifier)(nil)
	_ auth.TokenVerifier = (*Verifier)(nil)
	_ auth.Named         = (*Verifier)(nil)
	_ auth.Challenger    = (*Verifier)(nil)
	_ auth.TokenOwner    = (*Verifier)(nil)
	_ auth.Ambient       = (*Verifier)(nil)
	_ auth.Varier        = (*Verifier)(nil)
)

// NewVerifier returns a Verifier, or an error that tells of each setting that is
// missing, out of range or contradicts another.
func NewVerifier(config VerifierConfig) (*Verifier, error) {
	s := backend.Settings{Package: "jwt"}
	s.Refuse(len(config.Issuers) == 0, "VerifierConfig.Issuers is empty")
	var issuers []*issuer
	for _, each := range config.Issuers {
		issuers = append(issuers, checkIssuer(&s, each))
	}
	v := newVerifier(&s, config, issuers)
	if err := s.Err(); err != nil {
		return nil, err
	}
	return v, nil
}

const defaultName = "jwt"

func newVerifier(s *backend.Settings, config VerifierConfig, issuers []*issuer) *Verifier {
	config.Issuers = nil // issuers are copies
	config.Name = cmp.Or(config.Name, defaultName)
	config.Realm = cmp.Or(config.Realm, "api")
	config.CacheSize = cmp.Or(config.CacheSize, 10_000)
	config.CacheTTL = cmp.Or(config.CacheTTL, 10*time.Minute)
	config.MaxLength = cmp.Or(config.MaxLength, maxToken)
	config.Schemes = slices.Clone(config.Schemes)
	if len(config.Schemes) == 0 {
		config.Schemes = []string{"Bearer"}
	}
	s.Schemes("Schemes", config.Schemes)
	s.Refuse(config.CacheTTL < 0, "CacheTTL is negative")
	s.Refuse(config.MaxLength < 0 || config.MaxLength > 1<<20, "MaxLength is not within 0 and 1 MiB")
	v := &Verifier{config: config, byIssuer: make(map[string]*issuer), want: wantAccess,
		tooLong: tooLong(config.MaxLength, "VerifierConfig.MaxLength")}
	if len(issuers) > 0 && issuers[0].own != nil {
		v.tooLong = tooLong(config.MaxLength, "") // Tokens have no setting for it
	}
	for _, i := range issuers {
		v.add(s, i)
		if i.Checks.AllowNoIssuer {
			s.Refuse(v.noIssuer != nil,
				"Checks.AllowNoIssuer is set for two issuers, so that nothing tells their tokens apart")
			v.noIssuer = i
		}
	}
	v.checkPrefixes(s, issuers)
	v.nameIssuers(issuers)
	if config.CacheSize > 0 {
		v.cache = newCache(config.CacheSize, config.CacheTTL)
	}
	return v
}

// add makes an issuer known by its name.
func (v *Verifier) add(s *backend.Settings, i *issuer) {
	name := i.Issuer.Issuer
	if i.tenancy != nil {
		s.Refuse(slices.ContainsFunc(v.templates, func(other *issuer) bool { return other.Issuer.Issuer == name }),
			"two issuers %q", name)
		v.templates = append(v.templates, i)
		return
	}
	if name != "" {
		s.Refuse(v.byIssuer[name] != nil, "two issuers %q", name)
		v.byIssuer[name] = i
	}
}

// Backend returns Config.Name.
func (v *Verifier) Backend() string { return v.config.Name }

// Challenges returns one challenge per scheme (RFC 6750 §3).
func (v *Verifier) Challenges() []auth.Challenge {
	var challenges []auth.Challenge
	for _, scheme := range v.config.Schemes {
		challenges = append(challenges, auth.Challenge{Scheme: scheme,
			Params: []auth.Param{{Name: "realm", Value: v.config.Realm}}})
	}
	return challenges
}

// OwnTokens returns an empty list, because issuers tell tokens apart and
// prefixes do not: tokens of other issuers are ErrUnrecognized.
func (v *Verifier) OwnTokens() []auth.TokenClass { return nil }

// Ambient returns false: no browser adds a token by itself.
func (v *Verifier) Ambient() bool { return false }

// Vary returns Authorization, the one header that is read.
func (v *Verifier) Vary() []string { return []string{"Authorization"} }

// Authenticate proves a request by the token in its Authorization header. See
// [auth.Authenticator] and [Verifier.VerifyToken]. A header that is no scheme
// and token is ErrMalformed, "bad_authorization_header".
func (v *Verifier) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	scheme, token, err := auth.Authorization(r)
	if err != nil {
		return nil, nil, v.headerError(err)
	}
	if !v.hasScheme(scheme) {
		_, _, err := auth.TokenFrom(r, v.config.Schemes...) // which knows misspelled ones
		return nil, nil, v.headerError(err)
	}
	ctx, now := r.Context(), time.Now()
	known, key := v.recall(ctx, token, now)
	if known == nil { // and so it may have any characters
		if _, token, err = auth.TokenFrom(r, v.config.Schemes...); err != nil {
			return nil, nil, v.headerError(err)
		}
		if known, err = v.learn(ctx, token, key, now); err != nil {
			return nil, nil, inHeader(err)
		}
	}
	return v.admit(ctx, known, now)
}

// hasScheme reports whether scheme is one of Config.Schemes.
func (v *Verifier) hasScheme(scheme string) bool {
	for _, s := range v.config.Schemes {
		if len(s) == len(scheme) && strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

// headerError gives a malformed header the code and words of simplejwt. The
// status stays: 400 for Bearer.
func (v *Verifier) headerError(err error) error {
	if stated, ok := err.(*auth.Error); ok && auth.KindOf(err) == auth.ErrMalformed {
		return v.malformed.Get(stated, restateHeader)
	}
	return err
}

func restateHeader(stated *auth.Error) error {
	return &auth.Error{Kind: auth.ErrMalformed, Code: codeBadHeader, Detail: detailHeader,
		Status: stated.Status, Cause: stated}
}

// VerifyToken proves a bare token, such as one from a WebSocket or from gRPC
// metadata. The errors are
//
//   - ErrUnrecognized: no JWT by its shape, or of another issuer
//   - ErrInvalid: the issuer's, and no good: signature, algorithm, header,
//     expiry, audience, type, a missing claim, revoked, or a user that is gone,
//     inactive or has another stamp
//   - ErrMalformed: longer than VerifierConfig.MaxLength
//   - any other error: keys, revocations or the user could not be asked
//
// The credential is a [*Token].
func (v *Verifier) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	if len(token) <= v.config.MaxLength && strings.IndexByte(token, '.') < 0 {
		return nil, nil, inHeader(errNotThreeParts) // as check says, without a clock
	}
	now := time.Now()
	known, key := v.recall(ctx, token, now)
	if known == nil {
		var err error
		if known, err = v.learn(ctx, token, key, now); err != nil {
			return nil, nil, inHeader(err)
		}
	}
	return v.admit(ctx, known, now)
}

func (v *Verifier) admit(ctx context.Context, known *verified, now time.Time) (auth.User, auth.Credential, error) {
	user, err := known.issuer.admit(ctx, known, now)
	if err != nil {
		return nil, nil, inHeader(err)
	}
	return user, known.token, nil
}

// longToken is a length from which a token is hashed only if its header is one
// that was seen on a good token: a hash of garbage must not cost more than its
// refusal.
const longToken = 1000

// recall returns what is remembered of a token, or nil, and the key it has in
// the cache, which is zero if it was not needed.
func (v *Verifier) recall(ctx context.Context, token string, now time.Time) (known *verified, key tokencache.Key) {
	// No JWT, and not hashed.
	if v.cache == nil || len(token) > v.config.MaxLength || strings.IndexByte(token, '.') < 0 {
		return nil, key
	}
	if len(token) > longToken {
		if header, _, _ := strings.Cut(token, "."); !v.headers.has(header) {
			return nil, key
		}
	}
	key = v.cache.Key(token)
	if e, ok := v.cache.Get(key, now); ok {
		if keys, err := e.issuer.Keys.Current(ctx, now); err == nil && keys == e.keys {
			return e.verified, key
		}
	}
	return nil, key
}

// learn verifies a token and remembers it.
func (v *Verifier) learn(ctx context.Context, token string, key tokencache.Key, now time.Time) (*verified, error) {
	known, keys, err := v.check(ctx, token, v.want, now)
	if err == nil && v.cache != nil {
		if key == (tokencache.Key{}) {
			key = v.cache.Key(token)
		}
		v.cache.put(key, known, keys, now)
	}
	return known, err
}

// check verifies a token from scratch. An error may be a *refusal.
func (v *Verifier) check(ctx context.Context, token string, want wanted, now time.Time) (*verified, *KeySet, error) {
	if len(token) > v.config.MaxLength {
		return nil, nil, v.tooLong
	}
	u, fault := v.headers.splitToken(token)
	if fault != nil {
		return nil, nil, fault
	}
	var room [24]member
	all, err := members(u.payload, room[:0])
	if u.twice = err == errDuplicate; err != nil && !u.twice {
		return nil, nil, errNotClaims
	}
	i, fault := v.issuerOf(lookup(all, "iss"))
	if fault != nil {
		return nil, nil, fault
	}
	t, keys, err := i.prove(ctx, u, all, want, now)
	if err != nil {
		return nil, nil, err
	}
	if !u.known {
		v.headers.keep(u.segment, u.header)
	}
	t.backend = v.config.Name
	if t.ignored != nil {
		i.tellIgnored(ctx, v.config.Logger, t.ignored)
		t.ignored = nil
	}
	i.tellForgottenProfile(ctx, v.config.Logger, all)
	known := &verified{token: t, issuer: i}
	if err := i.addUser(ctx, known, u.payload); err != nil {
		return nil, nil, err
	}
	return known, keys, nil
}

// issuerOf returns the issuer of tokens with this "iss".
func (v *Verifier) issuerOf(value string) (*issuer, *refusal) {
	if !isThere(value) {
		if v.noIssuer == nil {
			return nil, v.without
		}
		return v.noIssuer, nil
	}
	name, ok := unquote(value)
	if !ok || name == "" {
		return nil, v.unknown
	}
	if i := v.byIssuer[name]; i != nil {
		return i, nil
	}
	if i, fault := v.ofTemplate(name); i != nil || fault != nil {
		return i, fault
	}
	// The most common mistake of a configuration, and the token need not be printed to
	// name it.
	with, without := name+"/", strings.TrimSuffix(name, "/")
	for _, near := range []string{with, without} {
		if i := v.byIssuer[near]; i != nil {
			return nil, i.slash
		}
		if i, _ := v.ofTemplate(near); i != nil {
			return nil, i.slash
		}
	}
	return nil, v.unknown
}

// nameIssuers makes the refusals of tokens by what of them is not proved, which therefore
// is not printed: the issuer and the algorithm.
func (v *Verifier) nameIssuers(issuers []*issuer) {
	if len(issuers) == 0 {
		return // which is an error
	}
	var names []string
	for _, i := range issuers {
		i.otherAlg = i.otherAlgorithm()
		if i.tenancy != nil {
			i.tenancy.other = saysUnrecognized.constant(
				i.cause("iss", "is of a tenant that is not accepted", "Shared.Tenants"))
		}
		if name := i.Issuer.Issuer; name != "" {
			names = append(names, name)
			near := i.cause("iss", "differs from ours only by a slash at its end", "Issuer")
			near.Want = []string{name}
			i.slash = saysUnrecognized.constant(near)
		}
	}
	unknown := issuers[0].cause("iss", "of the token is another one", "Issuer")
	unknown.Want = names
	v.unknown = saysUnrecognized.constant(unknown)
	v.without = saysUnrecognized.constant(issuers[0].cause("iss", "is missing", "Checks.AllowNoIssuer"))
}
