// Package knox authenticates by opaque tokens, one per device: every login
// makes a new one, a logout ends just that one, and a user can see and end each
// of them. It does what django-rest-knox does, on the same wire.
//
// Choose it where a token must end at once when a user logs out or is disabled,
// and a look-up per request is fine. Choose package jwt where other services
// must check tokens without asking this one.
//
//	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: users.Load})
//	guard, err := auth.New(auth.Config{
//		Backends: []auth.Authenticator{tokens},
//		Login:    []auth.Authenticator{passwords}, // password.New, or header.NewBasic
//	})
//	mux.Handle("/reports", guard.Require()(reports))
//
//	handlers, err := tokens.Handlers(guard)
//	handlers.Register(mux, "/auth") // login, logout, logoutall, tokens
//
// A client sends `Authorization: Token …`. Tokens are stored as SHA-256 hashes:
// a reader of the store can use no token.
package knox

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Config is the configuration of [Tokens]. Store and LoadUser are required.
type Config struct {
	Store Store
	// LoadUser is asked on every request with a token, and before one is made.
	// A cache in front of it must forget a user when the stamp changes. Until it
	// does, logins of the user are refused.
	LoadUser auth.UserLoader

	// Name is what credentials return as their backend. Empty is "knox".
	Name string
	// Schemes are the schemes of the Authorization header that are spoken, in
	// any case. If nil, it is "Token". Add "Bearer" for clients that know no other.
	Schemes []string
	// Realm is named in challenges (RFC 9110 §11.5). Empty is "api".
	Realm string

	// Token says what tokens look like.
	Token TokenSettings

	// TTL is how long a token lives. 0 is 10 hours, unless AllowNoExpiry.
	TTL time.Duration
	// AllowNoExpiry issues tokens that never expire: by default if TTL is 0,
	// and else those with Options.NoExpiry. A token that is lost then stays
	// good until somebody revokes it.
	AllowNoExpiry bool
	// Sliding prolongs tokens when they are used.
	Sliding SlidingSettings
	// TouchInterval is how often at most the last use of a token is written. 0
	// is a minute. If negative, it is written with a slide only.
	TouchInterval time.Duration

	// Limit is the most tokens that are good of a user. One more is refused with
	// ErrLimit or, with EvictOldest, ends the oldest, with an EventRevoked. 0 is 1,000,
	// of which the oldest ends. NoLimit removes the limit.
	Limit       int
	EvictOldest bool

	// KeepEnded is how long an [EndedToken] is kept of each token that ended,
	// for [Tokens.Ended]. 0 keeps nothing. It is personal data: it tells from
	// which addresses and with which programs a user logged in, and when they
	// last used them. Only Tokens.Purge removes it in time and bounds how many there
	// are, so it must be called. A change concerns what is
	// kept already, too.
	KeepEnded time.Duration

	// Personal bounds the tokens that users make for programs of theirs.
	Personal PersonalSettings
	// Issue says when the handlers issue a token.
	Issue IssueSettings
	// Answer says what the handlers answer.
	Answer AnswerSettings

	// Observer is told of logins, logouts and what becomes of tokens.
	Observer auth.Observer
	// Logger is warned, once for each user, of a login that proves another AuthStamp than
	// LoadUser finds. It is told of a token that the store cannot revoke after its login
	// failed. If nil, it is slog.Default.
	Logger *slog.Logger
}

// NoLimit as a Config.Limit lets a user have any number of tokens.
const NoLimit = backend.NoLimit

// Tokens issues and checks tokens. It is immutable and safe for concurrent use.
type Tokens struct {
	config   Config
	format   *backend.TokenFormat
	findHash FindHash // of Config.Store, or nil
	events   backend.Events

	unrecognized error // what a token of another form is answered with
	drift        backend.StampWarner
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

// New returns Tokens, or an error that says which settings are missing, out of
// range or contradict each other.
func New(config Config) (*Tokens, error) {
	c := config.withDefaults()
	s := backend.Settings{Package: "knox"}
	s.Need("Config.Store", c.Store)
	s.Need("Config.LoadUser", c.LoadUser)
	for name, duration := range map[string]time.Duration{
		"TTL":             c.TTL,
		"Sliding.MinGain": c.Sliding.MinGain,
		"Sliding.MaxTTL":  c.Sliding.MaxTTL,
		"Personal.MaxTTL": c.Personal.MaxTTL,
		"KeepEnded":       c.KeepEnded,
	} {
		s.Refuse(duration < 0, "Config.%s is negative", name)
	}
	c.Limit, c.EvictOldest = s.Limit("Config.Limit", c.Limit, c.EvictOldest)
	s.Refuse(c.Sliding.MaxTTL > 0 && c.Sliding.MaxTTL < c.TTL, "Config.Sliding.MaxTTL is shorter than TTL")
	s.Schemes("Config.Schemes", c.Schemes)
	s.Scopes("Config.Personal.Scopes", c.Personal.Scopes)
	format, err := backend.NewTokenFormat(c.Token.Prefix, c.Token.Length, c.Token.AcceptPrefixes...)
	s.Add("Config.Token.Prefix, AcceptPrefixes and Length", err)
	if err := s.Err(); err != nil {
		return nil, err
	}
	return &Tokens{config: c, format: format, findHash: hashFinder(c.Store), unrecognized: unrecognized(c),
		events: backend.Events{Observer: c.Observer, Backend: c.Name}}, nil
}

// withDefaults fills in what is zero, and copies what the caller could change.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "knox")
	c.Realm = cmp.Or(c.Realm, "api")
	c.Sliding.MinGain = cmp.Or(c.Sliding.MinGain, time.Minute)
	c.TouchInterval = cmp.Or(c.TouchInterval, time.Minute)
	c.Personal.MaxTTL = cmp.Or(c.Personal.MaxTTL, 366*24*time.Hour)
	c.Answer.TimeLayout = cmp.Or(c.Answer.TimeLayout, "2006-01-02T15:04:05.000000Z07:00")
	c.Answer.TimeLocation = cmp.Or(c.Answer.TimeLocation, time.UTC)
	if c.TTL == 0 && !c.AllowNoExpiry {
		c.TTL = 10 * time.Hour
	}
	c.Schemes = slices.Clone(c.Schemes)
	c.Personal.Scopes, c.Token.Foreign = slices.Clone(c.Personal.Scopes), slices.Clone(c.Token.Foreign)
	if len(c.Schemes) == 0 {
		c.Schemes = []string{"Token"}
	}
	return c
}

// Backend returns Config.Name.
func (t *Tokens) Backend() string { return t.config.Name }

// Challenges returns one challenge per scheme.
func (t *Tokens) Challenges() []auth.Challenge {
	var challenges []auth.Challenge
	for _, scheme := range t.config.Schemes {
		challenges = append(challenges,
			auth.Challenge{Scheme: scheme, Params: []auth.Param{{Name: "realm", Value: t.config.Realm}}})
	}
	return challenges
}

// OwnTokens returns the schemes and prefixes of the tokens issued.
func (t *Tokens) OwnTokens() []auth.TokenClass { return t.format.TokenClasses(t.config.Schemes...) }

// Ambient returns false: no browser adds a token by itself.
func (t *Tokens) Ambient() bool { return false }

// Vary returns Authorization, the one header that is read.
func (t *Tokens) Vary() []string { return []string{"Authorization"} }
