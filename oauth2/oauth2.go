// Package oauth2 protects APIs with OAuth 2.0 access tokens: it is a resource
// server (RFC 6749 §1.1, RFC 6750).
//
//	tokens, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Issuer: "https://login.example", ClientID: "api", ClientSecret: secret})
//	api, err := oauth2.New(oauth2.Config{
//		Resource: "https://api.example/",
//		Sources:  []oauth2.Source{tokens},
//		LoadUser: users.Load,
//	})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
//	mux.Handle("GET /reports", guard.Require(auth.Scopes("reports:read"))(reports))
//	api.Register(mux) // /.well-known/oauth-protected-resource
package oauth2

import "github.com/gatewarden/auth"

// Config is the configuration of a [Resource]. Resource and Sources are required,
// and either LoadUser or User.
type Config struct {
	// Resource identifies this API: an absolute URL without a fragment (RFC 8707
	// §2). A token that is not for it is refused.
	Resource string
	// Sources are asked in order; the first that recognizes a token decides.
	Sources []Source
	// AuthorizationServers are the issuers named in the metadata (RFC 9728 §2).
	AuthorizationServers []string

	// LoadUser finds the user of a token's subject, at every request. Subjects are
	// unique with their issuer only: with Sources of several issuers use User.
	LoadUser auth.UserLoader
}
