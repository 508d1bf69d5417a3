package authtest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
)

// Provider is a provider of accounts, for tests of third-party logins without the
// network. It is an OpenID provider, and it imitates the providers of [FakeProviders] with their
// paths and their oddities. It has no buttons to press: every browser is signed in as the
// person of the last [Provider.SignIn].
//
//	idp := authtest.NewProvider(t)
//	logins, err := external.New(external.Config{Providers: []external.Provider{
//		external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret},
//		external.GitHub{BaseURL: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret},
//	}, …})
//	idp.SignIn(authtest.Person{Subject: "1", Email: "alice@acme.example", EmailVerified: true})
//
// It is also an [Issuer], with the keys that sign the ID tokens, so it can rotate them
// and go down. It is as strict as a provider should be: it checks PKCE, the redirect URI
// and the client's secret, and accepts a code once. It is safe for concurrent use.
type Provider struct {
	*Issuer
	ClientID     string
	ClientSecret auth.Secret

	mu       sync.Mutex
	person   Person
	quirks   Quirks
	codes    map[string]*SignedIn
	tokens   map[string]*SignedIn // by access and refresh token
	greeted  map[string]bool      // by subject: Apple sends the name at the first login only
	requests []TokenRequest
	metadata map[string]any // without quirks
}

// Person is the owner of an account at a [Provider].
type Person struct {
	Subject       string // a number, for GitHub
	Email         string // if empty, the provider does not send one
	EmailVerified any    // true, false, or "true" as Apple writes it. If nil, it is not sent
	Name          string
	Username      string
	Tenant        string    // "hd" of Google, or the UUID of Microsoft's tenant
	AuthTime      time.Time // zero is now
	Claims        map[string]any
}

// Quirks are ways in which a provider differs from the default. Each func may be nil.
type Quirks struct {
	// Deny acts as if the person pressed "cancel".
	Deny bool
	// Answer changes the parameters with which the browser is sent back.
	Answer func(answer url.Values)
	// NoResponseIssuer leaves "iss" (RFC 9207) out of answers. The metadata says so.
	NoResponseIssuer bool

	// Metadata changes the metadata that the issuer publishes.
	Metadata func(members map[string]any)
	// Key changes a key that Microsoft publishes, such as its "issuer". A member that is nil is left out.
	Key func(members map[string]any)

	// IDToken changes the claims of the ID token. A claim that is nil is left out.
	IDToken func(claims map[string]any)
	// Sign makes the ID token from its claims, in place of the issuer's key.
	Sign func(claims map[string]any) string
	// Thin leaves the profile out of the ID token. The userinfo endpoint has it.
	Thin bool
	// BareIssuer writes "iss" of the ID token without its scheme, as Google may.
	BareIssuer bool

	// FormAnswers makes the token endpoint answer with a form, whatever Accept says.
	FormAnswers bool
	// TokenAnswer changes the token endpoint's answer before it is sent.
	TokenAnswer func(answer map[string]any)
	// TokenStatus is the status of every answer of the token endpoint. Zero has no effect.
	TokenStatus int
	// Stall makes the token endpoint wait until the channel is closed or the client
	// goes away.
	Stall <-chan struct{}

	// UserInfo changes the answer of the userinfo endpoint, or of the API of the user.
	UserInfo func(claims map[string]any)
	// SignUserInfo makes the answer of the userinfo endpoint from its claims, of the type application/jwt (OpenID
	// Connect Core §5.3.2). See [Issuer.MintWith].
	SignUserInfo func(claims map[string]any) string
	// UserInfoStatus is the status of every answer of these. Zero has no effect.
	UserInfoStatus int
	// NoEmails makes GitHub's /user/emails answer 404, as it does without the scope.
	NoEmails bool
}

// TokenRequest is a request of a client to the token endpoint, or to revoke a token.
type TokenRequest struct {
	Path   string
	Form   url.Values
	Basic  bool // the client's name and secret came by Basic
	Client string
	Secret string
}

// SignedIn is one login at a [Provider].
type SignedIn struct {
	Person   Person
	ClientID string
	Scopes   []string // those that were asked for

	redirect, challenge, nonce string
	maxAge, used               bool
	double                     *FakeProvider
}

// NewProvider starts a provider, which stops when the test ends. It imitates the providers
// of [FakeProviders], and more of them that are given.
func NewProvider(t testing.TB, more ...FakeProvider) *Provider {
	t.Helper()
	p := &Provider{ClientID: "client-" + rand.Text()[:6], ClientSecret: auth.Secret(rand.Text()),
		person: Person{Subject: "1", Name: "Alice"},
		codes:  make(map[string]*SignedIn), tokens: make(map[string]*SignedIn), greeted: make(map[string]bool)}
	mux := http.NewServeMux()
	general := FakeProvider{Name: "OpenID Connect", Authorize: "/authorize", Token: "/token", Me: "/userinfo",
		IDTokens: true}
	for _, d := range append(append([]FakeProvider{general}, FakeProviders()...), more...) {
		p.addFake(mux, &d)
	}
	p.handle(mux, "POST /revoke", p.revoke)
	p.handle(mux, "GET /logout", p.logout)
	p.Issuer = newIssuer(t, mux)
	at := p.URL()
	p.metadata = map[string]any{
		"authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token",
		"userinfo_endpoint": at + "/userinfo", "revocation_endpoint": at + "/revoke",
		"end_session_endpoint": at + "/logout", "response_types_supported": []string{"code"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
	p.more = p.metadata
	return p
}

// SignIn sets the person that is signed in at the provider from now on.
func (p *Provider) SignIn(person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = person
}

// SetQuirks replaces the quirks.
func (p *Provider) SetQuirks(quirks Quirks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quirks = quirks
	p.Issuer.mu.Lock()
	defer p.Issuer.mu.Unlock()
	p.more = maps.Clone(p.metadata)
	p.more["authorization_response_iss_parameter_supported"] = !quirks.NoResponseIssuer
	if quirks.Metadata != nil {
		quirks.Metadata(p.more)
	}
}

// TokenRequests returns the requests of clients, the oldest first.
func (p *Provider) TokenRequests() []TokenRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// IssueToken returns an access token of a person for a client, like the one that an SDK
// in an app gets. If client is empty, it is the client of this Provider.
func (p *Provider) IssueToken(person Person, client string) string {
	if client == "" {
		client = p.ClientID
	}
	token := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens["access "+token] = &SignedIn{Person: person, ClientID: client, Scopes: []string{"public_profile", "email"},
		double: &FakeProvider{}}
	return token
}
