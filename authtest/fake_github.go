package authtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// githubDouble imitates GitHub: the API wants a User-Agent, identifiers are numbers, the
// profile shows no address, errors come with status 200, and there is no ID token.
func githubDouble() FakeProvider {
	return FakeProvider{
		Name: "GitHub", Authorize: "/login/oauth/authorize", Token: "/login/oauth/access_token",
		Tokens: func(s *SignedIn, _ url.Values, answer map[string]any) {
			answer["token_type"], answer["scope"] = "bearer", strings.Join(s.Scopes, ",")
			delete(answer, "expires_in")
		},
		Refuse: func(code string) (int, map[string]any) {
			if code == "invalid_grant" {
				code = "bad_verification_code"
			}
			return http.StatusOK, map[string]any{"error": code, "error_description": "no"}
		},
		Me: "/api/v3/user",
		Profile: func(s *SignedIn, r *http.Request) (int, map[string]any) {
			if r.Header.Get("User-Agent") == "" {
				return http.StatusForbidden, map[string]any{"message": "Request forbidden by administrative rules."}
			}
			return http.StatusOK, map[string]any{"id": json.Number(s.Person.Subject), "login": s.Person.Username,
				"name": s.Person.Name, "email": nil, "avatar_url": "https://avatars.example/1"}
		},
		serve: func(p *Provider, mux *http.ServeMux) { p.handle(mux, "GET /api/v3/user/emails", p.githubEmails) },
	}
}

func (p *Provider) githubEmails(w http.ResponseWriter, r *http.Request) {
	s, quirks, ok := p.owner(w, r)
	switch {
	case !ok:
		return
	case quirks.NoEmails || !slices.Contains(s.Scopes, "user:email"):
		writeJSON(w, http.StatusNotFound, map[string]any{"message": "Not Found"})
		return
	}
	emails := []map[string]any{{"email": "other@example.net", "primary": false, "verified": true}}
	if s.Person.Email != "" {
		emails = append(emails, map[string]any{"email": s.Person.Email, "primary": true,
			"verified": s.Person.EmailVerified == true, "visibility": "private"})
	}
	writeJSON(w, http.StatusOK, emails)
}
