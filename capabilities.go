package auth

import (
	"net/http"
	"time"
)

// A capability is an optional interface of a backend, user or credential. All are
// looked up by [As], so a decorator with an Unwrap method keeps them. Those of errors
// are looked up by errors.As. A capability that is missing never grants more: each
// comment says what is assumed then.

// Challenger is a backend that can say how to authenticate with it (RFC 9110
// §11.6.1). Challenges is called once, by [New]. A Guard sends the challenges
// of all its backends on every 401, one per scheme. Without it, the backend
// has no challenge of its own. See [Config].Challenges.
type Challenger interface {
	Challenges() []Challenge
}

// Named is a backend that has a name, the one its credentials return. Without
// it, events and logs name the backend by its Go type.
type Named interface {
	Backend() string
}

// TokenOwner is a backend that takes tokens of a scheme and says which ones.
//
// If several backends have a [Challenge] of one scheme, [New] needs to know
// which backend owns which tokens, because otherwise one backend would refuse as bad
// what another one issued. It returns an error if one of them has no OwnTokens,
// or if two of them own the same tokens. A backend that recognizes its tokens
// by something other than a prefix, such as an issuer, returns an empty list,
// and answers [ErrUnrecognized] to all other tokens.
//
// Two prefixes count as the same if one continues the other with letters and
// digits only, as "acme" continues "". End prefixes with "_".
type TokenOwner interface {
	OwnTokens() []TokenClass
}

// TokenClass is the tokens of a scheme that start with a prefix.
type TokenClass struct {
	Scheme, Prefix string
}

// Ambient is a backend or credential that says whether browsers add it to
// requests by themselves, whichever page caused the request: a cookie, Basic, a
// client certificate, a header that an authenticating proxy sets.
//
// Unsafe requests with an ambient credential are checked for their origin: see
// [Guard.CheckOrigin]. And a token that no backend recognizes is not rescued by an
// ambient credential. A credential counts as one that no browser adds if the
// backend or the credential says false and the other one does not say true. Without
// Ambient on both, it counts as ambient.
type Ambient interface {
	Ambient() bool
}

// HeaderStripper is a backend that reads headers which clients must not be able to
// forge. A Guard removes them, in any case and with "_" for "-", from every
// request before a handler sees it, whichever backend proved the request.
// StripHeaders is called once, by [New]. Without it, no header is removed.
//
// What a backend should strip cannot be guessed. New therefore refuses a
// decorator without Unwrap, through which StripHeaders is found.
type HeaderStripper interface {
	StripHeaders() []string
}

// Varier is a backend that says which request headers its outcome depends on,
// for the Vary header of answers (RFC 9110 §12.5.5). Vary is called once, by
// [New]. Without it, the backend counts as reading Authorization and Cookie.
type Varier interface {
	Vary() []string
}

// ProxyReader is a backend that calls [ClientIP] or [ProxiesFrom]. If
// ReadsProxies returns true, a Guard passes it requests for which these know
// [Config].Proxies. Without it, every proxy counts as a client.
type ProxyReader interface {
	ReadsProxies() bool
}

// HeaderSetter is a credential or an error that adds headers to the answer: a
// rolled cookie, a cookie to clear, a nonce. It is called before the handler.
type HeaderSetter interface {
	SetHeaders(h http.Header)
}

// Scoped is a credential that may be limited to scopes (RFC 6749 §3.3). One that
// is not limited has full access. The slice must not be changed.
//
// A credential without it is limited to no scopes: it passes Require(), and
// fails every policy that asks for a scope or for full access. A nil credential
// has full access.
type Scoped interface {
	Scopes() (scopes []string, limited bool)
}

// LimitExplainer is a credential that says why it is limited, such as a token in which no scopes were found. What
// WhyLimited returns goes to the log with the refusal of a policy that asks for a scope or for full access, and never
// to the client. It must hold nothing secret. An empty text says nothing.
type LimitExplainer interface {
	WhyLimited() string
}

// Primary is a credential by which users prove their identity anew: a
// password, Basic, a session, an external login. Issuers turn only primary
// credentials into new ones: a token that could mint tokens would outlive its
// own end. Without it, the credential is not primary.
type Primary interface {
	Primary() bool
}

// AuthInformer is a credential that knows of the login it stems from. Without
// it, nothing is known, and [Fresh] refuses the credential.
type AuthInformer interface {
	AuthInfo() AuthInfo
}

// Expirer is a credential that says when it ends. ExpiresAt returns the latest
// instant at which it could still be good, however often it slides or is
// refreshed. The zero time means never.
//
// Without it, nothing that is issued for the credential lives longer than a
// minute, unless the credential is [Primary].
type Expirer interface {
	ExpiresAt() time.Time
}

// Revoker is a backend that issues credentials and can end them. A handler that
// changes a password asks it to end the others.
//
// RevokeOthers ends everything the backend issued to user, except the credential
// that proved r (see [CredentialFrom]) if it is one of its own and of this user.
// That one stays good: it gets the stamp of user, which is passed as it is after
// the change, and, where it travels in a cookie, a new secret, which is set on w.
// If no credential proved r, everything ends. After an error, some may be left.
type Revoker interface {
	RevokeOthers(w http.ResponseWriter, r *http.Request, user User) error
}
