package authtest

import (
	"net/http"
	"net/url"
)

// slackDouble imitates Slack: errors come with status 200 and words of its own, the
// workspace (the tenant of a [Person]) is a claim that is a URL, and PKCE is not checked.
func slackDouble() FakeProvider {
	return FakeProvider{
		Name: "Slack", Authorize: "/slack/openid/connect/authorize", Token: "/slack/api/openid.connect.token",
		Me: "/slack/api/openid.connect.userInfo", IDTokens: true, Issuer: "/slack", NoResponseIssuer: true,
		IgnoresPKCE: true,
		Tokens: func(_ *SignedIn, _ url.Values, answer map[string]any) {
			answer["ok"] = true
			delete(answer, "refresh_token")
		},
		Claims: func(s *SignedIn, _ string, claims map[string]any) {
			claims["https://slack.com/team_id"], claims["https://slack.com/user_id"] = s.Person.Tenant, s.Person.Subject
			delete(claims, "preferred_username")
		},
		Refuse: func(code string) (int, map[string]any) {
			words := map[string]string{"invalid_grant": "invalid_code", "invalid_client": "bad_client_secret"}
			return http.StatusOK, map[string]any{"ok": false, "error": words[code]}
		},
	}
}
