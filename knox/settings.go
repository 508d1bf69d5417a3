package knox

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// TokenSettings say what tokens look like. See Config.Token.
type TokenSettings struct {
	// Prefix starts every token that is issued, at most 10 characters. One of
	// your own, such as "acme_", tells secret scanners which service a leaked token is for.
	Prefix string
	// AcceptPrefixes are earlier values of Prefix. Tokens with them stay good. The
	// value "" stands for tokens without a prefix. A prefix may not be another prefix
	// followed by letters and digits only, as "acme" is of "": their tokens could not
	// be told apart.
	AcceptPrefixes []string
	// Length is the length of tokens in characters without the prefix, 36
	// to 128. 0 is 40. Every token carries at least 160 random bits. Tokens of
	// another length stay good when this changes.
	Length int
	// Foreign are tokens of other systems that Store can find, asked in order
	// after our own.
	Foreign []ForeignToken
}

// ForeignToken reads tokens of another system. It returns the digest under which
// Store keeps the token, or false if the token is not of its shape. A digest is at most 255
// bytes of UTF-8 without NUL. A token with another one is unknown.
type ForeignToken func(token string) (digest string, ok bool)

// SlidingSettings say how use prolongs tokens. Issuing writes this into the token, so a change
// concerns new tokens. See Config.Sliding.
type SlidingSettings struct {
	// Enabled makes tokens slide: use prolongs them to TTL from then. See also Options.Sliding.
	Enabled bool
	// MaxTTL is the absolute end of a sliding token, from its creation. 0 is no such end.
	MaxTTL time.Duration
	// MinGain is a gain for which no slide is written yet. 0 is a minute. It is at most a tenth
	// of the life of a token. A change of MinGain concerns all tokens.
	MinGain time.Duration
}

// PersonalSettings bound personal tokens, which users make with [Handlers].Tokens. See
// Config.Personal.
type PersonalSettings struct {
	// Scopes are those that a user may give a personal token. If nil, any.
	Scopes []string
	// MaxTTL is the longest life of a personal token. 0 is 366 days.
	MaxTTL time.Duration
}

// IssueSettings say when [Handlers] issue a token. See Config.Issue.
type IssueSettings struct {
	// AllowFromToken lets a credential that is not [auth.Primary], such
	// as a token, be turned into a new token, of no more scopes and no later
	// end. A thief of one token can then make others, which the owner's logout
	// does not end. With EvictOldest, the token that asks is not the one that ends for the
	// new one, unless Limit is 1.
	AllowFromToken bool
	// Before may change what a handler is about to issue, or refuse by
	// returning an error. Nothing has been written when it is called.
	Before func(r *http.Request, user auth.User, options *Options) error
}

// AnswerSettings say what [Handlers] answer. See Config.Answer.
type AnswerSettings struct {
	// UserInfo is the "user" member of the answer to a login. Nil leaves it
	// out. It is called before anything is written.
	UserInfo func(r *http.Request, user auth.User) (any, error)
	// TimeLayout is the layout (package time) of "expiry" and all other
	// instants in answers. If empty, it is RFC 3339 with microseconds.
	TimeLayout string
	// TimeLocation is the zone of these instants. If nil, it is UTC. Django REST
	// framework writes the offset of Django's TIME_ZONE.
	TimeLocation *time.Location
}
