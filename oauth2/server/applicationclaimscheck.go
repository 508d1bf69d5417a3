package server

import (
	"encoding/json"
	"fmt"

	"github.com/gatewarden/auth/internal/cause"
)

// maxTokenClaims is how long the claims of the application may be in a JWT, in bytes of JSON. A
// token with more might be too long for a header. Answers of endpoints have no limit.
const maxTokenClaims = 4 << 10

// tokenClaims are those of JWTs that the server and its features write. The application cannot
// set them.
var tokenClaims = []string{"iss", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp",
	"at_hash", "c_hash", "s_hash", "sid", "client_id", "scope", "grant_id", "cnf", "act", "may_act", "events",
	"authorization_details"}

// introspectionClaims are those of RFC 7662 §2.2 and of features, which the application cannot set.
var introspectionClaims = []string{"active", "username", "token_type", "iss", "aud", "exp", "nbf", "iat", "jti",
	"auth_time", "acr", "amr", "client_id", "scope", "grant_id", "cnf", "act", "may_act", "authorization_details"}

// reservedClaims are the claims that the application cannot set, by target. The userinfo endpoint
// has no such claims: of the protocol it tells "sub" alone.
var reservedClaims = map[claimsTarget][]string{toIDToken: tokenClaims, toAccessToken: tokenClaims,
	toIntrospection: introspectionClaims}

// checkApplicationClaims refuses claims that the server writes, and too many. A "sub" is left
// alone, because the server's replaces it.
func checkApplicationClaims(target claimsTarget, claims map[string]any) error {
	for name := range claims {
		if isReserved(reservedClaims[target], name) {
			return fmt.Errorf("oauth2/server: Config.Tokens.Claims returned the claim %s, which the server writes",
				cause.Quote(name))
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("oauth2/server: Config.Tokens.Claims: %w", err)
	}
	if inToken := target == toIDToken || target == toAccessToken; inToken && len(text) > maxTokenClaims {
		return fmt.Errorf("oauth2/server: Config.Tokens.Claims returned %d bytes of JSON for a token, want at most %d",
			len(text), maxTokenClaims)
	}
	return nil
}
