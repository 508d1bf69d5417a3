package auth

import (
	"net/http"
	"time"
)

// The interfaces in this file are optional. A backend, credential or error
// that has the method is asked; one that has not is taken for the plain case.

// Challenger is a backend that can say how to authenticate with it (RFC 9110
// §11.6.1). Challenges is called once, by [New]. A Guard sends the challenges
// of all its backends on every 401, one per scheme.
type Challenger interface {
	Challenges() []Challenge
}

// Named is a backend that has a name, the one its credentials return.
type Named interface {
	Backend() string
}

// TokenOwner is a backend that takes tokens in the Authorization header.
// [New] refuses two backends that own the same scheme and prefix, because
// then neither could tell the other's tokens from bad ones of its own. Prefixes
// of which one continues the other with letters and digits only, such as "" and
// "acme", count as the same: end prefixes with "_".
// Several backends may share a scheme if their prefixes differ, or if they
// leave this interface out and tell tokens apart by themselves.
type TokenOwner interface {
	OwnTokens() []TokenClass
}

// TokenClass is the tokens of a scheme that start with a prefix.
type TokenClass struct {
	Scheme, Prefix string
}

// Ambient is a backend or credential that the browser may add to a request by
// itself, whoever wrote the page: a cookie, Basic, a client certificate, a
// header set by an authenticating proxy. Unsafe methods with an ambient
// credential are checked by [net/http.CrossOriginProtection].
type Ambient interface {
	Ambient() bool
}

// Stripper is a backend that reads headers which clients must not be able to
// forge. A Guard removes them, in any case and with "_" for "-", from every
// request before a handler sees it, whichever backend proved the request.
// StripHeaders is called once, by [New].
type Stripper interface {
	StripHeaders() []string
}

// Varier is a backend that says which request headers its outcome depends on,
// for the Vary header of answers. Vary is called once, by [New]. A backend
// without it is taken to read Authorization and Cookie.
type Varier interface {
	Vary() []string
}

// HeaderSetter is a credential or an error that adds headers to the answer: a
// rolled cookie, a cookie to clear, a nonce. It is called before the handler.
type HeaderSetter interface {
	SetHeaders(h http.Header)
}

// Scoped is a credential that may be limited to scopes (RFC 6749 §3.3).
// A credential without it is not limited. One that is limited to no scopes
// allows nothing that asks for a scope. The slice must not be changed.
type Scoped interface {
	Scopes() (scopes []string, limited bool)
}

// Primary is a credential by which a user proves anew who they are: a
// password, Basic, a session, a login elsewhere. Issuers turn only primary
// credentials into new ones; a token that could mint tokens would outlive its
// own end.
type Primary interface {
	Primary() bool
}

// AuthInformer is a credential that knows of the login it stems from.
type AuthInformer interface {
	AuthInfo() AuthInfo
}

// Expirer is a credential that ends. ExpiresAt returns the latest instant it
// could still be good, slid or refreshed as often as it may be; zero is never.
type Expirer interface {
	ExpiresAt() time.Time
}

// Revoker is a backend that issues credentials and can end them. What changes
// a password asks it to end the others.
//
// RevokeOthers ends everything the backend issued to user, but the credential
// that proved r (see [CredentialFrom]) if that is one of its own and of this
// user. That one stays good: it is given the stamp of user, who is passed as
// they are after the change, and a new secret, set on w, where it travels in a
// cookie. If nothing proved r, nothing is left. An error says that some may be.
type Revoker interface {
	RevokeOthers(w http.ResponseWriter, r *http.Request, user User) error
}
