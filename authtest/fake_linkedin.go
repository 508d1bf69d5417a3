package authtest

import "net/http"

// linkedinDouble imitates LinkedIn: a code_verifier makes the client an invalid one, ID
// tokens have no nonce, a code that is not good is an invalid request, and the profile has
// no username.
func linkedinDouble() FakeProvider {
	return FakeProvider{
		Name: "LinkedIn", Authorize: "/linkedin/oauth/v2/authorization", Token: "/linkedin/oauth/v2/accessToken",
		Me: "/linkedin/v2/userinfo", IDTokens: true, NoResponseIssuer: true, RefusesPKCE: true,
		Claims: func(_ *SignedIn, _ string, claims map[string]any) { delete(claims, "nonce") },
		Profile: func(s *SignedIn, _ *http.Request) (int, map[string]any) {
			me := s.Person.profile(s.Scopes)
			delete(me, "preferred_username")
			me["sub"], me["picture"] = s.Person.Subject, "https://media.example/1"
			me["locale"] = map[string]string{"language": "en", "country": "US"}
			return http.StatusOK, me
		},
		Refuse: func(code string) (int, map[string]any) {
			if code == "invalid_grant" {
				return http.StatusBadRequest, map[string]any{"error": "invalid_request",
					"error_description": "Unable to retrieve access token"}
			}
			return http.StatusUnauthorized, map[string]any{"error": code,
				"error_description": "Client authentication failed"}
		},
	}
}
