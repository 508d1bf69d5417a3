package oauth2

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/loglimit"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/internal/tokencache"
	"github.com/gatewarden/auth/jwt"
)

// IntrospectionConfig is the configuration of an [Introspection]. Issuer or
// Endpoint, ClientID, and ClientSecret or Key are required.
type IntrospectionConfig struct {
	// Issuer is the authorization server. Its metadata says where to ask, unless
	// Endpoint does, and answers that name another issuer are refused.
	Issuer string
	// Endpoint is where to ask: https, or http of a loopback host.
	Endpoint string

	// ClientID and ClientSecret are what the server knows this API by: they are sent
	// by Basic (RFC 6749 §2.3.1).
	ClientID     string
	ClientSecret auth.Secret
	// Key signs an assertion in place of a secret (private_key_jwt, RFC 7523 §2.2):
	// an asymmetric one.
	Key *jwt.Key

	// Profile says how the server writes its answers, such as [jwt.Keycloak] and [jwt.Hydra], or
	// [DjangoOAuthToolkit] and [Duende] of this package: which members hold scopes and the client, and
	// which mark a machine's token. It also says which answers are about access tokens. The zero value
	// fits servers that follow RFC 7662: if "sub" is the client, the token is a machine's.
	Profile jwt.Profile
	// SubjectMember is the member of an answer that names the user. Empty is "sub". Some servers have
	// "username" only. A token without it is refused, unless Profile marks it as a machine's. A value
	// that users may choose and change, such as "username", must be unique, and must not be given
	// to another user later.
	SubjectMember string
	// AllowUnverifiedEmail takes an e-mail address in SubjectMember as it is. Without it an address,
	// and whatever is in "email", counts only if "email_verified" is true and "email" is the same address. What is
	// lost: a user that can register an address of another person at the server becomes that person here. The address
	// in a "sub" is the server's own name for the user, and always counts.
	AllowUnverifiedEmail bool
	// MachinePrefix comes before the identifier of each machine, such as "shop/": [auth.Machine].
	// Sources of several servers in one guard need different ones, since client identifiers are unique
	// at their server only (RFC 6749 §2.2). [New] and [auth.New] refuse prefixes of which one starts with
	// the other one, unless they are the same: that says that it is one server.
	MachinePrefix string
	// AllowNoAudience takes tokens for which the answer has no "aud", which RFC 7662 §2.2 makes
	// optional, and many servers do not write: absent, null, an empty list or an empty text. What is
	// lost: a token that was issued for another API of the server is then good here, and that API can
	// use the tokens which it receives here (RFC 9700 §2.3). An "aud" that is there must still name
	// this API.
	AllowNoAudience bool

	// Owns tells the tokens of this server by their look, such as a prefix, so that
	// those of others are not sent to it. Nil is every token.
	Owns func(token string) bool

	// Cache says how long responses are remembered.
	Cache IntrospectionCache
	// Limits says what is sent to the server, at most.
	Limits IntrospectionLimits
	// HTTP is about the requests to the server.
	HTTP IntrospectionHTTP
	// Logger is told of requests that fail. Nil is slog.Default.
	Logger *slog.Logger
}

// IntrospectionCache says how long the responses of a server are remembered.
type IntrospectionCache struct {
	// TTL is how long the response for an active token is remembered, from the request on, at most until the token
	// expires. A token that was revoked stays valid for so long. 0 is 30 seconds. Less than 0 is not
	// at all: each request of a client then makes a request to the server, so see IntrospectionLimits.Concurrent.
	TTL time.Duration
	// NegativeTTL is how long the response for a token that is not active is remembered. 0 is 10 seconds, and less than
	// 0 is not at all.
	NegativeTTL time.Duration
	// Size is how many responses of either kind are remembered. 0 is 10,000.
	Size int
}

// IntrospectionLimits says what is sent to a server, at most.
type IntrospectionLimits struct {
	// MaxLength is the longest token that is sent, in bytes, at most 64 KiB. 0 is
	// [auth.MaxAuthorization]. A header is read so far only if auth.Config.MaxAuthorization
	// allows it.
	MaxLength int
	// Concurrent is how many requests may be under way at once. 0 is 100. While there are so many, a
	// token that is not remembered is answered with 503 at once. So strangers with made-up tokens
	// cannot make this API flood the server. A request goes on until its response or IntrospectionHTTP.Timeout, also
	// if all clients that wait for it have left: the server works on it still, and strangers could otherwise ask and
	// leave.
	Concurrent int
}

// IntrospectionHTTP is about the requests to a server.
type IntrospectionHTTP struct {
	// Client sends the requests, as in jwt.RemoteKeysConfig.
	Client *http.Client
	// Timeout is how long one request may take. 0 is 5 seconds.
	Timeout time.Duration
}

// Format prints the name of the type only. If a verb does not fit a pointer, as with %s, package fmt prints the fields
// without their methods. That would show the [auth.Secret].
func (IntrospectionConfig) Format(f fmt.State, _ rune) {
	redact.WriteType(f, "oauth2.IntrospectionConfig")
}

// Introspection is a [Source] that asks the server which issued a token (RFC 7662).
// While the server is down, tokens that are not remembered are answered with 503. It
// is safe for concurrent use. Requests with the same token wait for one answer, unless
// IntrospectionConfig.Cache.TTL is less than 0.
type Introspection struct {
	config   IntrospectionConfig // without ClientSecret and Key
	secret   redact.Secret
	assert   func(claims any) (string, error) // signs with Key, nil with a secret
	client   *http.Client
	good     *tokencache.Cache[activeToken]
	bad      *tokencache.Cache[error] // why, apart: strangers must not push out good ones
	endpoint endpoint
	mu       sync.Mutex
	requests map[tokencache.Key]*introspectionRequest // the last one of each token
	running  int                                      // how many requests are under way
	lines    loglimit.Limit                           // of outages: each made-up token would write one
	rules    answerRules
	ignored  loglimit.Once // members of another type that the log was told of
}

// activeToken is a token for which the server said that it is active.
type activeToken struct {
	*Token
	validSyntax bool // all characters are those of a token, so that a header may have had it
}

var (
	_ Source      = (*Introspection)(nil)
	_ TokenLookup = (*Introspection)(nil)
)

// NewIntrospection returns an Introspection, or an error that tells of each setting
// that is missing, out of range or contradicts another. It sends no request.
func NewIntrospection(config IntrospectionConfig) (*Introspection, error) {
	c := config
	c.Cache.TTL, c.Cache.NegativeTTL = cmp.Or(c.Cache.TTL, 30*time.Second), cmp.Or(c.Cache.NegativeTTL, 10*time.Second)
	c.Limits.MaxLength = cmp.Or(c.Limits.MaxLength, auth.MaxAuthorization)
	c.Cache.Size, c.HTTP.Timeout = cmp.Or(c.Cache.Size, 10_000), cmp.Or(c.HTTP.Timeout, 5*time.Second)
	c.Limits.Concurrent = cmp.Or(c.Limits.Concurrent, 100)
	s := backend.Settings{Package: "oauth2"}
	s.Refuse(c.Issuer == "" && c.Endpoint == "", "IntrospectionConfig.Issuer or Endpoint is missing")
	s.Need("IntrospectionConfig.ClientID", c.ClientID)
	s.Refuse((c.ClientSecret == "") == (c.Key == nil), "either IntrospectionConfig.ClientSecret or Key must be set")
	s.Refuse(c.Key != nil && (!c.Key.CanSign() || c.Key.Public() == nil),
		"IntrospectionConfig.Key must be asymmetric and have its private part")
	s.Refuse(c.Limits.MaxLength < 0 || c.Limits.MaxLength > 64<<10,
		"IntrospectionConfig.Limits.MaxLength is not within 0 and 64 KiB")
	s.Refuse(c.HTTP.Timeout < 0 || c.Cache.Size < 0 || c.Limits.Concurrent < 0,
		"IntrospectionConfig.HTTP.Timeout, Cache.Size or Limits.Concurrent is negative")
	for _, setting := range [][2]string{{"Issuer", c.Issuer}, {"Endpoint", c.Endpoint}} {
		if err := fetch.CheckURL(setting[1]); err != nil && setting[1] != "" {
			s.Refuse(true, "IntrospectionConfig.%s %w", setting[0], err)
		}
	}
	s.Refuse(len(c.Profile.BindOneOf) > 0,
		"IntrospectionConfig.Profile is of an issuer that gives tokens to everybody, and has no introspection")
	s.Refuse(slices.Contains(clientMembers, c.SubjectMember),
		"IntrospectionConfig.SubjectMember names the client and not the user: %q", c.SubjectMember)
	rules, err := newAnswerRules(c)
	s.Add("IntrospectionConfig.Profile", err)
	if err := s.Err(); err != nil {
		return nil, err
	}
	i := &Introspection{client: fetch.Client(c.HTTP.Client), good: tokencache.New[activeToken](c.Cache.Size),
		bad:      tokencache.New[error](c.Cache.Size),
		requests: make(map[tokencache.Key]*introspectionRequest), rules: rules}
	i.endpoint = endpoint{fixed: c.Endpoint, issuer: c.Issuer, client: i.client}
	if key := c.Key; key != nil {
		i.assert = func(claims any) (string, error) { return jwt.Sign(key, "JWT", claims) }
	} else {
		i.secret = redact.New(c.ClientSecret.Reveal())
	}
	c.ClientSecret, c.Key = "", nil
	i.config = c
	return i, nil
}
