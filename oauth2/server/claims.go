package server

import (
	"context"
	"encoding/json"

	"github.com/gatewarden/auth"
)

// claimsTarget says where claims go.
type claimsTarget int

const (
	toUserInfo claimsTarget = iota
	toIDToken
	toAccessToken // a JWT (RFC 9068)
	toIntrospection
)

// claimsRequest is what claims are asked for.
type claimsRequest struct {
	target claimsTarget
	client *Client   // nil for userinfo and introspection, whose answer is about the client grant.ClientID
	user   auth.User // nil if the client acts for itself
	grant  *Grant
	scopes []string
	// resources are the audience of the access token.
	resources []string
}

// claimsFunc returns claims to add, or nil. Those that the server makes itself, such as "sub",
// cannot be replaced. An error is an outage.
type claimsFunc func(ctx context.Context, c *claimsRequest) (map[string]any, error)

// claimsFor returns what all features add.
func (s *Server) claimsFor(ctx context.Context, c *claimsRequest) (map[string]any, error) {
	var all map[string]any
	for _, claims := range s.features.claims {
		more, err := claims(ctx, c)
		if err != nil {
			return nil, &auth.Error{Cause: err}
		}
		for name, value := range more {
			if all == nil {
				all = make(map[string]any)
			}
			all[name] = value
		}
	}
	return all, nil
}

// withClaims returns claims of the server with those that the features add. Claims of the
// server are not replaced. It is claims itself where there are no others.
func (s *Server) withClaims(ctx context.Context, claims any, c *claimsRequest) (any, error) {
	more, err := s.claimsFor(ctx, c)
	if err != nil || len(more) == 0 {
		return claims, err
	}
	return withMembers(claims, more)
}

// withMembers returns the members of a struct in JSON and those of more that it does not have.
func withMembers(of any, more map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	for name, value := range more {
		if members[name] != nil {
			continue
		}
		if members[name], err = json.Marshal(value); err != nil {
			return nil, &auth.Error{Cause: err}
		}
	}
	return json.Marshal(members)
}
