package oauth2

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/jwt"
)

// RequireBearerToken protects an API in one call: it returns middleware that lets
// requests through if their token has all these scopes, users' and machines' alike, and
// answers others as RFC 6750 §3.1. Wrapped around a whole mux, it also serves the
// metadata that tells clients where to get a token (RFC 9728).
//
// issuer is the authorization server. Its JWTs (RFC 9068) are checked by the keys
// that it publishes. resource is the URL of the API. In handlers the user is a
// [Subject] or an [auth.Machine] (see auth.UserFrom) and the credential a [*Token].
//
//	protect, err := oauth2.RequireBearerToken("https://login.example", "https://api.example/mcp", "files:read")
//	err = http.ListenAndServe(":8080", protect(mux))
//
// [RequireBearerTokenOf] is for issuers that do not follow RFC 9068.
func RequireBearerToken(issuer, resource string, scopes ...string) (func(http.Handler) http.Handler, error) {
	return RequireBearerTokenOf(jwt.Profile{}, issuer, resource, scopes...)
}

// RequireBearerTokenOf is [RequireBearerToken] for an issuer with a profile, such as [jwt.Keycloak] and [jwt.Auth0],
// which says how the issuer writes its tokens. They must have the resource in "aud".
//
//	protect, err := oauth2.RequireBearerTokenOf(jwt.Keycloak(), "https://keycloak.example/realms/shop",
//		"https://api.example", "files:read")
func RequireBearerTokenOf(profile jwt.Profile, issuer, resource string,
	scopes ...string) (func(http.Handler) http.Handler, error) {
	if resource == "" {
		return nil, errors.New("oauth2: the resource is missing")
	}
	if issuer == "" {
		return nil, errors.New("oauth2: the issuer is missing")
	}
	if err := fetch.CheckURL(issuer); err != nil {
		return nil, fmt.Errorf("oauth2: the issuer %w", err)
	}
	source, err := NewJWT(JWTConfig{Issuer: issuer, Audience: []string{resource}, Profile: profile})
	if err != nil {
		return nil, err
	}
	source.arguments = map[string]string{"Issuer": "issuer", "Audience": "resource", "Profile": "profile",
		"Checks.Types": "profile", "Checks.Require": "profile"}
	api, err := New(Config{Resource: resource, Sources: []Source{source}, User: SubjectUser,
		AuthorizationServers: []string{issuer}, ScopesSupported: scopes, ChallengeScopes: scopes})
	if err != nil {
		return nil, err
	}
	return api.Require(scopes...)
}

// Require is [RequireBearerToken] for a Resource that is configured otherwise.
func (a *Resource) Require(scopes ...string) (func(http.Handler) http.Handler, error) {
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{a}})
	if err != nil {
		return nil, err
	}
	policies := []auth.Policy{auth.AllowMachines}
	if len(scopes) > 0 {
		policies = append(policies, auth.Scopes(slices.Clone(scopes)...))
	}
	return func(next http.Handler) http.Handler {
		protected := guard.Require(policies...)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.EscapedPath() == a.path {
				a.ServeMetadata(w, r)
				return
			}
			protected.ServeHTTP(w, r)
		})
	}, nil
}
