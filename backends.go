package auth

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// This file is what New reads from backends, and refuses.

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

// checkBackend refuses nil, and a decorator that loses capabilities.
func checkBackend(backend Authenticator) error {
	if isNil(backend) {
		return errors.New("is nil")
	}
	inner := backend
	for range maxWrapped {
		wrapper, ok := inner.(interface{ Unwrap() Authenticator })
		if !ok {
			break
		}
		next := wrapper.Unwrap()
		if next == nil {
			return nil // it says that it is no decorator
		}
		inner = next
	}
	if field := heldAuthenticator(inner); field != "" {
		return fmt.Errorf("is a %T, which holds an Authenticator in %s and has no method Unwrap() auth.Authenticator: "+
			"the headers it strips, its challenges and its other capabilities would be lost. "+
			"Return the inner backend from Unwrap, use auth.Wrap, or return nil if it is not a decorator", inner, field)
	}
	return nil
}

// heldAuthenticator returns the name of a field in which a struct holds a
// backend, or "".
func heldAuthenticator(backend Authenticator) string {
	switch backend.(type) {
	case *Guard, chain: // they have the capabilities themselves
		return ""
	}
	v := reflect.ValueOf(backend)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		return fieldWithAuthenticator(v)
	case reflect.Slice, reflect.Array, reflect.Map:
		if implements(v.Type().Elem()) {
			return "its elements"
		}
	}
	return ""
}

var authenticatorType = reflect.TypeFor[Authenticator]()

func fieldWithAuthenticator(v reflect.Value) string {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		if holdsAuthenticator(field) {
			return name
		}
		if field.Kind() == reflect.Pointer && v.Type().Field(i).Anonymous {
			field = field.Elem() // not a struct, if the pointer is nil
		} else if t := field.Type(); t.Kind() == reflect.Interface && t.NumMethod() == 0 {
			field = field.Elem()
		}
		if field.Kind() == reflect.Struct {
			if inner := fieldWithAuthenticator(field); inner != "" {
				return name + "." + inner
			}
		}
	}
	return ""
}

// holdsAuthenticator reports a field through which code could call
// Authenticate: by its type, by the type of its elements, or, of the type any,
// by its value. An interface without that method, such as TokenVerifier, does
// not count, whatever is in it.
func holdsAuthenticator(v reflect.Value) bool {
	t := v.Type()
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		return !v.IsNil() && v.Elem().Type().Implements(authenticatorType)
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		t = t.Elem()
	}
	return implements(t)
}

// implements reports a type whose values, or pointers to them, are backends.
func implements(t reflect.Type) bool {
	return t.Implements(authenticatorType) || reflect.PointerTo(t).Implements(authenticatorType)
}

// checkNames refuses two backends of one name. A backend may stand in several
// lists.
func checkNames(lists ...[]Authenticator) error {
	named := make(map[string]Authenticator)
	for _, list := range lists {
		inList := make(map[string]bool)
		for _, backend := range list {
			if isNil(backend) {
				continue // checkBackend says where
			}
			n, ok := As[Named](backend)
			if !ok {
				continue
			}
			name := n.Backend()
			other, taken := named[name]
			if inList[name] || taken && !same(backend, other) {
				return fmt.Errorf("auth: two backends are named %q. Set the Name of one", name)
			}
			named[name], inList[name] = backend, true
		}
	}
	return nil
}

// same reports whether a and b are one backend. Values that cannot be compared
// with == are one if they look the same.
func same(a, b Authenticator) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Type() != vb.Type() {
		return false
	}
	if va.Comparable() && vb.Comparable() {
		return a == b
	}
	return va.Kind() != reflect.Func && reflect.DeepEqual(a, b)
}

// owner is a backend that speaks a scheme.
type owner struct {
	name    string
	says    bool // it has OwnTokens
	classes []TokenClass
}

// checkOwners refuses backends that share a scheme and do not say, or do not
// agree, which tokens are whose. See [TokenOwner].
func checkOwners(backends []Authenticator) error {
	var owners []owner
	var schemes [][]string
	for _, backend := range backends {
		o := owner{name: nameOf(backend)}
		var speaks []string
		if challenger, ok := As[Challenger](backend); ok {
			speaks = schemesOf(challenger.Challenges())
		}
		if tokens, ok := As[TokenOwner](backend); ok {
			o.says, o.classes = true, tokens.OwnTokens()
			for _, class := range o.classes {
				speaks = append(speaks, class.Scheme)
			}
		}
		for i, other := range owners {
			if err := compare(other, o, schemes[i], speaks); err != nil {
				return err
			}
		}
		owners, schemes = append(owners, o), append(schemes, speaks)
	}
	return nil
}

func compare(a, b owner, schemesA, schemesB []string) error {
	for _, one := range a.classes {
		for _, other := range b.classes {
			if one.overlaps(other) {
				return fmt.Errorf("auth: backends %q and %q both own tokens of scheme %s with prefix %q",
					a.name, b.name, other.Scheme, other.Prefix)
			}
		}
	}
	if a.says && b.says {
		return nil
	}
	silent := a.name
	if a.says {
		silent = b.name
	}
	for _, scheme := range schemesA {
		if slices.ContainsFunc(schemesB, func(other string) bool { return strings.EqualFold(scheme, other) }) {
			return fmt.Errorf("auth: backends %q and %q both take the scheme %s, and %q has no OwnTokens that says which tokens "+
				"are its own. An empty list says that it answers ErrUnrecognized to tokens of others", a.name, b.name, scheme, silent)
		}
	}
	return nil
}

// overlaps reports whether a token could be of both classes: their prefixes are
// the same, or what one has more could be the start of the other's random part.
func (c TokenClass) overlaps(other TokenClass) bool {
	longer, shorter := c.Prefix, other.Prefix
	if len(longer) < len(shorter) {
		longer, shorter = shorter, longer
	}
	rest, ok := strings.CutPrefix(longer, shorter)
	return ok && strings.EqualFold(c.Scheme, other.Scheme) && strings.Trim(rest, alphanumeric) == ""
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

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

// isNil reports a nil interface or a nil pointer, map or func inside one.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan, reflect.Interface:
		return rv.IsNil()
	}
	return false
}
