package server

import (
	"cmp"
	"slices"
)

// Permission is what a client may do at one resource (RFC 8707). A scope means something only together with the
// resource that it is for, so a list of scopes beside a list of resources says too much: the right to read at one API
// and to write at another one is not the right to write at the first.
type Permission struct {
	// Resource is the identifier of the API. It is "" for the scopes of OpenID Connect, which are about the login and
	// the userinfo endpoint, and so about no API.
	Resource string `json:"resource,omitempty"`
	// Scopes are those at the resource, each once. An API without scopes is access to it that no scope widens.
	Scopes []string `json:"scopes,omitempty"`
}

// Permissions are what a client may do, each resource once, in the order in which they were asked for. The methods
// do not change the receiver or an argument.
type Permissions []Permission

// At returns the scopes at a resource, and whether the permissions have the resource at all.
func (p Permissions) At(resource string) (scopes []string, ok bool) {
	for _, each := range p {
		if each.Resource == resource {
			return each.Scopes, true
		}
	}
	return nil, false
}

// Resources returns the APIs. OpenID Connect is not among them.
func (p Permissions) Resources() []string {
	var all []string
	for _, each := range p {
		if each.Resource != "" {
			all = append(all, each.Resource)
		}
	}
	return all
}

// Scopes returns each scope of any resource once. It does not tell where a scope is good.
func (p Permissions) Scopes() []string {
	var all []string
	for _, each := range p {
		all = union(all, each.Scopes)
	}
	return all
}

// Cover reports whether p has every pair of a resource and a scope that asked has, and every resource.
func (p Permissions) Cover(asked Permissions) bool {
	for _, each := range asked {
		scopes, ok := p.At(each.Resource)
		if !ok || !containsAll(scopes, each.Scopes) {
			return false
		}
	}
	return true
}

// Add returns p with what more has. What is new comes last.
func (p Permissions) Add(more Permissions) Permissions {
	sum := slices.Clone(p)
	for _, each := range more {
		i := slices.IndexFunc(sum, func(has Permission) bool { return has.Resource == each.Resource })
		if i < 0 {
			sum = append(sum, Permission{each.Resource, slices.Clone(each.Scopes)})
			continue
		}
		sum[i].Scopes = union(sum[i].Scopes, each.Scopes)
	}
	return sum
}

// Sorted returns p in order of resource, with the scopes of each in order.
func (p Permissions) Sorted() Permissions {
	sorted := make(Permissions, len(p))
	for i, each := range p {
		sorted[i] = Permission{each.Resource, slices.Sorted(slices.Values(each.Scopes))}
	}
	slices.SortFunc(sorted, func(a, b Permission) int { return cmp.Compare(a.Resource, b.Resource) })
	return sorted
}

// filter returns what of p is kept, pair by pair. An API stays without scopes, and OpenID Connect does not.
func (p Permissions) filter(keep func(resource, scope string) bool) Permissions {
	var kept Permissions
	for _, each := range p {
		scopes := slices.DeleteFunc(slices.Clone(each.Scopes), func(scope string) bool {
			return !keep(each.Resource, scope)
		})
		if each.Resource != "" || len(scopes) > 0 {
			kept = append(kept, Permission{each.Resource, scopes})
		}
	}
	return kept
}

// of returns what of p is about OpenID Connect or one of the resources.
func (p Permissions) of(resources []string) Permissions {
	return slices.DeleteFunc(slices.Clone(p), func(each Permission) bool {
		return each.Resource != "" && !slices.Contains(resources, each.Resource)
	})
}

// offlineAccess is the scope of access that outlives the session (OpenID Connect Core §11).
const offlineAccess = "offline_access"

// withOffline returns p as a consent remembers it. Access that outlives the session is agreed to for the APIs of the
// same page, so each of them has it too. It is then not joined with an API of another page.
func (p Permissions) withOffline() Permissions {
	if openID, _ := p.At(""); !slices.Contains(openID, offlineAccess) {
		return p
	}
	all := slices.Clone(p)
	for i, each := range all {
		if each.Resource != "" {
			all[i].Scopes = union(each.Scopes, []string{offlineAccess})
		}
	}
	return all
}

// union puts what is new in more behind all.
func union(all, more []string) []string {
	all = slices.Clone(all)
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}
