package authtest

import (
	"net/http"
	"slices"
)

// discordDouble imitates Discord: it sends "iss" (RFC 9207), the API wants a User-Agent, and a member without an
// address or an avatar has null there.
func discordDouble() FakeProvider {
	return FakeProvider{
		Name: "Discord", Authorize: "/discord/oauth2/authorize", Token: "/discord/api/oauth2/token",
		Me: "/discord/api/v10/users/@me", ResponseIssuer: "/discord",
		Profile: func(s *SignedIn, r *http.Request) (int, map[string]any) {
			if r.Header.Get("User-Agent") == "" {
				return http.StatusForbidden, map[string]any{"message": "Forbidden", "code": 40333}
			}
			me := map[string]any{"id": s.Person.Subject, "username": s.Person.Username, "global_name": s.Person.Name,
				"discriminator": "0", "avatar": "a_1f", "mfa_enabled": true}
			if slices.Contains(s.Scopes, "email") {
				me["email"], me["verified"] = nil, s.Person.EmailVerified
				if s.Person.Email != "" {
					me["email"] = s.Person.Email
				}
			}
			return http.StatusOK, me
		},
	}
}
