package server

import (
	"errors"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// servesOpenIDScope reports a scope of OpenID Connect. It is about the login and the userinfo endpoint, and so goes
// with no API.
func (s *Server) servesOpenIDScope(scope string) bool { return s.OpenID() && isOpenIDScope(scope) }

// knowsScope reports whether a scope means something at a resource. "" is OpenID Connect.
func (s *Server) knowsScope(resource, scope string) bool {
	if s.scope(scope) == nil {
		return false
	}
	if resource == "" || s.servesOpenIDScope(scope) {
		return resource == "" && s.servesOpenIDScope(scope)
	}
	at := s.resource(resource)
	return at != nil && (at.Scopes == nil || slices.Contains(at.Scopes, scope))
}

// unknownPermission says what of a sealed request this server does not know. Another version of the program in the same
// deployment may have sealed it. A page cannot show it, so nothing of it may be granted. It is nil if all is known.
func (s *Server) unknownPermission(asked Permissions) error {
	for _, each := range asked {
		if each.Resource != "" && s.resource(each.Resource) == nil {
			return failedSetting("Config.Resources", "the server does not know the resource any more", each.Resource,
				s.resourceIDs()...)
		}
		for _, scope := range each.Scopes {
			if !s.knowsScope(each.Resource, scope) {
				return failedSetting("Config.Scopes and Resource.Scopes", "the server does not know the scope any more",
					scope)
			}
		}
	}
	return nil
}

// checkResourceScopes checks the scopes that resources list.
func (s *Server) checkResourceScopes(settings *backend.Settings) {
	for _, resource := range s.config.Resources {
		for i, scope := range resource.Scopes {
			settings.Refuse(s.scope(scope) == nil,
				"resource %q has the scope %q, which is not among Config.Scopes", resource.ID, scope)
			settings.Refuse(s.servesOpenIDScope(scope),
				"resource %q has the scope %q, which is of OpenID Connect and goes with no resource", resource.ID,
				scope)
			settings.Refuse(slices.Contains(resource.Scopes[:i], scope),
				"resource %q has the scope %q twice", resource.ID, scope)
		}
	}
}

// permissionsOf returns what a request asks for: each scope at each resource that knows it. If the client named the
// scopes, one that no resource knows is refused.
func (s *Server) permissionsOf(scopes, resources []string, named bool) (Permissions, error) {
	every := Permissions{{"", scopes}}
	for _, resource := range resources {
		every = append(every, Permission{resource, scopes})
	}
	asked := every.filter(s.knowsScope)
	known := asked.Scopes()
	for _, scope := range scopes {
		if named && !slices.Contains(known, scope) {
			return nil, refuse(CodeInvalidScope, "The scope has one that the resource does not know.",
				failedSetting("Resource.Scopes",
					"no resource of the request, "+cause.Quote(strings.Join(resources, " "))+
						", knows the scope", scope, s.scopesAt(resources)...))
		}
	}
	if !slices.ContainsFunc(scopes, func(scope string) bool { return !s.servesOpenIDScope(scope) }) {
		return asked, nil // a login alone
	}
	for _, each := range asked {
		if each.Resource != "" && len(each.Scopes) == 0 {
			return nil, refuse(CodeInvalidScope, "The scope has none that the resource knows.",
				failedSetting("Resource.Scopes", "a resource of the request, "+cause.Quote(each.Resource)+
					", knows none of its scopes", strings.Join(scopes, " "), s.scopesAt([]string{each.Resource})...))
		}
	}
	return asked, nil
}

// scopesAt returns the scopes that any of these resources knows, in the order of the configuration.
func (s *Server) scopesAt(resources []string) []string {
	var known []string
	for _, scope := range s.config.Scopes {
		if slices.ContainsFunc(resources, func(id string) bool { return s.knowsScope(id, scope.Name) }) {
			known = append(known, scope.Name)
		}
	}
	return known
}

// allowedNow returns what of a grant its client may have now. It has no resource that the client lost. A grant without
// a user is a machine's, with the scopes of machines alone.
func (s *Server) allowedNow(client *Client, grant *Grant) Permissions {
	allowed := grant.Permissions.filter(func(resource, scope string) bool {
		return s.allowsScope(client, scope) && s.knowsScope(resource, scope) &&
			(grant.UserID != "" || s.allowsMachine(client, scope))
	})
	return slices.DeleteFunc(allowed, func(each Permission) bool {
		return each.Resource != "" && (s.resource(each.Resource) == nil || !client.mayAskFor(each.Resource))
	})
}

// tokenTarget is what a client says about the token that it wants.
type tokenTarget struct {
	resources []string // RFC 8707 §2.2, or nil
	scopes    []string // RFC 6749 §6, or nil
}

var errOneAtATime = errors.New("the resources have different scopes, and all scopes of a token are good at each " +
	"of its resources (RFC 8707 §2.2), so the client must ask for one resource at a time")

// tokenPermissions returns what one access token of a grant is for. A token has one list of scopes, which is good at
// each of its resources, so a token for several resources needs the same scopes at each of them (RFC 8707 §2.2).
//
// If the client names no resource, the token is for all resources that have the scopes it names. If it names no scopes
// either, the token is for all resources if they have the same scopes, and otherwise for the first one.
func (s *Server) tokenPermissions(client *Client, grant *Grant, want tokenTarget) (Permissions, error) {
	granted, allowed := grant.Permissions, s.allowedNow(client, grant)
	resources := allowed.Resources()
	want.resources = s.registeredAs(want.resources)
	for _, id := range want.resources {
		if s.resource(id) == nil && nearResource(id, resources) != "" {
			return nil, s.errUnknownResource(id, nil)
		}
	}
	if len(resources) == 0 || !containsAll(resources, want.resources) {
		return nil, refuse(CodeInvalidTarget,
			"The resource is none that was granted, or the client may not have it any more.",
			failedSetting("Client.Resources and Config.Resources",
				"the resource was not granted, or the client may not have it any more",
				strings.Join(want.resources, " "), resources...))
	}
	if err := checkScopeLeft(allowed, granted, client); err != nil {
		return nil, err
	}
	if len(want.scopes) > 0 {
		return allowed.narrow(want)
	}
	if len(want.resources) > 0 {
		allowed = allowed.of(want.resources)
	} else {
		// What was granted decides, and not what is left of it: a client that names no
		// resource sends the token where it always did.
		allowed = allowed.of(granted.defaultResources())
	}
	if len(allowed.Resources()) == 0 {
		return nil, refuse(CodeInvalidTarget, "The resource is not there any more. Ask for another one.",
			failedSetting("Client.Resources and Config.Resources", "the client may not have the resource any more, "+
				"which its tokens are for if it names none", "", resources...))
	}
	if !allowed.haveSameScopes() {
		if len(want.resources) > 0 {
			return nil, refuse(CodeInvalidTarget, "The resources have different scopes. Ask for one at a time.",
				errOneAtATime)
		}
		allowed = allowed.of(allowed.firstWithScopes())
	}
	return allowed, checkScopeLeft(allowed, granted, client)
}

// checkScopeLeft refuses a token without any scope where some were granted. It would be taken for one that has all of
// them, because an answer cannot say that it has no scope (RFC 6749 §5.1).
func checkScopeLeft(left, granted Permissions, client *Client) error {
	if len(left.Scopes()) > 0 || len(granted.Scopes()) == 0 {
		return nil
	}
	return refuse(CodeInvalidScope, "The client may have none of the scopes that were granted any more.",
		failedSetting("Client.Scopes, Config.Scopes and Config.Clients.DeveloperScopes",
			"the client may have none of the granted scopes any more",
			strings.Join(granted.Scopes(), " "), client.Scopes...))
}

// haveSameScopes reports whether each API has the same scopes, in any order.
func (p Permissions) haveSameScopes() bool {
	resources := p.Resources()
	first, _ := p.At(resources[0])
	return !slices.ContainsFunc(resources, func(resource string) bool {
		scopes, _ := p.At(resource)
		return !containsAll(first, scopes) || !containsAll(scopes, first)
	})
}

// defaultResources returns the APIs of a token if its client does not name any: all if they have the same scopes, or
// else the first one that has scopes.
func (p Permissions) defaultResources() []string {
	if p.haveSameScopes() {
		return p.Resources()
	}
	return p.firstWithScopes()
}

// firstWithScopes returns the first API that has scopes.
func (p Permissions) firstWithScopes() []string {
	for _, each := range p {
		if each.Resource != "" && len(each.Scopes) > 0 {
			return []string{each.Resource}
		}
	}
	return nil
}

// narrow returns the scopes that the client names, at the resources that have all of them.
func (p Permissions) narrow(want tokenTarget) (Permissions, error) {
	all := p.Scopes()
	for _, scope := range want.scopes {
		if !slices.Contains(all, scope) {
			return nil, refuse(CodeInvalidScope, "The scope has one that was not granted.",
				failedValue("the scope was not granted, or the client may not have it any more", scope, all...))
		}
	}
	openID, _ := p.At("")
	atAPIs := slices.DeleteFunc(slices.Clone(want.scopes), func(scope string) bool {
		return slices.Contains(openID, scope)
	})
	narrowed := p.filter(func(_, scope string) bool { return slices.Contains(want.scopes, scope) })
	narrowed = slices.DeleteFunc(narrowed, func(each Permission) bool {
		return each.Resource != "" && !containsAll(each.Scopes, atAPIs)
	})
	resources := narrowed.Resources()
	switch {
	case len(resources) == 0:
		return nil, refuse(CodeInvalidScope, "The scopes are of different resources. Ask for one at a time.",
			errOneAtATime)
	case !containsAll(resources, want.resources):
		return nil, refuse(CodeInvalidScope, "The scope has one that was not granted at the resource.",
			failedValue("a scope was not granted at the resource, or the client may not have it there any more",
				strings.Join(want.resources, " "), resources...))
	case len(want.resources) > 0:
		narrowed = narrowed.of(want.resources)
	}
	return narrowed, nil
}
