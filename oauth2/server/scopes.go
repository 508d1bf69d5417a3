package server

import (
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// scopesOf reads the scopes that a client asks for. A client that names no scope gets all
// that it may have (RFC 6749 §3.3).
func (s *Server) scopesOf(text string, client *Client) ([]string, error) {
	if text == "" {
		return s.clientScopes(client), nil
	}
	var scopes []string
	lenient := (s.config.OpenID.IgnoreUnknownScopes || client.IgnoreUnknownScopes) && s.openID &&
		slices.Contains(strings.Split(text, " "), "openid")
	for scope := range strings.SplitSeq(text, " ") {
		if lenient && backend.ValidScope(scope) && s.scope(scope) == nil {
			continue
		}
		if !backend.ValidScope(scope) {
			return nil, refuse(CodeInvalidScope, "The scope is malformed.",
				failedValue("a scope is malformed (RFC 6749 §3.3)", scope))
		}
		if cause := s.scopeFault(client, scope); cause != nil {
			return nil, refuse(CodeInvalidScope, "The scope has one that the client may not ask for.", cause)
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// scopeFault says why a client may not have a scope. It is nil if the client may.
func (s *Server) scopeFault(client *Client, scope string) error {
	switch {
	case s.scope(scope) == nil:
		return failedSetting("Config.Scopes", "the server has no such scope", scope)
	case !slices.Contains(client.Scopes, scope):
		return failedSetting("Client.Scopes", "the client does not have the scope", scope, client.Scopes...)
	case !s.allowsScope(client, scope):
		return failedSetting("Config.Clients.DeveloperScopes.Users",
			"the client has an owner, and the scope is not for developers",
			scope, s.config.Clients.DeveloperScopes.Users...)
	}
	return nil
}

// resourceFault says why a client may not have tokens for a resource. It is nil if the client may.
func (s *Server) resourceFault(client *Client, id string) error {
	switch {
	case s.resource(id) == nil:
		return failedSetting("Config.Resources", "the server has no such resource", id, s.resourceIDs()...)
	case !client.mayAskFor(id):
		return failedSetting("Client.Resources", "the client does not have the resource", id, client.Resources...)
	}
	return nil
}

// resourceIDs returns the identifiers of all resources.
func (s *Server) resourceIDs() []string {
	ids := make([]string, len(s.config.Resources))
	for i, resource := range s.config.Resources {
		ids[i] = resource.ID
	}
	return ids
}

// clientScopes are all that a client may have, of those there are.
func (s *Server) clientScopes(client *Client) []string {
	var scopes []string
	for _, scope := range client.Scopes {
		if s.scope(scope) != nil && s.allowsScope(client, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// scope returns the scope of this name, or nil.
func (s *Server) scope(name string) *Scope {
	for i := range s.config.Scopes {
		if s.config.Scopes[i].Name == name {
			return &s.config.Scopes[i]
		}
	}
	return nil
}

// Scope is something that a user can allow (RFC 6749 §3.3).
type Scope struct {
	Name string
	Text string // to go on after "It will be able to", such as "read your reports"
}

func (c *Config) checkScopes(settings *backend.Settings) {
	for i, scope := range c.Scopes {
		settings.Scopes("Config.Scopes", []string{scope.Name})
		twice := slices.ContainsFunc(c.Scopes[:i], func(other Scope) bool { return other.Name == scope.Name })
		settings.Refuse(twice, "two scopes %q", scope.Name)
	}
}
