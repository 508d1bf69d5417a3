// Package auth authenticates HTTP requests. It answers one question,
// which user sent this, in the same way for every kind of credential.
//
// A backend is an [Authenticator]: it looks at a request and returns a user
// and the credential that proved it, or one of a few errors. A [Guard] tries
// its backends in order and wraps handlers:
//
//	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: users.Load})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
//
//	mux.Handle("GET /reports", guard.Require(auth.FullAccessOr("reports:read"))(reports))
//	mux.Handle("GET /public", guard.Optional()(public))
//
// In a handler, [UserFrom] and [CredentialFrom] return what was proved.
//
// The error that a backend returns decides what happens next. "No credential", "a
// credential that is not mine", "a bad credential" and "I cannot tell, the store is
// down" are four outcomes with four answers: see [Authenticator]. Only the first
// lets a request go on as anonymous.
package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// User is the person, or for a [Machine] the program, that a credential stands
// for. Applications put the method on their own user type and get that type
// back from [UserFrom].
//
// A user may also have AuthStamp: see [Stamper].
type User interface {
	// UserID returns a stable identifier, unique among users and never empty.
	// It must not start with "client:", which marks a Machine.
	//
	// Backends that issue something keep it in a store, in which it is compared byte
	// by byte: it must then be at most 512 bytes of UTF-8 without NUL.
	UserID() string
}

// Credential is what proved a user. Backends return their own types, which
// [CredentialFrom] hands back. What else a credential can tell, it tells by the
// optional interfaces [Scoped], [Ambient], [Primary], [AuthInformer], [Expirer]
// and [HeaderSetter]. A decorator around a credential has a method
// Unwrap() Credential: see [As].
type Credential interface {
	// Backend returns the name of the backend that accepted the credential:
	// "knox", "basic", "header", or its Config.Name.
	Backend() string
}

// Authenticator is a backend: it proves which user sent a request.
//
// Authenticate must be safe for concurrent use and must not change r. It
// returns a user with a nil error, or one of these errors, told apart with
// [KindOf]:
//
//   - [ErrNoCredentials]: the request has nothing for this backend. The next
//     backend is asked. If no backend has anything, the request is anonymous.
//   - [ErrUnrecognized]: a scheme this backend speaks, but not one of its
//     tokens. The next backend is asked, unless a browser adds what it reads. If no
//     backend proves the request, it is refused with 401.
//   - [ErrInvalid], [ErrMalformed], [ErrThrottled]: the credential is this
//     backend's own, and no good. No other backend is asked.
//   - an error without a kind: the backend cannot tell (a store or key server is
//     down). No other backend is asked, and the answer is 503.
//   - [ErrInsufficient], [ErrCrossOrigin], [ErrInternal]: no other backend is asked,
//     and the answer is 403, or 500 for ErrInternal.
//
// A nil credential has full access: it is what a simple backend returns. A nil
// user with a nil error is a bug of the backend and answered with 500.
//
// A backend may implement the optional interfaces [Challenger], [Named],
// [TokenOwner], [Conflicter], [Ambient], [HeaderStripper], [Varier] and [ProxyReader]. At
// least one backend of a Guard must be a Challenger, or [Config].Challenges be set. A
// decorator around a backend has a method Unwrap() Authenticator: see [As].
// Package authtest checks a backend against all this.
type Authenticator interface {
	Authenticate(r *http.Request) (User, Credential, error)
}

// AuthenticatorFunc is a function as an [Authenticator].
type AuthenticatorFunc func(r *http.Request) (User, Credential, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(r *http.Request) (User, Credential, error) { return f(r) }

// TokenVerifier is a backend that can also judge a bare token, one that came
// in a WebSocket message, gRPC metadata or another carrier. Errors and rules
// are those of [Authenticator].
type TokenVerifier interface {
	VerifyToken(ctx context.Context, token string) (User, Credential, error)
}

// TokenVerifierFunc is a function as a [TokenVerifier].
type TokenVerifierFunc func(ctx context.Context, token string) (User, Credential, error)

// VerifyToken calls f.
func (f TokenVerifierFunc) VerifyToken(ctx context.Context, token string) (User, Credential, error) {
	return f(ctx, token)
}

const machinePrefix = "client:"

// Machine is the user of a credential that stands for a program and for no person,
// such as a token of the OAuth 2 client credentials grant (RFC 6749
// §4.4). Guards refuse machines unless a route says [AllowMachines].
type Machine struct {
	ID string // the client's identifier
}

// UserID returns "client:" and the ID, so that a client can never be taken for
// a user that happens to have the same identifier.
func (m Machine) UserID() string { return machinePrefix + m.ID }

// Stamper is a user that has a stamp: a string that changes whenever
// credentials issued before should end, above all when the password changes.
// The stored password hash serves well. Issuers keep a hash of the stamp in
// what they issue, and refuse it once the user's stamp is another.
type Stamper interface {
	AuthStamp() string
}

// AuthInfo tells when and how a user last proved their identity, in the terms
// of OpenID Connect Core §2. Issuers copy it into what they issue.
type AuthInfo struct {
	AuthTime time.Time // zero if not known
	AMR      []string  // authentication methods (RFC 8176), such as "pwd"
	ACR      string    // authentication context class reference
}

// Chain returns an Authenticator that asks each backend in turn by the rules
// of [Authenticator]: it goes on after [ErrNoCredentials] and
// [ErrUnrecognized], and stops at the first proof or any other error. If no
// backend proves the request, it returns ErrUnrecognized if any backend did, and else
// ErrNoCredentials. Chains nest, and a [Guard] treats a nested chain as if its
// backends stood there one by one.
func Chain(backends ...Authenticator) Authenticator { return chain(slices.Clone(backends)) }

type chain []Authenticator

var (
	_ Authenticator  = chain(nil)
	_ Challenger     = chain(nil)
	_ TokenOwner     = chain(nil)
	_ HeaderStripper = chain(nil)
	_ Varier         = chain(nil)
	_ ProxyReader    = chain(nil)
)

func (c chain) Authenticate(r *http.Request) (User, Credential, error) {
	v := chainResult{nested: true}
	for _, backend := range c {
		user, credential, err := v.ask(backend, ambientOf(backend), nests(backend), r)
		if v.add(backend, err) {
			return user, credential, err
		}
	}
	return nil, nil, v.result()
}

// The capabilities of a chain are those of its backends, for decorators around
// it: a Guard asks the backends themselves. A chain has no Ambient, because its
// backends differ. Their credentials have one.

func (c chain) Challenges() (all []Challenge) {
	for _, backend := range c {
		if challenger, ok := As[Challenger](backend); ok {
			all = append(all, challenger.Challenges()...)
		}
	}
	return all
}

func (c chain) OwnTokens() (all []TokenClass) {
	for _, backend := range c {
		if owner, ok := As[TokenOwner](backend); ok {
			all = append(all, owner.OwnTokens()...)
		}
	}
	return all
}

func (c chain) StripHeaders() (all []string) {
	for _, backend := range c {
		if stripper, ok := As[HeaderStripper](backend); ok {
			all = append(all, stripper.StripHeaders()...)
		}
	}
	return all
}

func (c chain) Vary() (all []string) {
	for _, backend := range c {
		all = append(all, varyOf(backend)...)
	}
	return all
}

func (c chain) ReadsProxies() bool { return slices.ContainsFunc(c, readsProxies) }

func isMachineID(id string) bool { return strings.HasPrefix(id, machinePrefix) }
