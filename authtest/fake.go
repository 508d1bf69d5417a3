package authtest

import (
	"net/http"
	"net/url"
)

// FakeProvider describes a provider that a [Provider] imitates: its paths, and in what it
// differs from others. The zero value of each field but the paths is a provider that does
// what the specifications say. Functions may be nil. They are called for one login, and
// must be safe for concurrent use.
type FakeProvider struct {
	// Name is what people call it.
	Name string
	// Authorize and Token are the paths of its endpoints, as in patterns of
	// [http.ServeMux].
	Authorize, Token string

	// IDTokens issues ID tokens to clients that ask for the scope "openid".
	IDTokens bool
	// Issuer is the path of its issuer, below which its metadata is. If empty, the issuer
	// is that of the [Provider].
	Issuer string
	// Metadata changes the metadata of Issuer.
	Metadata func(members map[string]any)

	// ResponseIssuer is the path of what "iss" of its answers is (RFC 9207), for a provider
	// without IDTokens. If empty, there is no "iss".
	ResponseIssuer string
	// NoResponseIssuer is a provider with IDTokens that never sends "iss".
	NoResponseIssuer bool
	// Fragment is added to the place where the browser is sent back to.
	Fragment string
	// IgnoresPKCE checks no code_verifier, and RefusesPKCE takes a request that has one
	// for one of another client.
	IgnoresPKCE, RefusesPKCE bool

	// Tokens changes an answer of the token endpoint.
	Tokens func(s *SignedIn, form url.Values, answer map[string]any)
	// Claims changes the claims of an ID token. at is the URL of the Provider.
	Claims func(s *SignedIn, at string, claims map[string]any)
	// Refuse returns the answer of the token endpoint for an error of RFC 6749 §5.2.
	Refuse func(code string) (status int, body map[string]any)

	// Me is the path of the API that names the owner of an access token. It answers with
	// Profile. If that is nil, it is a userinfo endpoint (OpenID Connect Core §5.3).
	Me      string
	Profile func(s *SignedIn, r *http.Request) (status int, answer map[string]any)
	// More are further APIs that ask for an access token, by path.
	More map[string]func(s *SignedIn, r *http.Request) (status int, answer any)

	// serve adds handlers that ask for no access token.
	serve func(p *Provider, mux *http.ServeMux)
}

// FakeProviders returns the providers that each [Provider] imitates.
func FakeProviders() []FakeProvider {
	return []FakeProvider{
		githubDouble(), facebookDouble(), microsoftDouble(), keycloakDouble(), oktaDouble(), oktaCustomDouble(),
		auth0Double(), slackDouble(), discordDouble(), linkedinDouble(), xDouble(), bitbucketDouble(),
	}
}

// issuer returns the issuer of a double.
func (d *FakeProvider) issuer(at string) string { return at + d.Issuer }

// responseIssuer returns what "iss" of its answers is, or "".
func (d *FakeProvider) responseIssuer(at string) string {
	switch {
	case d.ResponseIssuer != "":
		return at + d.ResponseIssuer
	case d.IDTokens && !d.NoResponseIssuer:
		return d.issuer(at)
	}
	return ""
}

// addFake adds the endpoints of a double.
func (p *Provider) addFake(mux *http.ServeMux, d *FakeProvider) {
	p.handle(mux, "GET "+d.Authorize, func(w http.ResponseWriter, r *http.Request) { p.authorize(w, r, d) })
	p.handle(mux, "POST "+d.Token, func(w http.ResponseWriter, r *http.Request) { p.token(w, r, d) })
	if d.Me != "" {
		p.handle(mux, "GET "+d.Me, func(w http.ResponseWriter, r *http.Request) { p.serveProfile(w, r, d) })
	}
	for path, answer := range d.More {
		p.handle(mux, "GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if s, _, ok := p.owner(w, r); ok {
				status, body := answer(s, r)
				writeJSON(w, status, body)
			}
		})
	}
	if d.Issuer != "" {
		mux.HandleFunc("GET "+trimSlash(d.Issuer)+"/.well-known/openid-configuration",
			func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, p.metadataOf(d)) })
	}
	if d.serve != nil {
		d.serve(p, mux)
	}
}

// metadataOf returns the metadata of a double that has an issuer of its own.
func (p *Provider) metadataOf(d *FakeProvider) map[string]any {
	_, quirks := p.state()
	at := p.URL()
	members := map[string]any{
		"issuer": d.issuer(at), "authorization_endpoint": at + d.Authorize, "token_endpoint": at + d.Token,
		"jwks_uri": p.JWKSURL(),
		"authorization_response_iss_parameter_supported": !d.NoResponseIssuer && !quirks.NoResponseIssuer,
	}
	if d.Me != "" {
		members["userinfo_endpoint"] = at + d.Me
	}
	if d.Metadata != nil {
		d.Metadata(members)
	}
	if quirks.Metadata != nil {
		quirks.Metadata(members)
	}
	return members
}

// serveProfile names the owner of an access token.
func (p *Provider) serveProfile(w http.ResponseWriter, r *http.Request, d *FakeProvider) {
	s, quirks, ok := p.owner(w, r)
	if !ok {
		return
	}
	status, claims := http.StatusOK, map[string]any(nil)
	if d.Profile != nil {
		status, claims = d.Profile(s, r)
	} else {
		claims = s.Person.profile(s.Scopes)
		claims["sub"] = s.Person.Subject
	}
	if quirks.UserInfo != nil && status == http.StatusOK {
		quirks.UserInfo(claims)
	}
	if quirks.SignUserInfo != nil && d.Profile == nil {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(quirks.SignUserInfo(claims)))
		return
	}
	writeJSON(w, status, claims)
}
