package authtest

import "net/http"

// auth0Double imitates an Auth0 tenant: the issuer ends in a slash, subjects begin with the
// connection, the organization is "org_id" (the tenant of a [Person]), and a code that is
// not good is answered with 403.
func auth0Double() FakeProvider {
	return FakeProvider{
		Name: "Auth0", Authorize: "/auth0/authorize", Token: "/auth0/oauth/token", Me: "/auth0/userinfo",
		IDTokens: true, Issuer: "/auth0/", NoResponseIssuer: true,
		Claims: func(s *SignedIn, _ string, claims map[string]any) {
			claims["sub"] = auth0Subject(s)
			if s.Person.Tenant != "" {
				claims["org_id"] = s.Person.Tenant
			}
		},
		Profile: func(s *SignedIn, _ *http.Request) (int, map[string]any) {
			claims := s.Person.profile(s.Scopes)
			claims["sub"] = auth0Subject(s)
			return http.StatusOK, claims
		},
		Refuse: func(code string) (int, map[string]any) {
			status := http.StatusUnauthorized
			if code == "invalid_grant" {
				status = http.StatusForbidden
			}
			return status, map[string]any{"error": code, "error_description": "Invalid authorization code"}
		},
	}
}

func auth0Subject(s *SignedIn) string { return "auth0|" + s.Person.Subject }
