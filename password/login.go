package password

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/basic"
)

// AccountFinder finds the user of a name that somebody typed, and the user's
// encoded password. It returns [auth.ErrUserNotFound] if there is none, and
// [auth.ErrUserInactive], best with the encoded password all the same, for one
// who may not log in. Any other error is answered with 503.
type AccountFinder func(ctx context.Context, username string) (user auth.User, encoded string, err error)

// LoginConfig is the configuration of a [Login]. Hasher and Account are
// required.
type LoginConfig struct {
	Hasher  *Hasher
	Account AccountFinder

	// Throttle keeps the counts of failures; nil is memory. Programs of which
	// several instances run need one that they share.
	Throttle ThrottleStore
	// PerAccount and PerAddress say how guessing is slowed down: by default
	// after 5 failures of an account and after 20 from an address.
	PerAccount, PerAddress Slowdown
	// AllowUnthrottled switches the throttle off. Passwords can then be
	// guessed as fast as the server can hash.
	AllowUnthrottled bool

	// Proxies tell the client's address. Use the guard's.
	Proxies auth.Proxies

	// Upgrade is called after a login whose encoded password needs a rehash,
	// to store the new one. Nil leaves passwords as they are: in a database
	// shared with Django, a rehash ends the user's Django sessions. Its error
	// is logged and fails no login.
	Upgrade func(ctx context.Context, user auth.User, encoded string) error
	// Decoy is an encoded password like those that most users have. It is
	// verified when there is no user, so that the time of the answer does not
	// tell. Empty is one of Hasher's own.
	Decoy string

	// Name is what credentials return as their backend; empty is "password".
	Name string
	// Realm is named in the challenge; empty is "api".
	Realm string
	// Silent leaves out the challenge, which makes browsers ask for a
	// password in a dialog of their own.
	Silent bool

	// Logger is told of errors that fail no request; nil is slog.Default.
	Logger *slog.Logger
}

// Login is the backend that logs users in by username and password. It is
// safe for concurrent use.
type Login struct {
	config   LoginConfig
	throttle throttle
}

var (
	_ auth.Authenticator = (*Login)(nil)
	_ auth.Challenger    = (*Login)(nil)
	_ auth.Varier        = (*Login)(nil)
)

// NewLogin returns a Login, or an error that says which setting is missing or
// out of range.
func NewLogin(config LoginConfig) (*Login, error) {
	c := config
	switch {
	case c.Hasher == nil:
		return nil, errors.New("password: LoginConfig.Hasher is missing")
	case c.Account == nil:
		return nil, errors.New("password: LoginConfig.Account is missing")
	case c.AllowUnthrottled && c.Throttle != nil:
		return nil, errors.New("password: AllowUnthrottled with a Throttle")
	}
	c.PerAccount, c.PerAddress = c.PerAccount.withDefaults(5), c.PerAddress.withDefaults(20)
	for _, s := range []Slowdown{c.PerAccount, c.PerAddress} {
		if s.Free < 0 || s.Delay < 0 || s.MaxDelay < s.Delay || s.Forget < s.MaxDelay {
			return nil, errors.New("password: a Slowdown needs Delay <= MaxDelay <= Forget, none negative")
		}
	}
	if c.Throttle == nil && !c.AllowUnthrottled {
		c.Throttle = NewMemoryThrottle()
	}
	if c.Name == "" {
		c.Name = "password"
	}
	if c.Realm == "" {
		c.Realm = "api"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Decoy == "" {
		c.Decoy = c.Hasher.decoy
	} else if _, ok := parse(c.Decoy); !ok {
		return nil, errors.New("password: LoginConfig.Decoy is of no format that can be read")
	}
	return &Login{c, throttle{c.Throttle, c.PerAccount, c.PerAddress}}, nil
}

// Backend returns LoginConfig.Name.
func (l *Login) Backend() string { return l.config.Name }

// Challenges returns the challenge of HTTP Basic, unless Silent.
func (l *Login) Challenges() []auth.Challenge {
	if l.config.Silent {
		return nil
	}
	return []auth.Challenge{basic.Challenge(l.config.Realm)}
}

// Vary returns Authorization.
func (l *Login) Vary() []string { return []string{"Authorization"} }

// Authenticate proves a request by HTTP Basic or, if it has none, by the
// members or fields username and password of its body, which must be a POST of
// application/json or application/x-www-form-urlencoded with at most 8 KiB. The
// body can be read again afterwards. Other bodies, and those with neither of
// the two, are ErrNoCredentials; a body that breaks its syntax, lacks one or
// has one twice is ErrMalformed. For the rest see [Login.Check].
func (l *Login) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	credential := &Credential{backend: l.config.Name}
	scheme, value, err := auth.Authorization(r)
	if err != nil && err != auth.ErrNoCredentials {
		return nil, nil, err
	}
	var username, secret string
	if strings.EqualFold(scheme, "Basic") {
		credential.ambient = true
		username, secret, err = basic.Credentials(value)
	} else {
		username, secret, err = fromBody(r)
	}
	if err != nil {
		return nil, nil, err
	}
	user, err := l.Check(r, username, secret)
	if err != nil {
		return nil, nil, err
	}
	credential.at = time.Now()
	return user, credential, nil
}

var errWrong error = &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeAuthenticationFailed, Detail: "Invalid username/password."}

// Check proves a username and password, r being the request they came with. It
// fits header.BasicConfig.Check.
//
// An unknown user, an inactive one and a wrong password are the same
// ErrInvalid, after the same work. Too many of them are ErrThrottled, before a
// hash is computed. What no account can have, such as a NUL byte, is
// ErrMalformed.
func (l *Login) Check(r *http.Request, username, password string) (auth.User, error) {
	if err := checkText(username, password); err != nil {
		return nil, err
	}
	ctx := r.Context()
	if l.config.AllowUnthrottled {
		return l.verify(ctx, username, password)
	}
	try := l.throttle.attempt(username, l.config.Proxies.ClientIP(r))
	if err := try.begin(ctx, time.Now()); err != nil {
		return nil, err
	}
	user, err := l.verify(ctx, username, password)
	// The try is settled even if the client has gone away meanwhile.
	settling := context.WithoutCancel(ctx)
	switch {
	case err == nil:
		if err := try.succeed(settling, time.Now()); err != nil {
			return nil, undecided(err)
		}
	case err != errWrong:
		if err := try.abandon(settling, time.Now()); err != nil {
			l.config.Logger.WarnContext(ctx, "password: a try that was not judged stays counted", "error", err)
		}
	}
	return user, err
}

// verify does the same work for every account there could be.
func (l *Login) verify(ctx context.Context, username, password string) (auth.User, error) {
	user, encoded, err := l.config.Account(ctx, username)
	gone := errors.Is(err, auth.ErrUserNotFound) || errors.Is(err, auth.ErrUserInactive)
	if err != nil && !gone {
		return nil, undecided(err)
	}
	if encoded == "" {
		encoded, gone = l.config.Decoy, true
	}
	result, err := l.config.Hasher.Verify(ctx, password, encoded)
	if err != nil {
		return nil, err
	}
	if gone || !result.OK {
		return nil, errWrong
	}
	if result.NeedsRehash && l.config.Upgrade != nil {
		l.upgrade(ctx, user, password)
	}
	return user, nil
}

func (l *Login) upgrade(ctx context.Context, user auth.User, password string) {
	encoded, err := l.config.Hasher.Hash(ctx, password)
	if err == nil {
		err = l.config.Upgrade(ctx, user, encoded)
	}
	if err != nil {
		l.config.Logger.WarnContext(ctx, "password: not rehashed", "user", user.UserID(), "error", err)
	}
}

// undecided keeps the error of a store from being taken for a statement about
// the password, whatever it wraps.
func undecided(err error) error { return &auth.Error{Cause: err} }

// Credential is a password that was right.
type Credential struct {
	backend string
	ambient bool
	at      time.Time
}

var (
	_ auth.Credential    = (*Credential)(nil)
	_ auth.Primary       = (*Credential)(nil)
	_ auth.Ambient       = (*Credential)(nil)
	_ auth.LoginInformer = (*Credential)(nil)
)

// Backend returns LoginConfig.Name.
func (c *Credential) Backend() string { return c.backend }

// Primary returns true: a password may be turned into a token.
func (c *Credential) Primary() bool { return true }

// Ambient reports whether the password came by HTTP Basic, which a browser
// sends again by itself.
func (c *Credential) Ambient() bool { return c.ambient }

// LoginInfo returns the time of the check, and "pwd" (RFC 8176 §2).
func (c *Credential) LoginInfo() auth.LoginInfo {
	return auth.LoginInfo{AuthTime: c.at, AMR: []string{"pwd"}}
}
