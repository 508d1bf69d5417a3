// Package oauth2 protects APIs with OAuth 2.0 access tokens: it is a resource
// server (RFC 6749 §1.1, RFC 6750), for any issuer of tokens.
//
// Choose it where an authorization server issues tokens for your API: a Keycloak, an
// Entra, an Auth0, or one of package oauth2/server. Where the only clients are your
// own apps, package knox or jwt is less to run.
//
//	api, err := oauth2.New(oauth2.Config{
//		Resource:             "https://api.example/",
//		Sources:              []oauth2.Source{tokens}, // see below
//		AuthorizationServers: []string{"https://login.example"},
//		LoadUser:             users.Load,
//	})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
//	mux.Handle("GET /reports", guard.Require(auth.Scopes("reports:read"))(reports))
//	api.Register(mux) // /.well-known/oauth-protected-resource (RFC 9728)
//
// What a token is worth, a [Source] says. [NewIntrospection] asks the server that
// issued it, and so learns of a revocation within seconds. [NewJWT] checks JWTs by
// the server's keys and asks no server, and so learns of one when the token expires. A
// server.Server in the same program knows its own.
//
// A token must name Resource in its audience: one that was made for another API is
// refused here. A program with several APIs has a Resource and a guard for each, by
// [auth.Guard.With], and [auth.New] refuses two of one source in one guard. A token
// without a user is an [auth.Machine], which routes admit with [auth.AllowMachines].
// [RequireBearerToken] is all of it in one call.
package oauth2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/memo"
)

// Config is the configuration of a [Resource]. Resource and Sources are required,
// and either LoadUser or User.
type Config struct {
	// Resource identifies this API (RFC 8707 §2, RFC 9728 §1.2): an https URL
	// without a fragment, or http of a loopback host. Tokens must be for it.
	Resource string
	// InsecureHTTP allows a Resource and AuthorizationServers by plain http on any
	// host: everybody on the way can then read the tokens.
	InsecureHTTP bool
	// Audience are further names of this same API that tokens may be for. Another API needs
	// a Resource and a guard of its own ([auth.Guard.With]): a token is good at each API
	// that takes its audience.
	Audience []string
	// Sources are asked in order. The first that recognizes a token decides.
	Sources []Source

	// LoadUser finds the user of a token's subject, at every request. Subjects are
	// unique with their issuer only: with Sources of several issuers use User.
	LoadUser auth.UserLoader
	// User makes the user of a token, at every request, such as [SubjectUser].
	// ErrUserNotFound and ErrUserInactive are answered with 401, any other error
	// with 503, and so is a nil user.
	User func(ctx context.Context, token *Token) (auth.User, error)

	// Name is what credentials return as their backend. Empty is "oauth2".
	Name string
	// Realm is named in challenges (RFC 9110 §11.5). Empty is "api".
	Realm string
	// ChallengeScopes are named in the challenge of a request without a token: what
	// a client should ask for first.
	ChallengeScopes []string
	// AllowFormToken also takes a token from the field "access_token" of a form that
	// is sent by POST (RFC 6750 §2.2), of at most 64 KiB. Forms are more easily
	// logged than headers.
	AllowFormToken bool

	// AuthorizationServers are the issuers that give tokens for this API, for the
	// metadata (RFC 9728 §2).
	AuthorizationServers []string
	// ScopesSupported are the scopes that this API asks for, for the metadata.
	// "offline_access" is not one of them: it is between a client and its server.
	ScopesSupported []string
	// ResourceName is for people that read the metadata.
	ResourceName string
	// Documentation is a URL, for people that read the metadata.
	Documentation string
}

// Resource is the backend that takes access tokens. It is immutable and safe for
// concurrent use.
type Resource struct {
	config   Config
	audience []string
	params   []auth.Param // of the challenge
	metadata string       // URL
	path     string       // of metadata
	document []byte
	recalls  []LookupFunc // of Config.Sources, each may be nil
	// unrecognized are the refusals of tokens that several sources do not recognize.
	unrecognized *memo.Memo[unrecognizedKey, error]
}

var (
	_ auth.Authenticator = (*Resource)(nil)
	_ auth.TokenVerifier = (*Resource)(nil)
	_ auth.Named         = (*Resource)(nil)
	_ auth.Challenger    = (*Resource)(nil)
	_ auth.TokenOwner    = (*Resource)(nil)
	_ auth.Conflicter    = (*Resource)(nil)
	_ auth.Ambient       = (*Resource)(nil)
	_ auth.Varier        = (*Resource)(nil)
)

const defaultName = "oauth2"

// New returns a Resource, or an error that tells of each setting that is missing
// or wrong.
func New(config Config) (*Resource, error) {
	c := config
	c.Name, c.Realm = cmp.Or(c.Name, defaultName), cmp.Or(c.Realm, "api")
	c.Sources = slices.Clone(c.Sources) // other slices are not kept
	s := backend.Settings{Package: "oauth2"}
	resource := c.checkResource(&s)
	c.check(&s)
	if err := s.Err(); err != nil {
		return nil, err
	}
	for i, source := range c.Sources { // which are not nil now
		if err := checkMachineNames([]Source{source}, c.Sources[:i]); err != nil {
			return nil, fmt.Errorf("oauth2: Config.Sources: %w", err)
		}
	}
	a := &Resource{config: c, audience: append([]string{c.Resource}, c.Audience...),
		unrecognized: new(memo.Memo[unrecognizedKey, error])}
	for _, source := range c.Sources {
		a.recalls = append(a.recalls, lookupOf(source))
	}
	a.locate(resource)
	a.params = []auth.Param{{Name: "realm", Value: c.Realm}, {Name: "resource_metadata", Value: a.metadata}}
	if len(c.ChallengeScopes) > 0 {
		a.params = append(a.params, auth.Param{Name: "scope", Value: strings.Join(c.ChallengeScopes, " ")})
	}
	return a, nil
}

// checkResource returns the URL of Config.Resource, or nil if it is missing or wrong. s gets the error. A URL in a
// quoted string of WWW-Authenticate must not have a quote or a backslash.
func (c Config) checkResource(s *backend.Settings) *url.URL {
	s.Need("Config.Resource", c.Resource)
	if c.Resource == "" {
		return nil
	}
	u, err := url.Parse(c.Resource)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || strings.ContainsAny(c.Resource, "#\\ \"<>") {
		s.Refuse(true, "resource %q is no URL with a host, without user and fragment (RFC 8707 §2)", c.Resource)
		return nil
	}
	plain := u.Scheme == "http" && (c.InsecureHTTP || backend.IsLoopback(u.Hostname()))
	s.Refuse(u.Scheme != "https" && !plain, "resource %q must be https, or http of a loopback host", c.Resource)
	return u
}

func (c Config) check(s *backend.Settings) {
	s.Refuse(slices.Contains(c.Audience, ""), "an Audience is empty")
	s.Refuse(len(c.Sources) == 0 || slices.Contains(c.Sources, nil), "Config.Sources is empty, or one is nil")
	for i, source := range c.Sources {
		if source != nil {
			s.Need(fmt.Sprintf("Config.Sources[%d]", i), source) // a typed nil
		}
	}
	s.Refuse((c.LoadUser == nil) == (c.User == nil), "either Config.LoadUser or User must be set")
	for _, issuer := range c.AuthorizationServers {
		if err := fetch.CheckURL(issuer); err != nil && !(c.InsecureHTTP && strings.HasPrefix(issuer, "http://")) {
			s.Refuse(true, "an authorization server %w", err)
		}
	}
	s.Scopes("Config.ScopesSupported", c.ScopesSupported)
	s.Scopes("Config.ChallengeScopes", c.ChallengeScopes)
	s.Refuse(slices.Contains(c.ScopesSupported, "offline_access"), "offline_access is no scope of an API")
}

// Backend returns Config.Name.
func (a *Resource) Backend() string { return a.config.Name }

// Challenges returns the challenge of RFC 6750 §3, with the address of the metadata
// (RFC 9728 §5.1).
func (a *Resource) Challenges() []auth.Challenge {
	return []auth.Challenge{{Scheme: "Bearer", Params: slices.Clone(a.params)}}
}

// OwnTokens returns an empty list, because sources tell their tokens by an issuer
// or a shape. An [Introspection] without Owns takes every token for one of its
// server, so the Resource then owns all tokens without a prefix: no other backend's
// tokens are sent to that server.
func (a *Resource) OwnTokens() []auth.TokenClass {
	for _, source := range a.config.Sources {
		if asked, ok := source.(*Introspection); ok && asked.config.Owns == nil {
			return []auth.TokenClass{{Scheme: "Bearer"}}
		}
	}
	return nil
}

// Ambient returns false: no browser adds a token by itself.
func (a *Resource) Ambient() bool { return false }

// Vary returns Authorization, the one header that decides.
func (a *Resource) Vary() []string { return []string{"Authorization"} }

// Authenticate proves a request by the token in its Authorization header (RFC 6750
// §2.1). See [auth.Authenticator] and [Resource.VerifyToken]. A token in the query
// is ignored (RFC 9700 §4.3.2). One besides that of the header is ErrMalformed (RFC
// 6750 §2).
func (a *Resource) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	p, err := a.readToken(r)
	if err != nil {
		return nil, nil, err
	}
	return a.verify(r.Context(), p)
}

// VerifyToken proves a bare token, such as one from a WebSocket or from gRPC
// metadata. The errors are
//
//   - ErrUnrecognized: no source knows tokens like it
//   - ErrInvalid: unknown, expired, revoked, not for this API, bound to a key
//     (RFC 9449 §7.2), or its user is gone, inactive or has another stamp. One
//     sentence for all, and the cause for the log
//   - any other error: the source or the user could not be asked
//
// The credential is a [*Token].
func (a *Resource) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	return a.verify(ctx, requestToken{token: token})
}

// verify asks the sources in their order. The first source that knows the token decides. The characters of the token
// are checked before Inspect is called, because a Recall may take any characters.
func (a *Resource) verify(ctx context.Context, p requestToken) (auth.User, auth.Credential, error) {
	var unrecognized unrecognizedErrors
	for i, source := range a.config.Sources {
		now := time.Now() // the source before may have taken a while
		var found *Token
		var err error
		if recall := a.recalls[i]; recall != nil {
			found, err = recall(ctx, p.token, now)
		}
		if found == nil || err != nil {
			if fault := p.checkSyntax(); fault != nil {
				return nil, nil, fault // the syntax counts before any other fault
			}
		}
		if found == nil && err == nil {
			found, err = source.Inspect(ctx, p.token)
			now = time.Now() // that may have taken a while
		}
		switch kind := auth.KindOf(err); {
		case err == nil && found != nil:
			return a.acceptToken(ctx, found, now)
		case err == nil:
			return nil, nil, backend.Outage(errors.New("oauth2: a source returned no token and no error"))
		case kind == auth.ErrUnrecognized:
			unrecognized.add(err)
		case kind == auth.ErrInvalid:
			return nil, nil, uniformError(err, kind)
		case kind == auth.ErrMalformed, kind == auth.ErrThrottled:
			return nil, nil, err
		default:
			// Whatever else a source says: a token was presented.
			return nil, nil, backend.Outage(err)
		}
	}
	return nil, nil, unrecognized.joined(a.unrecognized)
}

// acceptToken decides about a token that a source knows: it checks the expiry, the claims and the user.
func (a *Resource) acceptToken(ctx context.Context, found *Token, now time.Time) (auth.User, auth.Credential, error) {
	if found.expired(now) {
		return nil, nil, errExpired(found, now)
	}
	token, err := a.checkedToken(found)
	if err != nil {
		return nil, nil, err
	}
	if token.Machine() {
		return auth.Machine{ID: token.machineID()}, token, nil
	}
	user, err := a.user(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if token.GrantID != "" {
		var memo *backend.StampCache
		if s := found.sharedState(); s != nil {
			memo = &s.stamp
		}
		if !backend.MatchesStamp(found.Stamp, "oauth2", user, memo) {
			return nil, nil, errStamp
		}
	}
	return user, token, nil
}

// checkedToken returns a token with the name of a as its backend, or the error of checkClaims. Both are kept with a
// [SharedToken].
func (a *Resource) checkedToken(found *Token) (*Token, error) {
	s := found.sharedState()
	if s != nil {
		if token := s.acceptedBy(a); token != nil {
			return token, nil
		}
	}
	if why := a.checkClaims(found); why != nil {
		return nil, why
	}
	token := found
	if token.Backend() != a.config.Name {
		named := *found
		named.backend = a.config.Name
		token = &named
	}
	if s != nil {
		s.accept(a, token)
	}
	return token, nil
}

// expired reports whether a token is past its expiry.
func (t *Token) expired(now time.Time) bool {
	return !t.Expiry.IsZero() && !now.Before(t.Expiry.Add(t.leeway))
}

// errExpired returns the error for a token that has expired. It says by how much.
func errExpired(found *Token, now time.Time) error {
	c := failedClaim("exp", "is past", "")
	c.By = max(now.Sub(found.Expiry).Truncate(time.Second), time.Second)
	return errFailedCheck(c)
}

// checkClaims returns an error if this API must not accept the token. It does not look at the expiry, so the result
// can be kept.
func (a *Resource) checkClaims(found *Token) error {
	switch {
	case !a.hasAudience(found):
		c := failedClaim("aud", "", anotherAudience)
		c.Came, c.Want = append([]string{}, found.Audience...), a.audience
		return errFailedCheck(c)
	case len(found.Confirmation) > 0:
		// Only a holder of its key may use it, and no proof is asked for here.
		c := failedClaim("cnf", "binds the token to a key or a certificate, and no proof of it can be checked here", "")
		c.Came = slices.Sorted(maps.Keys(found.Confirmation))
		return errFailedCheck(c)
	case found.Type != "" && !strings.EqualFold(found.Type, "Bearer"):
		c := failedClaim("token_type", "", "")
		c.Came, c.Want = []string{found.Type}, []string{"Bearer"}
		return errFailedCheck(c)
	case hasMachinePrefix(found.Subject):
		c := failedClaim("sub", "starts as the identifier of a client (auth.Machine)", "")
		c.Came = []string{found.Subject}
		return errFailedCheck(c)
	case found.Machine() && found.machineID() == "":
		return errNoHolder
	}
	return nil
}

// hasAudience reports whether a token is for this API.
func (a *Resource) hasAudience(found *Token) bool {
	if len(found.Audience) == 0 {
		return found.anyAudience
	}
	return slices.ContainsFunc(found.Audience, func(name string) bool { return slices.Contains(a.audience, name) })
}

// user finds the user of a token. All that a loader can say against the token is that
// its user is invalid: a token that was presented must not become one that is absent.
func (a *Resource) user(ctx context.Context, token *Token) (auth.User, error) {
	var user auth.User
	var err error
	if a.config.User != nil {
		user, err = a.config.User(ctx, token)
	} else {
		user, err = a.config.LoadUser.Load(ctx, token.Subject)
	}
	switch {
	case err == nil && user == nil:
		return nil, backend.Outage(errors.New("oauth2: Config.User returned no user and no error"))
	case err == nil:
		return user, nil
	case auth.KindOf(err) == auth.ErrInvalid:
		c := failedClaim("sub", "is refused as a user", "LoadUser")
		if a.config.User != nil {
			c.Setting = "User"
		}
		c.Came, c.Err = []string{token.Subject}, err
		return nil, errFailedCheck(c)
	case auth.KindOf(err) == auth.ErrInternal: // a bug of the loader
		return nil, err
	}
	return nil, backend.Outage(err)
}

// hasMachinePrefix reports whether a subject could be taken for the identifier of a client.
func hasMachinePrefix(subject string) bool { return strings.HasPrefix(subject, machinePrefix) }

var machinePrefix = auth.Machine{}.UserID()

// Subject is the user of a token that nothing is known of but its subject: what
// [SubjectUser] returns.
type Subject struct{ ID string }

// UserID returns the subject.
func (s Subject) UserID() string { return s.ID }

// SubjectUser is a Config.User: a [Subject] of the token's subject, for an API
// without users of its own.
func SubjectUser(_ context.Context, token *Token) (auth.User, error) {
	return Subject{token.Subject}, nil
}
