package authtest

import "net/url"

// oktaDouble imitates an Okta organization by its own authorization server: ID tokens have
// an address, but no name and no "email_verified". The userinfo endpoint has them.
func oktaDouble() FakeProvider {
	d := oktaServer("/okta", "/okta/oauth2")
	d.Claims = func(_ *SignedIn, _ string, claims map[string]any) {
		for _, name := range []string{"email_verified", "name", "preferred_username"} {
			delete(claims, name)
		}
		claims["ver"], claims["idp"] = 1, "00o1"
	}
	return d
}

// oktaCustomDouble imitates the authorization server "default" of an Okta organization.
func oktaCustomDouble() FakeProvider {
	return oktaServer("/okta/oauth2/default", "/okta/oauth2/default")
}

func oktaServer(issuer, endpoints string) FakeProvider {
	return FakeProvider{
		Name: "Okta", Me: endpoints + "/v1/userinfo",
		Authorize: endpoints + "/v1/authorize", Token: endpoints + "/v1/token",
		IDTokens: true, Issuer: issuer, NoResponseIssuer: true,
		// A refresh token needs a scope of its own.
		Tokens: func(_ *SignedIn, _ url.Values, answer map[string]any) { delete(answer, "refresh_token") },
	}
}
