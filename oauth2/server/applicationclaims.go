package server

import (
	"context"
	"errors"
	"slices"

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

// ClaimsRequest is what [TokenConfig.Claims] is asked. The function may keep it, and change its slices.
type ClaimsRequest struct {
	// Target is where the claims go. A function that looks only at the scopes tells every API
	// the name and e-mail address of its users.
	Target ClaimsTarget
	// User is the user of the token. For a token of a client's own it is an [auth.Machine] with
	// the client's ID.
	User auth.User
	// Client is the one that the token was issued to. It must not be changed.
	Client *Client
	// Caller is the client that introspects the token and reads the claims. It is nil for the
	// other targets. It must not be changed.
	Caller *Client
	// Scopes are those of the token, and Resources the audience of the access token. Resources
	// is nil for ID tokens. For ClaimsIntrospection it has only those that the Caller is
	// (Client.ResourceServer): it is empty for a client that asks about its own token.
	Scopes, Resources []string
}

// applicationClaims adds what Config.Tokens.Claims returns.
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
	claims, err := s.config.Tokens.Claims(ctx, ClaimsRequest{Target: targets[c.target], User: user, Client: client,
		Caller: c.caller, Scopes: slices.Clone(c.scopes), Resources: readersOf(c)})
	if err != nil {
		return nil, err
	}
	return claims, checkApplicationClaims(c.target, claims)
}

// readersOf returns the resources that read the claims. A caller of the introspection endpoint is
// not told what is for the other resources of the token.
func readersOf(c *claimsRequest) []string {
	resources := slices.Clone(c.resources)
	if c.target == toIntrospection {
		resources = slices.DeleteFunc(resources, func(id string) bool { return !c.caller.isResource(id) })
	}
	return resources
}
