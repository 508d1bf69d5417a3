package authtest

// keycloakDouble imitates the realm "acme" of a Keycloak: it sends "iss" in answers, and
// its ID tokens have "azp" and "typ".
func keycloakDouble() FakeProvider {
	const realm = "/realms/acme"
	return FakeProvider{
		Name: "Keycloak", Authorize: realm + "/protocol/openid-connect/auth",
		Token: realm + "/protocol/openid-connect/token",
		Me:    realm + "/protocol/openid-connect/userinfo", IDTokens: true, Issuer: realm,
		Claims: func(s *SignedIn, _ string, claims map[string]any) {
			claims["azp"], claims["typ"], claims["acr"], claims["sid"] = s.ClientID, "ID", "1", "of a session"
		},
	}
}
