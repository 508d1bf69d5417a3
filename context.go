package auth

import (
	"context"

	"github.com/gatewarden/auth/internal/testidentity"
)

// identity is the one context a Guard adds to a request. It has 64 bytes, and each
// request allocates one.
type identity struct {
	context.Context
	guard         *Guard // nil in WithIdentity
	authenticated        // without a user for an anonymous request
}

type identityKey struct{}

// guardKey asks for the identity that a certain guard proved.
type guardKey struct{ guard *Guard }

func (guardKey) AsksForIdentity(testidentity.Internal) {}

var _ testidentity.GuardKey = guardKey{}

func (id *identity) Value(key any) any {
	switch key := key.(type) {
	case identityKey:
		return id
	case guardKey:
		if key.guard != nil && key.guard == id.guard && id.user != nil {
			return id
		}
	case proxiesKey:
		if id.guard != nil {
			return &id.guard.config.Proxies
		}
	}
	return id.Context.Value(key)
}

// UserFrom returns the user of the request that has this context, if a Guard
// proved one and it is of type U, or wraps one: see [As].
//
//	user, ok := auth.UserFrom[*app.User](r.Context())
//
// If ok is false, the route is not behind a Guard, the request is anonymous, or the user is
// of another type. The context of a router, such as gin.Context, is another one than
// r.Context() and holds no user.
func UserFrom[U User](ctx context.Context) (user U, ok bool) {
	if id, found := ctx.Value(identityKey{}).(*identity); found {
		user, ok = As[U](id.user)
	}
	return user, ok
}

// CredentialFrom returns the credential that proved the request with this
// context, if there is one and it is of type C, or wraps one: see [As].
//
//	token, ok := auth.CredentialFrom[*knox.Token](r.Context())
func CredentialFrom[C Credential](ctx context.Context) (credential C, ok bool) {
	if id, found := ctx.Value(identityKey{}).(*identity); found {
		credential, ok = As[C](id.credential)
	}
	return credential, ok
}

// WithIdentity returns a context in which UserFrom and CredentialFrom find
// user and credential: for carriers other than HTTP, after a TokenVerifier has
// proved them, and for tests of bare handlers. No Guard believes it. To test a
// handler behind one, use package authtest.
func WithIdentity(ctx context.Context, user User, credential Credential) context.Context {
	return &identity{Context: ctx, authenticated: authenticated{user: user, credential: credential}}
}
