package jwt

import (
	"context"
	"errors"
	"fmt"
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
	// of them; nil is Issuer. Name the services that access tokens are for.
	Audience []string
	// Keys must have one that signs: a [KeySet] or a [Keyring]. A Keyring must
	// keep keys for as long as the longest token lives.
	Keys KeySource
	// Store keeps refresh tokens, and is asked at every request whether a token
	// is void.
	Store Store
	// LoadUser is asked on every request with a token, and before one is made.
	// A cache in front of it must forget a user whose stamp changes.
	LoadUser auth.UserLoader

	// Name is what credentials return as their backend; empty is "jwt".
	Name string
	// Schemes are the schemes of the Authorization header that are spoken, in
	// any case; nil is "Bearer" (RFC 6750).
	Schemes []string
	// Realm is named in challenges (RFC 9110 §11.5); empty is "api".
	Realm string
	// Format is how tokens name their user and kind: [SimpleJWT] for those of
	// simplejwt.
	Format Format

	// AccessTTL is how long an access token lives; 0 is 5 minutes.
	AccessTTL time.Duration
	// RefreshTTL is how long a refresh token can wait to be used; 0 is a day.
	RefreshTTL time.Duration
	// SessionTTL is the absolute end of a login, however often it is refreshed;
	// 0 is 30 days.
	SessionTTL time.Duration
	// SlidingTTL is how long a sliding token lives; 0 is 5 minutes.
	SlidingTTL time.Duration
	// SlidingSessionTTL is until when after the login a sliding token can be
	// refreshed; 0 is a day. It ends absolutely then.
	SlidingSessionTTL time.Duration
	// Grace is how long after its use a refresh token gives the same successor
	// again, to a client that lost the answer; at most a minute. 0 is never: a
	// second use ends the login, since nobody can tell a thief from a client
	// that tries again.
	Grace time.Duration
	// Leeway is how much clocks of instances may differ; see Issuer.Leeway.
	Leeway time.Duration

	// Scopes are those that tokens may be limited to. Nil is none: tokens that
	// carry "scope" or "client_id" are then refused, as they were made by
	// something else with the same keys, for somebody with fewer rights. So are
	// tokens with another scope than these.
	Scopes []string

	// AddClaims returns further claims of an access token, whenever one is made:
	// so that roles are those of now. It is given the user as LoadUser returned
	// them. Claims of this package cannot be set. An error is answered with 503;
	// nothing has been issued or used up then.
	AddClaims func(ctx context.Context, user auth.User) (map[string]any, error)
	// Claims is as Issuer.Claims, for access and sliding tokens: refresh tokens
	// carry no claims of the application.
	Claims func(payload []byte) (any, error)

	// BeforeIssue may change what a handler is about to issue, or refuse by
	// returning an error. Nothing has been written when it is called.
	BeforeIssue func(r *http.Request, user auth.User, options *Options) error
	// AllowIssueFromToken lets a credential that is not [auth.Primary], such as
	// a token, be turned into a pair, of no more scopes and no later end. Who
	// steals one token can then make others, which its owner's logout does not
	// end.
	AllowIssueFromToken bool

	// AllowNoSession also accepts tokens of the same keys that this package did
	// not make, such as those of a simplejwt beside it: they have no "sid". A
	// refresh or sliding token of this kind starts a session when it is
	// exchanged, once. Logging out of it elsewhere ends none of them here;
	// RevokeAll and RevokeOthers do.
	AllowNoSession bool
	// AllowNoIssuer accepts tokens without "iss" and, if Issuer is empty, makes
	// them: simplejwt does by default. See Issuer.AllowNoIssuer.
	AllowNoIssuer bool
	// AllowNoAudience accepts tokens without "aud" and, if Audience is empty,
	// makes them: simplejwt does by default. See Issuer.AllowNoAudience.
	AllowNoAudience bool

	// CacheSize and CacheTTL are as those of [VerifierConfig].
	CacheSize int
	CacheTTL  time.Duration

	// Cookie is the name of the cookie of [Tokens.BrowserHandlers] after
	// "__Host-"; empty is "refresh". Cookies are shared between the ports of a
	// host: services that share one need different names.
	Cookie string
	// InsecureCookie leaves "__Host-" and Secure out, for a service without
	// HTTPS whose browsers do not take it for local. Anybody on the way can then
	// read the refresh token.
	InsecureCookie bool

	// Observer is told of logins, logouts and what becomes of tokens.
	Observer auth.Observer
}

// Tokens issues tokens and is the backend that checks them. It is safe for
// concurrent use.
type Tokens struct {
	config Config
	*Verifier
	issuer *issuer
	cookie string
}

var (
	_ auth.Authenticator = (*Tokens)(nil)
	_ auth.TokenVerifier = (*Tokens)(nil)
	_ auth.Revoker       = (*Tokens)(nil)
	_ auth.Purger        = (*Tokens)(nil)
)

const maxGrace = time.Minute

// New returns Tokens, or an error that says which setting is missing, out of
// range or contradicts another.
func New(config Config) (*Tokens, error) {
	c := config
	switch {
	case c.Store == nil:
		return nil, errors.New("jwt: Config.Store is missing")
	case c.LoadUser == nil:
		return nil, errors.New("jwt: Config.LoadUser is missing")
	case c.AccessTTL < 0 || c.RefreshTTL < 0 || c.SessionTTL < 0 || c.SlidingTTL < 0 || c.SlidingSessionTTL < 0 || c.CacheTTL < 0:
		return nil, errors.New("jwt: a TTL is negative")
	case c.Grace < 0 || c.Grace > maxGrace:
		return nil, errors.New("jwt: Grace is not within 0 and a minute")
	}
	c.AccessTTL = or(c.AccessTTL, 5*time.Minute)
	c.RefreshTTL = or(c.RefreshTTL, 24*time.Hour)
	c.SessionTTL = or(c.SessionTTL, max(30*24*time.Hour, c.RefreshTTL))
	c.SlidingTTL = or(c.SlidingTTL, 5*time.Minute)
	c.SlidingSessionTTL = or(c.SlidingSessionTTL, max(24*time.Hour, c.SlidingTTL))
	if c.AccessTTL > c.RefreshTTL || c.RefreshTTL > c.SessionTTL || c.SlidingTTL > c.SlidingSessionTTL {
		return nil, errors.New("jwt: AccessTTL is longer than RefreshTTL, that than SessionTTL, or SlidingTTL than SlidingSessionTTL")
	}
	for _, ttl := range []time.Duration{c.AccessTTL, c.SlidingTTL} {
		if ttl < time.Second {
			return nil, errors.New("jwt: a TTL is shorter than a second, which is all that a token can say")
		}
	}
	if len(c.Audience) == 0 && !c.AllowNoAudience && c.Issuer != "" {
		c.Audience = []string{c.Issuer}
	}
	for _, scope := range c.Scopes {
		if !backend.ValidScope(scope) {
			return nil, fmt.Errorf("jwt: %q is not a scope (RFC 6749 §3.3)", scope)
		}
	}
	c.Audience, c.Scopes, c.Cookie = slices.Clone(c.Audience), slices.Clone(c.Scopes), or(c.Cookie, "refresh")
	t := &Tokens{config: c, cookie: "__Host-" + c.Cookie}
	if c.InsecureCookie {
		t.cookie = c.Cookie
	}
	if (&http.Cookie{Name: t.cookie, Value: "v"}).Valid() != nil {
		return nil, fmt.Errorf("jwt: %q is no name for a cookie", c.Cookie)
	}
	var err error
	t.issuer, err = newIssuer(Issuer{
		Issuer: c.Issuer, Audience: c.Audience, Keys: c.Keys, Format: c.Format, Leeway: c.Leeway,
		LoadUser: c.LoadUser, Claims: c.Claims, Revocations: c.Store, Scoped: c.Scopes != nil,
		AllowNoIssuer: c.AllowNoIssuer, AllowNoAudience: c.AllowNoAudience,
	})
	if err != nil {
		return nil, err
	}
	t.issuer.own, t.issuer.types = t, nil // kinds are told apart by checkKind
	t.config.Format = t.issuer.Format
	switch keys := c.Keys.(type) {
	case *RemoteKeys:
		return nil, errors.New("jwt: Config.Keys are those of another service, which sign nothing here")
	case *KeySet:
		if keys.Signing() == nil {
			return nil, errors.New("jwt: no key of Config.Keys signs")
		}
	case keeper:
		if longest := max(c.RefreshTTL, c.SlidingTTL); keys.Keep() < longest {
			return nil, fmt.Errorf("jwt: Config.Keys keeps keys for %v, but tokens live for %v", keys.Keep(), longest)
		}
	}
	t.Verifier, err = newVerifier(VerifierConfig{Name: c.Name, Schemes: c.Schemes, Realm: c.Realm,
		CacheSize: c.CacheSize, CacheTTL: c.CacheTTL}, []*issuer{t.issuer})
	if err != nil {
		return nil, err
	}
	t.Verifier.want = wantAccessOrSliding
	return t, nil
}

func wantAccessOrSliding(k kind) error {
	if k == slidingKind {
		return nil
	}
	return wantAccess(k)
}

// audienceOf returns whom tokens of a kind are for. A refresh token is for its
// issuer alone: no service that checks audiences takes it for an access token.
func (t *Tokens) audienceOf(k kind) []string {
	if k == refreshKind && t.config.Format.TypeClaim == "" && t.config.Issuer != "" {
		return []string{t.config.Issuer}
	}
	return t.config.Audience
}

// checkOwn checks what tokens of ours have besides.
func (t *Tokens) checkOwn(token *Token) error {
	switch {
	case token.id == "":
		return errNoID
	case token.sessionID == "" || token.generation < 0:
		if token.sessionID != "" || token.generation >= 0 || !t.config.AllowNoSession {
			return errInvalid
		}
	}
	for _, scope := range token.scopes {
		if !slices.Contains(t.config.Scopes, scope) {
			return errInvalid
		}
	}
	return nil
}

func (t *Tokens) observe(ctx context.Context, e auth.Event) {
	if t.config.Observer == nil {
		return
	}
	e.Time, e.Backend = time.Now(), t.Backend()
	t.config.Observer.Observe(ctx, e)
}
