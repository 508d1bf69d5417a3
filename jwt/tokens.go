package jwt

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Config is the configuration of [Tokens]. Issuer, Keys, Store and LoadUser are
// required.
type Config struct {
	// Issuer is written as "iss" and required of every token. Use the URL that
	// the service is known by.
	Issuer string
	// Audience is written as "aud" into access tokens, and one of it is required
	// of them. Nil is Issuer. Name the services that access tokens are for.
	Audience []string
	// Keys must have one that signs: a [KeySet] or a [Keyring]. A Keyring must
	// keep keys for as long as the longest token lives.
	Keys KeySource
	// Store keeps refresh tokens, and is asked at every request whether a token
	// is void.
	Store Store
	// LoadUser is asked on every request with a token, and before one is made.
	// A cache in front of it must forget a user when the stamp changes.
	LoadUser auth.UserLoader

	// Name is what credentials return as their backend. Empty is "jwt".
	Name string
	// Scopes are those that tokens may be limited to. If nil, there are no scopes: tokens that
	// carry "scope" or "client_id" are then refused, as they were made by
	// something else with the same keys, for somebody with fewer rights. So are
	// tokens with another scope than these.
	Scopes []string

	// Lifetimes are how long tokens and sessions live.
	Lifetimes Lifetimes
	// Limit is the most sessions of a user that are good. One more is refused with
	// ErrLimit or, with EvictOldest, ends the oldest, with an EventRevoked. 0 is 1,000,
	// of which the oldest ends. NoLimit removes the limit. A session from before the user's AuthStamp
	// changed does not count: it ends if one more would be refused.
	Limit       int
	EvictOldest bool

	// Verify says how tokens are checked.
	Verify VerifySettings
	// Issue says what is issued, and when.
	Issue IssueSettings
	// Compat is for clients and tokens of simplejwt. Its zero value is strict.
	Compat Compatibility
	// Cookie is that of [Tokens.BrowserHandlers].
	Cookie CookieSettings

	// Observer is told of logins, logouts and what becomes of tokens.
	Observer auth.Observer
	// Logger is warned, once for each user, of a login that proves another AuthStamp than
	// LoadUser finds. It is told of tokens that the store cannot revoke after their login
	// failed. If nil, it is slog.Default.
	Logger *slog.Logger
}

// Lifetimes are how long tokens and sessions live.
type Lifetimes struct {
	// Access is how long an access token lives. 0 is 5 minutes.
	Access time.Duration
	// Refresh is how long a refresh token can wait to be used. 0 is a day.
	Refresh time.Duration
	// Session is the absolute end of a session, however often it is refreshed.
	// 0 is 30 days.
	Session time.Duration
	// Sliding is how long a sliding token lives. 0 is 5 minutes.
	Sliding time.Duration
	// SlidingSession is until when after the login a sliding token can be
	// refreshed. 0 is a day. It ends absolutely then.
	SlidingSession time.Duration
	// Grace is how long after its use a refresh token gives the same successor
	// again, to a client that lost the answer, and at most a minute. 0 is never: a
	// second use ends the session, since a thief cannot be told from a client
	// that tries again.
	Grace time.Duration
}

// VerifySettings say how tokens are checked.
type VerifySettings struct {
	// Schemes are the schemes of the Authorization header that are spoken, in
	// any case. Nil is "Bearer" (RFC 6750).
	Schemes []string
	// Realm is named in challenges (RFC 9110 §11.5). Empty is "api".
	Realm string
	// Leeway is how much clocks of instances may differ. See TokenChecks.Leeway.
	Leeway time.Duration
	// Claims is as Issuer.Claims, for access and sliding tokens: refresh tokens
	// carry no claims of the application.
	Claims func(payload []byte) (any, error)
	// CacheSize and CacheTTL are as those of [VerifierConfig].
	CacheSize int
	CacheTTL  time.Duration
}

// IssueSettings say what is issued, and when.
type IssueSettings struct {
	// Before may change what a handler is about to issue, or refuse by
	// returning an error. Nothing has been written when it is called.
	Before func(r *http.Request, user auth.User, options *Options) error
	// AddClaims returns further claims of an access token, whenever one is made:
	// so that roles are those of now. It is given the user as LoadUser returned
	// them. Claims of this package cannot be set. An error is answered with 503.
	// Nothing has been issued or used up then.
	AddClaims func(ctx context.Context, user auth.User) (map[string]any, error)
	// AllowFromToken lets a credential that is not [auth.Primary], such as
	// a token, be turned into a pair, of no more scopes and no later end. A thief
	// of one token can then make others, which its owner's logout does not
	// end.
	AllowFromToken bool
}

// Compatibility is for clients and tokens of simplejwt. The zero value is strict.
type Compatibility struct {
	// Format is how tokens name their user and kind: [SimpleJWT] for those of
	// simplejwt.
	Format Format
	// AllowRefreshReuse leaves a refresh token good when it is used, as simplejwt does
	// by default: the answer of a refresh is a new access token only. The refresh token
	// ends Lifetimes.Refresh after the login, however often it is used, so that
	// Lifetimes.Session must be 0 or the same, and Lifetimes.Grace must be 0. It also ends by a logout, by Revoke and
	// RevokeAll, when LoadUser refuses the user, and with a change of the user's stamp,
	// except that RevokeOthers keeps the session that changed it. A sliding token stays good
	// until its own end beside the one that is got for it. A token of others
	// (AllowNoSession) can be used again as well.
	//
	// It is for clients that do not store the refresh token of each answer. What is lost:
	// a stolen refresh token works beside its owner's until it ends, and nothing tells
	// that it was stolen (RFC 9700 §4.14.2). BrowserHandlers refuse it.
	AllowRefreshReuse bool
	// AllowNoSession also accepts tokens of the same keys that this package did
	// not make, such as those of a simplejwt beside it: they have no "sid". A
	// refresh or sliding token of this kind starts a session when it is
	// exchanged, once unless AllowRefreshReuse is set. A logout elsewhere does not end this session.
	// RevokeAll and RevokeOthers do.
	AllowNoSession bool
	// AllowNoIssuer accepts tokens without "iss" and, if Config.Issuer is empty, makes
	// them: simplejwt does by default. See TokenChecks.AllowNoIssuer.
	AllowNoIssuer bool
	// AllowNoAudience accepts tokens without "aud" and, if Config.Audience is empty,
	// makes them: simplejwt does by default. See TokenChecks.AllowNoAudience.
	AllowNoAudience bool
}

// CookieSettings are those of the cookie of [Tokens.BrowserHandlers].
type CookieSettings struct {
	// Name is the name of the cookie after
	// "__Host-". Empty is "refresh". Cookies are shared between the ports of a
	// host: services that share one need different names.
	Name string
	// Insecure leaves "__Host-" and Secure out, for a service without
	// HTTPS, if browsers do not take it for local. Anybody on the way can then
	// read the refresh token.
	Insecure bool
}

// Tokens issues tokens and is the backend that checks them. It is safe for
// concurrent use.
type Tokens struct {
	config   Config
	verifier *Verifier // the backend of the tokens
	issuer   *issuer
	cookie   backend.Cookie
	events   backend.Events
	drift    *backend.StampWarner
}

var (
	_ auth.Authenticator = (*Tokens)(nil)
	_ auth.TokenVerifier = (*Tokens)(nil)
	_ auth.Named         = (*Tokens)(nil)
	_ auth.Challenger    = (*Tokens)(nil)
	_ auth.TokenOwner    = (*Tokens)(nil)
	_ auth.Ambient       = (*Tokens)(nil)
	_ auth.Varier        = (*Tokens)(nil)
	_ auth.Revoker       = (*Tokens)(nil)
	_ auth.Purger        = (*Tokens)(nil)
)

const maxGrace = time.Minute

// New returns Tokens, or an error that tells of each setting that is missing,
// out of range or contradicts another.
func New(config Config) (*Tokens, error) {
	c := config.withDefaults()
	s := backend.Settings{Package: "jwt"}
	c.check(&s)
	c.Limit, c.EvictOldest = s.Limit("Config.Limit", c.Limit, c.EvictOldest)
	t := &Tokens{config: c, events: backend.Events{Observer: c.Observer, Backend: c.Name},
		drift:  new(backend.StampWarner),
		cookie: backend.Cookie{Name: c.Cookie.Name, Insecure: c.Cookie.Insecure, SameSite: http.SameSiteStrictMode}}
	s.Add("Config.Cookie.Name", t.cookie.Check())
	t.issuer = checkIssuer(&s, Issuer{
		Issuer: c.Issuer, Audience: c.Audience, Keys: c.Keys, Format: c.Compat.Format,
		Checks: TokenChecks{Leeway: c.Verify.Leeway, AllowNoIssuer: c.Compat.AllowNoIssuer,
			AllowNoAudience: c.Compat.AllowNoAudience},
		LoadUser: c.LoadUser, Claims: c.Verify.Claims, Revocations: c.Store, Profile: Gatewarden(),
	})
	t.issuer.own, t.issuer.types = &t.config, nil // kinds are told apart by checkKind
	t.config.Compat.Format = t.issuer.Format
	t.verifier = newVerifier(&s, VerifierConfig{Name: c.Name, Logger: c.Logger, Schemes: c.Verify.Schemes,
		Realm:     c.Verify.Realm,
		CacheSize: c.Verify.CacheSize, CacheTTL: c.Verify.CacheTTL}, []*issuer{t.issuer})
	t.verifier.want = wantAccessOrSliding
	if s.Err() == nil {
		c.checkKeys(&s)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// withDefaults returns a copy of the configuration.
func (c Config) withDefaults() Config {
	c.Name, c.Cookie.Name = cmp.Or(c.Name, defaultName), cmp.Or(c.Cookie.Name, "refresh")
	c.Lifetimes = c.Lifetimes.withDefaults(c.Compat.AllowRefreshReuse)
	if len(c.Audience) == 0 && !c.Compat.AllowNoAudience && c.Issuer != "" {
		c.Audience = []string{c.Issuer}
	}
	c.Audience, c.Scopes = slices.Clone(c.Audience), slices.Clone(c.Scopes)
	c.Verify.Schemes = slices.Clone(c.Verify.Schemes)
	return c
}

func (l Lifetimes) withDefaults(refreshReuse bool) Lifetimes {
	l.Access = cmp.Or(l.Access, 5*time.Minute)
	l.Refresh = cmp.Or(l.Refresh, 24*time.Hour)
	if refreshReuse {
		l.Session = cmp.Or(l.Session, l.Refresh)
	}
	l.Session = cmp.Or(l.Session, max(30*24*time.Hour, l.Refresh))
	l.Sliding = cmp.Or(l.Sliding, 5*time.Minute)
	l.SlidingSession = cmp.Or(l.SlidingSession, max(24*time.Hour, l.Sliding))
	return l
}

func (c Config) check(s *backend.Settings) {
	s.Need("Config.Store", c.Store)
	s.Need("Config.LoadUser", c.LoadUser)
	if c.Observer != nil {
		s.Need("Config.Observer", c.Observer) // a typed nil
	}
	c.Lifetimes.check(s)
	c.checkReuse(s)
	s.Scopes("Config.Scopes", c.Scopes)
}

func (l Lifetimes) check(s *backend.Settings) {
	s.Refuse(min(l.Access, l.Refresh, l.Session, l.Sliding, l.SlidingSession) < 0,
		"one of Config.Lifetimes is negative")
	s.Refuse(min(l.Access, l.Sliding) < time.Second,
		"Config.Lifetimes.Access or Sliding is shorter than a second, which is all that a token can say")
	s.Refuse(l.Access > l.Refresh || l.Refresh > l.Session || l.Sliding > l.SlidingSession,
		"Config.Lifetimes.Access is longer than Refresh, that than Session, or Sliding than SlidingSession")
	s.Refuse(l.Grace < 0 || l.Grace > maxGrace, "Config.Lifetimes.Grace is not within 0 and a minute")
}

// checkKeys refuses keys that sign nothing, or are forgotten before what they
// signed has expired.
func (c Config) checkKeys(s *backend.Settings) {
	switch keys := c.Keys.(type) {
	case *RemoteKeys:
		s.Refuse(true, "Config.Keys are those of another service, which sign nothing here")
	case *KeySet:
		s.Refuse(keys.Signing() == nil, "no key of Config.Keys signs")
	case localKeySource:
		longest := max(c.Lifetimes.Refresh, c.Lifetimes.Sliding)
		s.Refuse(keys.Keep() < longest, "Config.Keys keeps keys for %v, but tokens live for %v", keys.Keep(), longest)
	}
}

// Authenticate is [Verifier.Authenticate] for access and sliding tokens.
func (t *Tokens) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return t.verifier.Authenticate(r)
}

// VerifyToken is [Verifier.VerifyToken] for access and sliding tokens.
func (t *Tokens) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	return t.verifier.VerifyToken(ctx, token)
}

// Unwrap returns the [Verifier] that checks the tokens. See [auth.As].
func (t *Tokens) Unwrap() auth.Authenticator { return t.verifier }

// Backend returns Config.Name.
func (t *Tokens) Backend() string { return t.config.Name }

// Challenges returns one challenge per scheme (RFC 6750 §3).
func (t *Tokens) Challenges() []auth.Challenge { return t.verifier.Challenges() }

// OwnTokens is [Verifier.OwnTokens].
func (t *Tokens) OwnTokens() []auth.TokenClass { return t.verifier.OwnTokens() }

// Ambient returns false: no browser adds a token by itself.
func (t *Tokens) Ambient() bool { return false }

// Vary returns Authorization, the one header that is read.
func (t *Tokens) Vary() []string { return t.verifier.Vary() }

// audienceOf returns the audience of tokens of a kind. A refresh token is for its
// issuer alone: no service that checks audiences takes it for an access token.
func (c *Config) audienceOf(k kind) []string {
	if k == refreshKind && c.Compat.Format.TypeClaim == "" && c.Issuer != "" {
		return []string{c.Issuer}
	}
	return c.Audience
}
