package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
)

// ClaimsTarget is where claims go.
type ClaimsTarget string

// The targets of claims.
const (
	// ClaimsUserInfo is the userinfo endpoint (OpenID Connect Core §5.3).
	ClaimsUserInfo ClaimsTarget = "userinfo"
	// ClaimsIDToken is an ID token of a client with ClaimsInIDToken.
	ClaimsIDToken ClaimsTarget = "id_token"
	// ClaimsAccessToken is an access token that is a JWT. Every API that it is for can read
	// them, and so can the client.
	ClaimsAccessToken ClaimsTarget = "access_token"
	// ClaimsIntrospection is the answer of the introspection endpoint about an access token
	// (RFC 7662 §2.2).
	ClaimsIntrospection ClaimsTarget = "introspection"
)

// ClaimsRequest is what [Config.Claims] is asked.
type ClaimsRequest struct {
	// Target is where the claims go. A function that looks only at the scopes tells every API
	// the name and e-mail address of its users.
	Target ClaimsTarget
	// User is the user of the token. For a token of a client's own it is an [auth.Machine] with
	// the client's ID.
	User auth.User
	// Client is the one that the token was issued to. It must not be changed.
	Client *Client
	// Scopes are those of the token, and Resources the audience of the access token. Resources
	// is nil for ID tokens.
	Scopes, Resources []string
}

// maxClaims is how long the claims of the application may be, in bytes of JSON. A token with
// more might be too long for a header.
const maxClaims = 4 << 10

// ownClaims are those that the server and its features write. The application cannot set them.
var ownClaims = map[string]bool{"iss": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"auth_time": true, "nonce": true, "acr": true, "amr": true, "azp": true, "at_hash": true, "c_hash": true,
	"s_hash": true, "sid": true, "client_id": true, "scope": true, "grant_id": true, "cnf": true, "act": true,
	"may_act": true, "events": true, "active": true, "username": true, "token_type": true,
	"authorization_details": true}

// applicationClaims adds what Config.Claims returns.
type applicationClaims struct{}

func (applicationClaims) register(r *registry) { r.addClaims(r.server.applicationClaims) }

// targets are the names of claimsTarget for applications.
var targets = map[claimsTarget]ClaimsTarget{toUserInfo: ClaimsUserInfo, toIDToken: ClaimsIDToken,
	toAccessToken: ClaimsAccessToken, toIntrospection: ClaimsIntrospection}

// applicationClaims is a claimsFunc.
func (s *Server) applicationClaims(ctx context.Context, c *claimsRequest) (map[string]any, error) {
	client := c.client
	if client == nil {
		var cause, err error
		if client, cause, err = s.enabledClient(ctx, c.grant.ClientID); cause != nil || err != nil {
			return nil, errors.Join(cause, err)
		}
	}
	if c.target == toIDToken && !client.ClaimsInIDToken {
		return nil, nil
	}
	user := c.user
	if user == nil {
		user = auth.Machine{ID: client.ID}
	}
	claims, err := s.config.Claims(ctx, ClaimsRequest{Target: targets[c.target], User: user, Client: client,
		Scopes: c.scopes, Resources: c.resources})
	if err != nil {
		return nil, err
	}
	return claims, checkApplicationClaims(claims)
}

// checkApplicationClaims refuses claims that the server writes, and too many. A "sub" is left
// alone, because the server's replaces it.
func checkApplicationClaims(claims map[string]any) error {
	for name := range claims {
		if ownClaims[name] {
			return fmt.Errorf("oauth2/server: Config.Claims returned the claim %q, which the server writes", name)
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("oauth2/server: Config.Claims: %w", err)
	}
	if len(text) > maxClaims {
		return fmt.Errorf("oauth2/server: Config.Claims returned %d bytes of JSON, want at most %d", len(text), maxClaims)
	}
	return nil
}
