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
	"net/http"
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

	// Prefix starts every token that is issued, at most 10 characters. One of
	// your own, such as "acme_", tells secret scanners which service a leaked token is for.
	Prefix string
	// AcceptPrefixes are earlier values of Prefix. Tokens with them stay good. The
	// value "" stands for tokens without a prefix. A prefix may not be another prefix
	// followed by letters and digits only, as "acme" is of "": their tokens could not
	// be told apart.
	AcceptPrefixes []string
	// TokenLength is the length of tokens in characters without the prefix, 36
	// to 128. 0 is 40. Every token carries at least 160 random bits. Tokens of
	// another length stay good when this changes.
	TokenLength int
	// Formats are tokens of other systems that Store can find, asked in order
	// after our own.
	Formats []Format

	// TTL is how long a token lives. 0 is 10 hours, unless AllowNoExpiry.
	TTL time.Duration
	// AllowNoExpiry issues tokens that never expire: by default if TTL is 0,
	// and else those with Options.NoExpiry. A token that is lost then stays
	// good until somebody revokes it.
	AllowNoExpiry bool
	// AutoRefresh makes tokens slide: use prolongs them to TTL from then.
	// Issuing writes this into the token. A change concerns new tokens.
	AutoRefresh bool
	// MinRefreshInterval is a gain for which no slide is written yet. 0 is a
	// minute. It is at most a tenth of the life of a token.
	MinRefreshInterval time.Duration
	// AutoRefreshMaxTTL is the absolute end of a sliding token, from its
	// creation. 0 is no such end.
	AutoRefreshMaxTTL time.Duration
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

	// Scopes are those that a user may give a personal token. If nil, any.
	Scopes []string
	// MaxPersonalTTL is the longest life of a personal token. 0 is 366 days.
	MaxPersonalTTL time.Duration

	// AllowIssueFromToken lets a credential that is not [auth.Primary], such
	// as a token, be turned into a new token, of no more scopes and no later
	// end. A thief of one token can then make others, which the owner's logout
	// does not end. With EvictOldest, the token that asks is not the one that ends for the
	// new one, unless Limit is 1.
	AllowIssueFromToken bool

	// BeforeIssue may change what a handler is about to issue, or refuse by
	// returning an error. Nothing has been written when it is called.
	BeforeIssue func(r *http.Request, user auth.User, options *Options) error
	// UserInfo is the "user" member of the answer to a login. Nil leaves it
	// out. It is called before anything is written.
	UserInfo func(r *http.Request, user auth.User) (any, error)
	// ExpiryFormat is the layout (package time) of "expiry" and all other
	// instants in answers. If empty, it is RFC 3339 with microseconds.
	ExpiryFormat string
	// ExpiryLocation is the zone of these instants. If nil, it is UTC. Django REST
	// framework writes the offset of Django's TIME_ZONE.
	ExpiryLocation *time.Location

	// Observer is told of logins, logouts and what becomes of tokens.
	Observer auth.Observer
	// Logger is warned, once for each user, of a login that proves another AuthStamp than
	// LoadUser finds. It is told of a token that the store cannot revoke after its login
	// failed. If nil, it is slog.Default.
	Logger *slog.Logger
}

// NoLimit as a Config.Limit lets a user have any number of tokens.
const NoLimit = backend.NoLimit

// Format reads tokens of another system. It returns the digest under which
// Store keeps the token, or false if the token is not of its shape. A digest is at most 255
// bytes of UTF-8 without NUL. A token with another one is unknown.
type Format func(token string) (digest string, ok bool)

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
	for name, negative := range map[string]bool{
		"TTL": c.TTL < 0, "MinRefreshInterval": c.MinRefreshInterval < 0, "AutoRefreshMaxTTL": c.AutoRefreshMaxTTL < 0,
		"MaxPersonalTTL": c.MaxPersonalTTL < 0, "KeepEnded": c.KeepEnded < 0,
	} {
		s.Refuse(negative, "Config.%s is negative", name)
	}
	c.Limit, c.EvictOldest = s.Limit("Config.Limit", c.Limit, c.EvictOldest)
	s.Refuse(c.AutoRefreshMaxTTL > 0 && c.AutoRefreshMaxTTL < c.TTL, "Config.AutoRefreshMaxTTL is shorter than TTL")
	s.Schemes("Config.Schemes", c.Schemes)
	s.Scopes("Config.Scopes", c.Scopes)
	format, err := backend.NewTokenFormat(c.Prefix, c.TokenLength, c.AcceptPrefixes...)
	s.Add("Config.Prefix, AcceptPrefixes and TokenLength", err)
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
	c.ExpiryFormat = cmp.Or(c.ExpiryFormat, "2006-01-02T15:04:05.000000Z07:00")
	c.ExpiryLocation = cmp.Or(c.ExpiryLocation, time.UTC)
	c.MinRefreshInterval = cmp.Or(c.MinRefreshInterval, time.Minute)
	c.TouchInterval = cmp.Or(c.TouchInterval, time.Minute)
	c.MaxPersonalTTL = cmp.Or(c.MaxPersonalTTL, 366*24*time.Hour)
	if c.TTL == 0 && !c.AllowNoExpiry {
		c.TTL = 10 * time.Hour
	}
	c.Schemes, c.Scopes, c.Formats = slices.Clone(c.Schemes), slices.Clone(c.Scopes), slices.Clone(c.Formats)
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
