// Package session logs people in with a browser: a server-side session behind
// a cookie, as Django's sessions are, that a user can see and end on every
// device.
//
// Choose it for pages. For apps and scripts choose package knox. Both work
// behind one [auth.Guard].
//
//	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: users.Load})
//	guard, err := auth.New(auth.Config{
//		Backends: []auth.Authenticator{sessions},
//		Login:    []auth.Authenticator{passwords}, // password.New
//		Render:   sessions.RedirectToLogin("/session/login", nil),
//	})
//	mux.Handle("/account", guard.Require()(account))
//
//	handlers, err := sessions.Handlers(guard)
//	handlers.Register(mux, "/session") // login, logout, logoutall, sessions
//
// The cookie holds an identifier of 184 random bits and nothing else. The store
// has its SHA-256 hash: a reader of the store can use no session.
//
// A cookie that is unknown, expired, or of a user that is gone counts as absent:
// the request is anonymous and the cookie is cleared, because the browser sends it
// by itself. Unsafe methods are checked by [net/http.CrossOriginProtection],
// because the backend is [auth.Ambient]. There is no CSRF token to forget.
// Nothing is stored before a login. See [Sessions.AddFlash].
//
// Serve pages of users with "Cache-Control: no-store", and set a flash when they
// log out. Chromium may keep even a no-store page for its back button, and drops
// it only when cookies change. Clearing the session's cookie is not enough if the
// same browser set it on the page before, so the flash changes a second cookie.
// TestBackAfterLogoutShowsNothing in browser_test.go looks at this.
package session

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// Lifetime is how long a session lives.
type Lifetime struct {
	Idle     time.Duration // it ends so long after it was last used
	Absolute time.Duration // it ends so long after the login, used or not
}

// Config is the configuration of [Sessions]. Store and LoadUser are required.
type Config struct {
	Store    Store
	LoadUser auth.UserLoader

	// Name is what credentials return as their backend. Empty is "session".
	Name string
	// Cookie is the name of the cookie, without the prefix "__Host-" that it
	// gets. Empty is "session". Browsers send a server's cookies to all its
	// ports: two programs on one host need two names.
	Cookie string
	// InsecureCookie is for a host that is served by plain http and is not the
	// browser's own machine (browsers take http://localhost for secure). It
	// leaves out Secure and the prefix "__Host-": anybody on the way can read
	// the session, and pages of sibling domains can plant one of theirs.
	InsecureCookie bool
	// Realm is named in the challenge (RFC 9110 §11.5). Empty is "api".
	Realm string
	// Lifetime of a session. Zero is 1 hour idle and 24 hours absolute, as NIST
	// SP 800-63B-4 §2.2.3 has for AAL2. The cookie ends with the browser.
	Lifetime Lifetime
	// Remember is the lifetime of a session if its login asked to be
	// remembered. Its cookie stays when the browser is closed. Zero remembers
	// no login. NIST SP 800-63B-4 §2.1.3 has 30 days for AAL1.
	Remember Lifetime
	// TouchInterval is how often at most the use of a session is written, at
	// most half of any Idle. 0 is a minute, or a tenth of Idle if that is less.
	TouchInterval time.Duration

	// Limit is the most live sessions of a user. One more is refused with ErrLimit or,
	// with EvictOldest, ends the oldest, with an EventRevoked. 0 is 1,000, of which the
	// oldest ends. NoLimit removes the limit.
	Limit       int
	EvictOldest bool

	// BeforeLogin may change what a login gets, or refuse it by returning an
	// error: it is where a policy decides which users are remembered. Nothing has been
	// written when it is called.
	BeforeLogin func(r *http.Request, user auth.User, options *Options) error

	// Keys seal the cookie that holds flashes and the way back from a login.
	// The first seals, all open. Each has at least 32 random bytes. If nil, there is
	// a random one: what was sealed is then lost when the program ends, and
	// instances of one service do not read each other's.
	Keys []auth.Secret

	// Observer is told of logins, logouts and what becomes of sessions.
	Observer auth.Observer
	// Logger is warned, once, of a login with a cookie that browsers will not keep, and, once for
	// each user, of a login that proves another AuthStamp than LoadUser finds. It is told of a
	// session that the store cannot revoke after its login failed. Nil is slog.Default.
	Logger *slog.Logger
}

// NoLimit as a Config.Limit lets a user have any number of sessions.
const NoLimit = backend.NoLimit

// Sessions starts and checks sessions. It is immutable and safe for concurrent
// use.
type Sessions struct {
	config   Config
	findHash FindHash // of Config.Store, or nil
	seals    []seal.Key
	events   backend.Events

	cookie      backend.Cookie // of the session
	cookieName  string         // the whole name of cookie
	stateCookie backend.Cookie // of the browser's state

	staleAnswers staleCookies // to cookies without a record
	warned       warned
	drift        backend.StampWarner
}

var (
	_ auth.Authenticator = (*Sessions)(nil)
	_ auth.Named         = (*Sessions)(nil)
	_ auth.Challenger    = (*Sessions)(nil)
	_ auth.TokenOwner    = (*Sessions)(nil)
	_ auth.Ambient       = (*Sessions)(nil)
	_ auth.Varier        = (*Sessions)(nil)
	_ auth.Revoker       = (*Sessions)(nil)
	_ auth.Purger        = (*Sessions)(nil)
)

// New returns Sessions, or an error that says which settings are missing, out of
// range or contradict each other.
func New(config Config) (*Sessions, error) {
	c := config.withDefaults()
	s := &Sessions{
		cookie:      backend.Cookie{Name: c.Cookie, Insecure: c.InsecureCookie},
		stateCookie: backend.Cookie{Name: c.Cookie + "-notes", Insecure: c.InsecureCookie},
		events:      backend.Events{Observer: c.Observer, Backend: c.Name},
	}
	s.cookieName, s.staleAnswers = s.cookie.FullName(), s.staleCookies()
	if err := c.check(s.cookie); err != nil {
		return nil, err
	}
	s.config, s.findHash = c, hashFinder(c.Store)
	var err error
	if s.seals, err = seals(c.Keys); err != nil {
		return nil, err
	}
	s.config.Keys = nil // not needed any more, and package fmt would show them
	return s, nil
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "session")
	c.Cookie = cmp.Or(c.Cookie, "session")
	c.Realm = cmp.Or(c.Realm, "api")
	c.Lifetime = cmp.Or(c.Lifetime, Lifetime{Idle: time.Hour, Absolute: 24 * time.Hour})
	c.TouchInterval = cmp.Or(c.TouchInterval, min(time.Minute, c.shortest()/10))
	return c
}

// shortest returns the shorter Idle of the lifetimes there are.
func (c Config) shortest() time.Duration {
	if c.Remember == (Lifetime{}) {
		return c.Lifetime.Idle
	}
	return min(c.Lifetime.Idle, c.Remember.Idle)
}

// check checks the settings, and fills in what Limit means.
func (c *Config) check(cookie backend.Cookie) error {
	s := backend.Settings{Package: "session"}
	s.Need("Config.Store", c.Store)
	s.Need("Config.LoadUser", c.LoadUser)
	s.Refuse(c.TouchInterval < 0, "Config.TouchInterval is negative")
	c.Limit, c.EvictOldest = s.Limit("Config.Limit", c.Limit, c.EvictOldest)
	for name, l := range map[string]Lifetime{"Lifetime": c.Lifetime, "Remember": c.Remember} {
		s.Refuse(l != Lifetime{} && (l.Idle < time.Second || l.Absolute < l.Idle),
			"Config.%s must have an Idle of a second or more, and an Absolute of no less", name)
	}
	s.Refuse(c.TouchInterval > c.shortest()/2,
		"Config.TouchInterval is more than half of an Idle, so sessions in use would end")
	s.Add("Config.Cookie", cookie.Check())
	return s.Err()
}

// Backend returns Config.Name.
func (s *Sessions) Backend() string { return s.config.Name }

// Ambient returns true: the browser adds the cookie to every request, whichever
// page caused it.
func (s *Sessions) Ambient() bool { return true }

// Challenges returns a challenge of the scheme "Cookie" that names the cookie.
// No RFC defines one, and browsers ignore it. But a 401 must have a challenge
// (RFC 9110 §15.5.2), and only a program reads it.
func (s *Sessions) Challenges() []auth.Challenge {
	return []auth.Challenge{{Scheme: "Cookie", Params: []auth.Param{
		{Name: "realm", Value: s.config.Realm}, {Name: "cookie-name", Value: s.cookieName}}}}
}

// OwnTokens returns the cookie, so that no guard has a second backend for it.
func (s *Sessions) OwnTokens() []auth.TokenClass {
	return []auth.TokenClass{{Scheme: "Cookie", Prefix: s.cookieName + "="}}
}

// Vary returns Cookie, the one header that is read.
func (s *Sessions) Vary() []string { return []string{"Cookie"} }

func (s *Sessions) logger() *slog.Logger {
	return cmp.Or(s.config.Logger, slog.Default())
}
