package password

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/basic"
	"github.com/gatewarden/auth/internal/loglimit"
)

// Config is the configuration of [Authenticator]. Hasher and Account are required.
type Config struct {
	Hasher  *Hasher
	Account AccountFinder

	// Throttle keeps the counters of failed logins. If nil, it is a [MemoryThrottle].
	// Instances of one service need a store they share. Limits then hold for all of
	// them together, and each lets that many logins run at once.
	Throttle ThrottleStore
	// AllowUnthrottled counts nothing. Passwords can then be guessed as fast
	// as they are hashed, unless something in front of the service counts.
	AllowUnthrottled bool
	// Limits say how guessing is slowed down. Addresses are those that
	// auth.ClientIP returns: name the proxies in auth.Config, or all clients of
	// a proxy share its address and each other's failures. Behind a proxy that
	// connects by a Unix socket no client has an address, and all share one counter.
	// Have it connect by TCP, or set r.RemoteAddr of its requests to "127.0.0.1:1" in a
	// handler around the guard, and trust 127.0.0.1.
	Limits Limits
	// Devices, if set, leave a cookie in browsers that users log in from by a form or
	// JSON. From there they can log in while strangers guess at the account. See [NewDevices].
	Devices *Devices
	// Upgrade stores a new string for a user when the password was just proved
	// and the stored string has another format or other parameters than
	// Hasher's. If nil, nothing is rehashed. An error is logged and fails no login.
	//
	// Leave it nil while another program, such as Django, reads the same
	// strings, unless HasherConfig.Format is one that it reads. If the
	// AuthStamp changes with the stored string, the user loses what was issued
	// before. Account is asked again, so that this login gets the new stamp if
	// the new string is what it finds. To lose no race
	// with a change of password, write only where the stored string is still
	// the one that Account found.
	Upgrade func(ctx context.Context, user auth.User, encoded string) error
	// Decoy is a stored string of the kind that most users have, of whatever
	// password. It is verified where there is no other, so that unknown users
	// take as long to refuse as known ones. Empty is one of Hasher's own,
	// which is right unless most users were taken over from elsewhere. A
	// legacy one needs Hasher to allow it.
	Decoy string

	// Name is what credentials return as their backend. Empty is "password".
	Name string
	// Realm is named in the challenge (RFC 7617 §2). Empty is "api".
	Realm string
	// Silent sends a challenge of the scheme "Form" in place of Basic, so that
	// browsers open no dialog of their own. Basic is accepted all the same.
	Silent bool
	// Logger is told of failed upgrades and, once for each user, of stored strings
	// that have no known format. Nil is slog.Default.
	Logger *slog.Logger
}

// AccountFinder finds a user by the name they log in with, and the string that
// [Hasher.Hash] or Django made of their password. It returns
// [auth.ErrUserNotFound] if there is no user of that name and
// [auth.ErrUserInactive] if the user may not log in, best with the string, so
// that it is verified all the same. Any other error is answered with 503. A
// user without a password has an empty or unusable string, which never matches.
// User and string must be of one moment, best of one query: a login that races
// a change of the password then has the stamp of the password it proved, with
// which nothing is accepted any more. It must be safe for concurrent use.
type AccountFinder func(ctx context.Context, username string) (user auth.User, encoded string, err error)

// Authenticator is the backend that proves users by username and password. It is safe
// for concurrent use.
type Authenticator struct {
	config    Config
	decoy     storedHash
	throttle  *throttle // nil if unthrottled
	challenge []auth.Challenge

	unreadable loglimit.Once // users with a stored string of no known format
}

var (
	_ auth.Authenticator = (*Authenticator)(nil)
	_ auth.Challenger    = (*Authenticator)(nil)
	_ auth.Named         = (*Authenticator)(nil)
	_ auth.Varier        = (*Authenticator)(nil)
	_ auth.Purger        = (*Authenticator)(nil)
	_ auth.Primary       = (*Credential)(nil)
	_ auth.Ambient       = (*Credential)(nil)
	_ auth.AuthInformer  = (*Credential)(nil)
	_ auth.HeaderSetter  = (*Credential)(nil)
)

const (
	maxUsername = 255
)

var (
	errLongUsername = &auth.Error{Kind: auth.ErrMalformed, Detail: "Username is too long.",
		Cause: errors.New("password: the username is longer than 255 bytes")}
	errLongPassword = &auth.Error{Kind: auth.ErrMalformed, Detail: "Password is too long.",
		Cause: errors.New("password: the password is longer than MaxPassword")}
	errInvalidUsername = &auth.Error{Kind: auth.ErrMalformed, Detail: "Username has invalid characters.",
		Cause: errors.New("password: the username is not UTF-8 or has control characters")}
	errInvalidPassword = &auth.Error{Kind: auth.ErrMalformed, Detail: "Password has invalid characters.",
		Cause: errors.New("password: the password is not UTF-8")}
)

// New returns an Authenticator. It refuses a configuration without Hasher or
// Account, a Decoy that is no stored string, a Throttle with AllowUnthrottled,
// and Limits that contradict each other.
func New(config Config) (*Authenticator, error) {
	s := backend.Settings{Package: "password"}
	s.Need("Config.Hasher", config.Hasher)
	s.Need("Config.Account", config.Account)
	s.Optional("Config.Throttle", config.Throttle)
	s.Refuse(config.AllowUnthrottled && config.Throttle != nil, "Config has both Throttle and AllowUnthrottled")
	limits, err := config.Limits.withDefaults()
	s.Add("Config.Limits", err)
	if err := s.Err(); err != nil {
		return nil, err
	}
	config.Name, config.Realm = cmp.Or(config.Name, "password"), cmp.Or(config.Realm, "api")
	a := &Authenticator{config: config, decoy: config.Hasher.decoy}
	if config.Decoy != "" {
		if a.decoy, err = config.Hasher.read(config.Decoy); err != nil {
			return nil, fmt.Errorf("password: Config.Decoy: %w", err)
		}
	}
	if !config.AllowUnthrottled {
		a.throttle = &throttle{store: config.Throttle, limits: limits}
		if config.Throttle == nil {
			a.throttle.store = NewMemoryThrottle()
		}
	}
	a.challenge = []auth.Challenge{basic.Challenge(config.Realm)}
	if config.Silent {
		a.challenge = []auth.Challenge{{Scheme: "Form", Params: []auth.Param{{Name: "realm", Value: config.Realm}}}}
	}
	return a, nil
}

// Authenticate implements [auth.Authenticator]. It reads HTTP Basic (RFC 7617),
// and if Authorization has no scheme or another, the members or parameters
// "username" and "password" of a POST body in JSON, application/x-www-form-urlencoded or
// multipart/form-data, in UTF-8 and at most 8 KiB. It puts the body back, so that
// handlers read it from its start whatever the outcome.
//
// A body without both, and one of another type, is [auth.ErrNoCredentials]. At a login
// ([auth.AtLogin]) one of another type is answered with 415 and the types that are read
// (RFC 9110 §15.5.16), unless another backend proves the request. A body that has only
// one of them, or one twice, or that is broken, is [auth.ErrMalformed]. Other errors are
// those of Check.
func (a *Authenticator) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	value, err := basic.FromRequest(r)
	byBasic := err == nil
	var username, password string
	if !byBasic && !errors.Is(err, auth.ErrNoCredentials) {
		return nil, nil, err
	}
	if byBasic {
		if username, password, err = basic.Decode(value); err != nil {
			return nil, nil, err
		}
		if fault := validate(username, password); fault != nil {
			unauthorized := *fault
			unauthorized.Status = http.StatusUnauthorized // as every other fault of Basic
			return nil, nil, &unauthorized
		}
	} else if username, password, err = fromBody(r); err != nil {
		return nil, nil, err
	}
	user, err := a.Check(r, username, password)
	if err != nil {
		return nil, nil, err
	}
	proved := &Credential{
		backend: a.config.Name, basic: byBasic, authInfo: auth.AuthInfo{AuthTime: time.Now(), AMR: []string{"pwd"}},
	}
	if a.config.Devices != nil && !byBasic {
		proved.devices, proved.cookie = a.config.Devices, a.config.Devices.cookieFor(r, username, user)
	}
	return user, proved, nil
}

// Check proves a user by a username and password that came in some other way.
// The request r gives the context and the client's address, which is right behind a proxy only
// inside a [auth.Guard]: elsewhere every client has the address of the proxy. It asks
// the throttle, then Account, and hashes last. Errors are
//
//   - [auth.ErrMalformed]: the username is longer than 255 bytes or has control
//     characters, the password is longer than [MaxPassword], or one is not UTF-8
//   - [auth.ErrThrottled]: too many failures, with RetryAfter, whether or not the
//     password is right. Mostly nothing was looked up or hashed, unless the limit was reached
//     meanwhile, by another instance
//   - [auth.ErrInvalid]: no such user, wrong password or inactive user. The client
//     cannot tell them apart, by the answer or by its time. The cause, for the log
//     and the Observer, says which it was: see [auth.Error]
//   - any other error: Account or the store failed, the Hasher is busy, or others of
//     the same account or address were under way for longer than Limits.MaxWait
//
// If the name has failures left and the user has not, because others guess by other
// spellings of the name, the answer is ErrInvalid even to the right password: a
// stranger would else learn which names are those of one user. The cause says so.
func (a *Authenticator) Check(r *http.Request, username, password string) (auth.User, error) {
	user, rehash, err := a.check(r, username, password)
	if err != nil || !rehash {
		return user, err
	}
	return a.upgrade(r.Context(), user, username, password), nil
}

// check is Check that upgrades nothing, and says whether that would be due.
func (a *Authenticator) check(r *http.Request, username, password string) (user auth.User, rehash bool, err error) {
	if fault := validate(username, password); fault != nil {
		return nil, false, fault
	}
	if a.throttle != nil {
		return a.checkThrottled(r, username, password)
	}
	found, err := a.find(r.Context(), username)
	if err != nil {
		return nil, false, err
	}
	rehash, err = a.verify(r.Context(), password, found)
	if err != nil {
		return nil, false, err
	}
	return found.user, rehash, nil
}

// account is what Config.Account found.
type account struct {
	user    auth.User
	encoded string
	refused error // ErrUserNotFound or ErrUserInactive
}

// find asks Config.Account.
func (a *Authenticator) find(ctx context.Context, username string) (*account, error) {
	user, encoded, err := a.config.Account(ctx, username)
	switch {
	case errors.Is(err, auth.ErrUserNotFound) || errors.Is(err, auth.ErrUserInactive):
		return &account{user, encoded, err}, nil
	case err != nil && strings.Contains(err.Error(), "no rows in result set"):
		return nil, outage("account finder", fmt.Errorf("%w. Return auth.ErrUserNotFound for an unknown name", err))
	case err != nil:
		return nil, outage("account finder", err)
	}
	if err := checkUser(ctx, user); err != nil {
		return nil, fmt.Errorf("password: Config.Account: %w", err)
	}
	return &account{user, encoded, nil}, nil
}

// verify verifies the password of an account. Whether or not there is such a user, one
// hash is computed.
func (a *Authenticator) verify(ctx context.Context, password string, found *account) (rehash bool, err error) {
	result, err := a.config.Hasher.verify(ctx, password, found.encoded, a.decoy)
	switch {
	case err != nil:
		return false, err
	case found.refused != nil || !result.OK:
		return false, a.failure(ctx, found.refused, found.user, found.encoded)
	}
	return result.NeedsRehash, nil
}

// checkUser checks the user of a finder as that of a loader: a nil user, or one with a
// reserved identifier, is a bug and answered with 500.
func checkUser(ctx context.Context, user auth.User) error {
	_, err := auth.UserLoader(func(context.Context, string) (auth.User, error) { return user, nil }).Find(ctx, "any")
	return err
}

// upgrade has the password stored anew and returns the user as they are then.
// If the string is not what was just stored, the password was changed meanwhile:
// the user is then returned as of the proof. Otherwise somebody with
// the old password would get the stamp of the new one.
func (a *Authenticator) upgrade(ctx context.Context, user auth.User, username, password string) auth.User {
	if a.config.Upgrade == nil {
		return user
	}
	encoded, err := a.config.Hasher.Hash(ctx, password)
	if err == nil {
		err = a.config.Upgrade(ctx, user, encoded)
	}
	var fresh auth.User
	var have string
	if err == nil {
		fresh, have, err = a.config.Account(ctx, username)
	}
	if err == nil {
		err = checkUser(ctx, fresh)
	}
	if err != nil {
		a.warn(ctx, "password: cannot upgrade a stored password", "user", user.UserID(), "error", err)
		return user
	}
	// With Django's "argon2" in front, perhaps.
	if !strings.HasSuffix(have, encoded) || fresh.UserID() != user.UserID() {
		return user
	}
	return fresh
}

func (a *Authenticator) warn(ctx context.Context, message string, args ...any) {
	logger := a.config.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.WarnContext(ctx, message, args...)
}

// validate returns what keeps username and password from being looked at.
func validate(username, password string) *auth.Error {
	switch {
	case len(username) > maxUsername:
		return errLongUsername
	case len(password) > MaxPassword:
		return errLongPassword
	case !utf8.ValidString(username) || strings.ContainsFunc(username, unicode.IsControl):
		return errInvalidUsername
	case !utf8.ValidString(password):
		return errInvalidPassword
	}
	return nil
}

// OwnTokens returns Basic, so that no guard has a second backend for it.
func (a *Authenticator) OwnTokens() []auth.TokenClass { return []auth.TokenClass{{Scheme: "Basic"}} }

// Backend returns Config.Name.
func (a *Authenticator) Backend() string { return a.config.Name }

// Purge implements [auth.Purger]. It removes at most limit expired counters of
// Config.Throttle.
func (a *Authenticator) Purge(ctx context.Context, limit int) (int, error) {
	return a.throttle.purge(ctx, limit)
}

// Challenges returns the challenge of Basic (RFC 7617 §2.1), or if Silent one of
// the scheme Form, which no browser acts on and no RFC defines.
func (a *Authenticator) Challenges() []auth.Challenge { return a.challenge }

// ReadsProxies returns true: failures are counted by the client's address.
func (a *Authenticator) ReadsProxies() bool { return true }

// Vary implements [auth.Varier].
func (a *Authenticator) Vary() []string { return []string{"Authorization"} }

// Credential is a username and password that were right.
type Credential struct {
	backend  string
	basic    bool
	authInfo auth.AuthInfo
	devices  *Devices // nil if the login leaves no cookie
	cookie   string   // for devices
}

// Backend returns the Name of the Authenticator.
func (c *Credential) Backend() string { return c.backend }

// Scopes returns that the credential is not limited.
func (c *Credential) Scopes() (scopes []string, limited bool) { return nil, false }

// Primary returns true: a password is what other credentials are issued for.
func (c *Credential) Primary() bool { return true }

// Ambient reports whether it came as HTTP Basic, which browsers add by
// themselves once they were told.
func (c *Credential) Ambient() bool { return c.basic }

// AuthInfo returns when the password was proved, and "pwd" (RFC 8176 §2).
func (c *Credential) AuthInfo() auth.AuthInfo { return c.authInfo }

// SetHeaders leaves the cookie of Config.Devices on the answer to a login.
func (c *Credential) SetHeaders(h http.Header) {
	if c.devices != nil {
		c.devices.setCookie(h, c.cookie)
	}
}
