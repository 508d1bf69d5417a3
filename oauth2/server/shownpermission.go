package server

import "slices"

// ShownPermission is what a client may do at some APIs, on the pages for people.
type ShownPermission struct {
	// Resources are the APIs that have these scopes. Nil is where there is nothing to tell apart: for the scopes of
	// OpenID Connect, and for a server with one API.
	Resources []Resource
	// Scopes are those of each of Resources. Nil is access without a scope.
	Scopes []ShownScope
}

// ShownScope is a scope on a page.
type ShownScope struct {
	Scope
	// Before is, on a [ConsentPage], that the user agreed to it before at each of the Resources. For
	// offline_access it is at each API of the page.
	Before bool
}

// shownPermissions returns what a page shows, in the order of the configuration. It leaves out what gives nothing now,
// because the server does not know the scope or the API any more.
func (s *Server) shownPermissions(all, before Permissions) []ShownPermission {
	var shown []ShownPermission
	if scopes := s.shownScopes("", all, before); scopes != nil {
		shown = append(shown, ShownPermission{Scopes: scopes})
	}
	for _, resource := range s.config.Resources {
		if _, ok := all.At(resource.ID); !ok {
			continue
		}
		scopes := s.shownScopes(resource.ID, all, before)
		if len(s.config.Resources) == 1 {
			return oneList(shown, scopes)
		}
		i := slices.IndexFunc(shown, func(has ShownPermission) bool {
			return has.Resources != nil && slices.Equal(has.Scopes, scopes)
		})
		if i < 0 {
			shown = append(shown, ShownPermission{[]Resource{resource}, scopes})
			continue
		}
		shown[i].Resources = append(shown[i].Resources, resource)
	}
	return shown
}

// oneList puts the scopes of the one API that there is behind those of OpenID Connect.
func oneList(openID []ShownPermission, scopes []ShownScope) []ShownPermission {
	if len(openID) > 0 {
		scopes = append(openID[0].Scopes, scopes...)
	}
	if scopes == nil {
		return nil
	}
	return []ShownPermission{{Scopes: scopes}}
}

// shownScopes returns the scopes at one resource.
func (s *Server) shownScopes(resource string, all, before Permissions) []ShownScope {
	scopes, _ := all.At(resource)
	agreed, _ := before.At(resource)
	var shown []ShownScope
	for _, scope := range s.config.Scopes {
		if slices.Contains(scopes, scope.Name) && s.knowsScope(resource, scope.Name) {
			shown = append(shown, ShownScope{scope, slices.Contains(agreed, scope.Name)})
		}
	}
	return shown
}
