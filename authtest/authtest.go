// Package authtest helps to test three things.
//
// Handlers that a Guard protects: [WithIdentity] makes a request of a given user
// and credential, without tokens, stores or passwords. [AssertProblem] and
// [AssertChallenge] look at the answers to refused requests.
//
//	func TestReportsAreForReaders(t *testing.T) {
//		app := guard.Require(auth.Scopes("reports:read"))(reports)
//
//		r := httptest.NewRequest("GET", "/reports", nil)
//		r = authtest.WithIdentity(r, authtest.User("alice"), authtest.Credential{Scope: []string{"reports:write"}})
//		w := httptest.NewRecorder()
//		app.ServeHTTP(w, r)
//
//		authtest.AssertProblem(t, w.Result(), 403, auth.CodeInsufficientScope)
//	}
//
// Services that take tokens and logins of others, without these others. Each double is a server that stops with the
// test:
//
//   - [NewIssuer] signs JSON Web Tokens and publishes the keys. [ForeignTokens] has claims as Entra, Okta, Auth0,
//     Keycloak and others write them
//   - [NewIntrospector] answers questions about opaque tokens. [IntrospectionShapes] has answers as servers write them
//   - [NewProvider] is an OpenID provider for external logins, and Google, Microsoft, Apple, GitHub and others with
//     their oddities. A [FakeProvider] describes one more
//
// Backends, decorators and providers of your own: [Backend] tests that one keeps the contract of [auth.Authenticator],
// [External] that logins by a provider work and that wrong answers are refused, and [UnfinishedLogins] that a backend
// which issues leaves nothing of a login that failed at its end.
//
// Use it in tests only, because it imports package testing.
package authtest

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/testidentity"
)

// WithIdentity returns a copy of r that every [auth.Guard] treats as proved. The
// Guard asks no backend and runs its policies. The handler finds user and
// credential by auth.UserFrom and auth.CredentialFrom. A handler without a Guard
// does not find them: test that one with auth.WithIdentity.
//
// The credential may be nil. A nil user removes the identity of an earlier
// WithIdentity, so that guards ask their backends again. No event is reported,
// and the origin of the request is not checked.
func WithIdentity(r *http.Request, user auth.User, credential auth.Credential) *http.Request {
	return r.WithContext(&testidentity.Context{Context: r.Context(), User: user, Credential: credential})
}

// TestUser is a user that has an identifier and nothing else.
type TestUser struct{ ID string }

var _ auth.User = TestUser{}

// UserID returns the ID.
func (u TestUser) UserID() string { return u.ID }

// User returns the TestUser with this identifier.
func User(id string) auth.User { return TestUser{ID: id} }

// Credential is a credential with the properties that a test needs. The zero
// value has full access and never expires. It is not primary, not ambient, and
// has no AuthInfo.
type Credential struct {
	Name      string        // of the backend. If empty, "authtest"
	TokenID   string        // public identifier
	Scope     []string      // what it is limited to
	Limited   bool          // limited even where Scope is empty, and so to nothing
	Auth      auth.AuthInfo // the login it comes from
	Expiry    time.Time     // zero is never
	IsPrimary bool          // issuers may turn it into others, see auth.Primary
	IsAmbient bool          // added by the browser, see auth.Ambient
}

var (
	_ auth.Credential   = Credential{}
	_ auth.Scoped       = Credential{}
	_ auth.AuthInformer = Credential{}
	_ auth.Expirer      = Credential{}
	_ auth.Primary      = Credential{}
	_ auth.Ambient      = Credential{}
)

// Backend returns the Name.
func (c Credential) Backend() string {
	if c.Name == "" {
		return "authtest"
	}
	return c.Name
}

// ID returns the TokenID.
func (c Credential) ID() string { return c.TokenID }

// Scopes returns Scope, and whether there is any or Limited is set.
func (c Credential) Scopes() (scopes []string, limited bool) {
	return c.Scope, c.Limited || len(c.Scope) > 0
}

// AuthInfo returns Auth.
func (c Credential) AuthInfo() auth.AuthInfo { return c.Auth }

// ExpiresAt returns Expiry.
func (c Credential) ExpiresAt() time.Time { return c.Expiry }

// Primary returns IsPrimary.
func (c Credential) Primary() bool { return c.IsPrimary }

// Ambient returns IsAmbient.
func (c Credential) Ambient() bool { return c.IsAmbient }
