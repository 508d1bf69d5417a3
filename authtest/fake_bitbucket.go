package authtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// bitbucketDouble imitates Bitbucket Cloud: identifiers are in braces, addresses are
// behind an API and a scope of their own, the token endpoint says "scopes", and PKCE is not
// checked.
func bitbucketDouble() FakeProvider {
	return FakeProvider{
		Name: "Bitbucket", IgnoresPKCE: true,
		Authorize: "/bitbucket/site/oauth2/authorize", Token: "/bitbucket/site/oauth2/access_token",
		Tokens: func(s *SignedIn, _ url.Values, answer map[string]any) {
			delete(answer, "scope")
			answer["scopes"], answer["token_type"], answer["expires_in"] = strings.Join(s.Scopes, " "), "bearer", 7200
		},
		Me: "/bitbucket/2.0/user",
		Profile: func(s *SignedIn, _ *http.Request) (int, map[string]any) {
			return http.StatusOK, map[string]any{"type": "user", "uuid": "{" + s.Person.Subject + "}",
				"account_id": "557058:" + s.Person.Subject, "username": s.Person.Username,
				"display_name": s.Person.Name,
				"links":        map[string]any{"avatar": map[string]any{"href": "https://avatar.example/1"}}}
		},
		More: map[string]func(s *SignedIn, r *http.Request) (int, any){
			"/bitbucket/2.0/user/emails": func(s *SignedIn, _ *http.Request) (int, any) {
				if !slices.Contains(s.Scopes, "email") {
					return http.StatusForbidden, map[string]any{"type": "error"}
				}
				emails := []map[string]any{{"email": "other@example.net", "is_primary": false, "is_confirmed": true}}
				if s.Person.Email != "" {
					emails = append(emails, map[string]any{"email": s.Person.Email, "is_primary": true,
						"is_confirmed": s.Person.EmailVerified == true})
				}
				return http.StatusOK, map[string]any{"values": emails}
			},
		},
	}
}
