package authtest

import (
	"net/http"
	"slices"
	"strings"
)

// xDouble imitates X: the person stands in "data", an address is told only if it is
// confirmed, asked for and allowed by the scope, and a code that is not good is an invalid
// request.
func xDouble() FakeProvider {
	return FakeProvider{
		Name: "X", Authorize: "/x/i/oauth2/authorize", Token: "/x/2/oauth2/token", Me: "/x/2/users/me",
		Profile: func(s *SignedIn, r *http.Request) (int, map[string]any) {
			if !slices.Contains(s.Scopes, "users.read") || !slices.Contains(s.Scopes, "tweet.read") {
				return http.StatusForbidden, map[string]any{"title": "Forbidden", "status": 403}
			}
			me := map[string]any{"id": s.Person.Subject, "name": s.Person.Name, "username": s.Person.Username}
			fields := strings.Split(r.URL.Query().Get("user.fields"), ",")
			if slices.Contains(fields, "profile_image_url") {
				me["profile_image_url"] = "https://pbs.example/1"
			}
			if slices.Contains(fields, "confirmed_email") && slices.Contains(s.Scopes, "users.email") &&
				s.Person.EmailVerified == true {
				me["confirmed_email"] = s.Person.Email
			}
			return http.StatusOK, map[string]any{"data": me}
		},
		Refuse: func(code string) (int, map[string]any) {
			if code == "invalid_grant" {
				return http.StatusBadRequest, map[string]any{"error": "invalid_request",
					"error_description": "Value passed for the authorization code was invalid."}
			}
			return http.StatusUnauthorized, map[string]any{"error": "unauthorized_client",
				"error_description": "Missing valid authorization header"}
		},
	}
}
