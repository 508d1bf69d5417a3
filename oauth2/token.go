package oauth2

import (
	"cmp"
	"context"
	"time"

	"github.com/gatewarden/auth"
)

// Source knows access tokens: it tells what one is worth. [NewIntrospection]
// returns one that asks the server which issued them, [NewJWT] one that needs to
// ask no server, and a server.Server of package oauth2/server is one of its own.
//
// Inspect must be safe for concurrent use. The errors are
//
//   - ErrUnrecognized: not of the shape, or of the issuer, that the source knows
//   - ErrInvalid: unknown, expired, revoked, wrongly signed
//   - any other error: the source cannot tell
//
// The [Resource] checks which API a token is for, and its user.
type Source interface {
	Inspect(ctx context.Context, token string) (*Token, error)
}

// Token is what is known of an access token: the credential of a request. It
// does not hold the token. It is shared by requests and must not be changed.
type Token struct {
	// What each request reads of a token comes first: it is close together in memory.
	shared *sharedToken  // see SharedToken
	leeway time.Duration // how long after Expiry it is still valid, since clocks differ

	Expiry time.Time // zero if not known
	// Subject is "sub", or the member that IntrospectionConfig.SubjectMember names. A token that
	// stands for its client has "", the ClientID, or what its server calls the client's account.
	Subject  string
	ClientID string
	GrantID  string // of our own server: the authorization it is of, or ""
	// Stamp is the hash of its user's [auth.Stamper] stamp when it was issued, and
	// is compared if there is a GrantID. "" if the user had no stamp.
	Stamp string

	Issuer   string
	Username string // as introspection tells it (RFC 7662 §2.2), for people
	Audience []string
	Scope    []string
	ID       string // "jti", or ""
	Type     string // "token_type", or "" where the source does not tell: a bearer token

	IssuedAt time.Time // zero if not known
	Auth     auth.AuthInfo

	// Confirmation is "cnf" (RFC 7800): the proof without which the token is
	// worth nothing, such as "jkt" (RFC 9449 §6). Nil is a bearer token.
	Confirmation map[string]string

	// Claims are all members that the source got, as encoding/json has them. Nil
	// of our own server's opaque tokens.
	Claims map[string]any

	decided     bool   // the source decided whether a machine holds the token
	anyAudience bool   // the source takes the token without an audience
	machine     string // the identifier of the machine, with its prefix, "" of a user's token

	backend string // "" is defaultName, so that most tokens need no copy with a name
}

var (
	_ auth.Credential   = (*Token)(nil)
	_ auth.Scoped       = (*Token)(nil)
	_ auth.AuthInformer = (*Token)(nil)
	_ auth.Expirer      = (*Token)(nil)
	_ auth.Ambient      = (*Token)(nil)
)

// Backend returns the name of the [Resource] that accepted the token.
func (t *Token) Backend() string { return cmp.Or(t.backend, defaultName) }

// Scopes implements [auth.Scoped]: an access token is always limited.
func (t *Token) Scopes() (scopes []string, limited bool) { return t.Scope, true }

// Ambient implements [auth.Ambient]. It returns false, because a browser does not add a token by itself.
func (t *Token) Ambient() bool { return false }

// AuthInfo implements [auth.AuthInformer].
func (t *Token) AuthInfo() auth.AuthInfo { return t.Auth }

// ExpiresAt implements [auth.Expirer].
func (t *Token) ExpiresAt() time.Time { return t.Expiry }

// Machine reports a token that stands for its client and no user: one of the
// client credentials grant (RFC 6749 §4.4, RFC 9068 §5). [Introspection] and [JWT] tell by
// their Profile. A token of another [Source] is a machine's if it has no Subject, or the
// ClientID as its Subject.
func (t *Token) Machine() bool {
	if t.decided {
		return t.machine != ""
	}
	return t.Subject == "" || t.Subject == t.ClientID
}

// machineID returns the identifier of the machine that holds the token.
func (t *Token) machineID() string { return cmp.Or(t.machine, t.ClientID) }
