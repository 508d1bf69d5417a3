package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
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
	client *Client   // nil for userinfo and introspection, since their answer is about the client grant.ClientID
	caller *Client   // the client that introspects, nil for other targets
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
			// An *Error of the application must not be answered to the client.
			return nil, errors.New("oauth2/server: the claims of a feature: " + fmt.Sprint(err))
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

// withMembers returns the members of a struct in JSON, and those of more with names that the struct
// does not have.
func withMembers(of any, more map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	reserved := memberNames(of)
	for name, value := range more {
		if isReserved(reserved, name) {
			continue
		}
		if members[name], err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("oauth2/server: the claim %s: %w", cause.Quote(name), err)
		}
	}
	return json.Marshal(members)
}

// isReserved reports whether a name is one of these for a reader that tells letters of either
// case apart, and for one that does not, as encoding/json.
func isReserved(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// memberNames returns the names of all members that a struct or a map can have in JSON, also of
// those that are left out where they are empty.
func memberNames(of any) (names []string) {
	v := reflect.ValueOf(of)
	if v.Kind() == reflect.Map {
		for _, key := range v.MapKeys() {
			names = append(names, key.String())
		}
		return names
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
