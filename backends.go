package auth

import (
	"fmt"
	"reflect"
	"slices"
)

// This file has what New reads from backends, and what it refuses.

// flatten returns a copy of backends in which the backends of a nested chain
// stand one by one.
func flatten(backends []Authenticator) []Authenticator {
	var flat []Authenticator
	for _, backend := range backends {
		if nested, ok := backend.(chain); ok {
			flat = append(flat, flatten(nested)...)
		} else {
			flat = append(flat, backend)
		}
	}
	return flat
}

func nameOf(backend Authenticator) string {
	if named, ok := As[Named](backend); ok {
		return named.Backend()
	}
	return fmt.Sprintf("%T", backend)
}

func schemesOf(challenges []Challenge) []string {
	var schemes []string
	for _, c := range challenges {
		schemes = append(schemes, c.Scheme)
	}
	return schemes
}

func varyOf(backend Authenticator) []string {
	if varier, ok := As[Varier](backend); ok {
		return varier.Vary()
	}
	return []string{"Authorization", "Cookie"}
}

func readsProxies(backend Authenticator) bool {
	reader, ok := As[ProxyReader](backend)
	return ok && reader.ReadsProxies()
}

// checkNames refuses two backends of one name. A backend may stand in several
// lists.
func checkNames(lists ...[]Authenticator) error {
	named := make(map[string]Authenticator)
	for _, list := range lists {
		inList := make(map[string]bool)
		for _, backend := range expand(list) {
			if isNil(backend) {
				continue // checkBackend says where
			}
			n, ok := As[Named](backend)
			if !ok {
				continue
			}
			name := n.Backend()
			other, taken := named[name]
			if inList[name] || taken && !same(innermost(backend), innermost(other)) {
				return fmt.Errorf("auth: two backends are named %q. Set the Name of one", name)
			}
			named[name], inList[name] = backend, true
		}
	}
	return nil
}

// union returns the strings of both, each once.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// isNil reports a nil interface, or a nil pointer, map, func, slice or channel inside one.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return rv.IsNil()
	}
	return false
}
