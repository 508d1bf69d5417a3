package auth

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// nests reports whether a backend asks others in turn, itself or through decorators.
func nests(backend Authenticator) bool {
	_, guard := As[*Guard](backend)
	_, list := As[chain](backend)
	return guard || list
}

// decoratorChain returns a backend and what it decorates, outermost first.
func decoratorChain(backend Authenticator) []Authenticator {
	var all []Authenticator
	for range maxWrapped {
		if isNil(backend) {
			break
		}
		all = append(all, backend)
		wrapper, ok := backend.(interface{ Unwrap() Authenticator })
		if !ok {
			break
		}
		backend = wrapper.Unwrap()
	}
	return all
}

// expand returns the backends that are asked in the end: those of chains and
// guards in place of these, also where they are decorated.
func expand(backends []Authenticator) []Authenticator {
	var all []Authenticator
	for _, backend := range backends {
		switch inner := innermost(backend).(type) {
		case chain:
			all = append(all, expand(inner)...)
		case *Guard:
			all = append(all, expand(inner.config.Backends)...)
		default:
			all = append(all, backend)
		}
	}
	return all
}

func innermost(backend Authenticator) Authenticator {
	all := decoratorChain(backend)
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// wraps reports whether backend is other, or decorates it.
func wraps(backend, other Authenticator) bool {
	return slices.ContainsFunc(decoratorChain(backend), func(layer Authenticator) bool { return same(layer, other) })
}

// checkBackend refuses nil, and a decorator that loses capabilities.
func checkBackend(backend Authenticator) error {
	if isNil(backend) {
		return errors.New("is nil")
	}
	for _, layer := range decoratorChain(backend) {
		if w, ok := layer.(*wrapped); ok && (isNil(w.inner) || w.AuthenticatorFunc == nil) {
			return errors.New("is made by auth.Wrap of a nil backend or function")
		}
		if err := checkHeld(layer); err != nil {
			return err
		}
	}
	if inner, ok := innermost(backend).(chain); ok {
		for i, each := range inner {
			if err := checkBackend(each); err != nil {
				return fmt.Errorf("is a chain, whose backend %d %w", i, err)
			}
		}
	}
	return nil
}

// checkHeld refuses a backend that holds others in its fields, unless it unwraps to
// the only one, or unwraps to nil.
func checkHeld(backend Authenticator) error {
	switch backend.(type) {
	case *Guard, chain, *wrapped: // which New looks into
		return nil
	}
	if embedsGuard(reflect.ValueOf(backend), maxNested) {
		return fmt.Errorf("is of type %T, which embeds a *Guard, and so says of its own proofs what the guard says "+
			"of its own. Hold the guard in a named field", backend)
	}
	fields, several := heldIn(reflect.ValueOf(backend))
	wrapper, unwraps := backend.(interface{ Unwrap() Authenticator })
	switch {
	case len(fields) == 0, unwraps && len(fields) == 1 && !several, unwraps && isNil(wrapper.Unwrap()):
		return nil
	case unwraps:
		return fmt.Errorf("is of type %T, which holds backends in %s and unwraps to one of them only: the headers "+
			"that the other one strips, and its other capabilities, would be lost. Hold one auth.Chain of them "+
			"instead, or return nil from Unwrap if it is not a decorator", backend, strings.Join(fields, " and "))
	}
	return fmt.Errorf("is of type %T, which holds an Authenticator in its field %s and has no method "+
		"Unwrap() auth.Authenticator: the headers that it strips, its challenges and its other capabilities could be "+
		"lost. Return it from Unwrap, use auth.Wrap, or return nil from Unwrap if this is not a decorator",
		backend, fields[0])
}

// embedsGuard reports whether a value has the methods of a *Guard that it embeds, at most
// depth values deep.
func embedsGuard(v reflect.Value, depth int) bool {
	v = dereference(v)
	if v.Kind() != reflect.Struct || depth == 0 {
		return false
	}
	for i := range v.NumField() {
		if !maybeGuard(v.Type().Field(i)) {
			continue
		}
		inner := dereference(v.Field(i))
		if inner.IsValid() && inner.Type() == reflect.TypeFor[Guard]() || embedsGuard(inner, depth-1) {
			return true
		}
	}
	return false
}

// maybeGuard reports whether a field is embedded and could give its struct the methods of a
// guard. An interface without the method Ambient has no method of a guard.
func maybeGuard(field reflect.StructField) bool {
	return field.Anonymous &&
		(field.Type.Kind() != reflect.Interface || field.Type.Implements(reflect.TypeFor[Ambient]()))
}

// dereference returns what is behind the pointers and interfaces of a value.
func dereference(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

var authenticatorType = reflect.TypeFor[Authenticator]()

// heldIn returns the names of the fields in which a value holds backends, and whether
// one of them is a list of several.
func heldIn(v reflect.Value) (names []string, several bool) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		return heldInFields(v, maxNested)
	case reflect.Slice, reflect.Array, reflect.Map:
		if holdsAuthenticator(v.Type().Elem()) {
			return []string{"its elements"}, v.Len() > 1
		}
	}
	return nil, false
}

// maxNested is how deep structs in structs are looked into: they may be circular.
const maxNested = 8

// heldInFields looks into the fields of a struct, and depth structs deep: a struct of
// options may point to itself.
func heldInFields(v reflect.Value, depth int) (names []string, several bool) {
	if depth == 0 {
		return nil, false
	}
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		if isHeld, isSeveral := holdsBackend(field); isHeld {
			names, several = append(names, name), several || isSeveral
			continue
		}
		field = optionsIn(v, i)
		if field.Kind() != reflect.Struct {
			continue
		}
		inner, isSeveral := heldInFields(field, depth-1)
		several = several || isSeveral
		for _, each := range inner {
			names = append(names, name+"."+each)
		}
	}
	return names, several
}

// holdsBackend reports whether a field itself holds backends, and whether it has several.
func holdsBackend(field reflect.Value) (held, several bool) {
	if holdsAuthenticator(field.Type()) {
		return true, isList(field.Kind()) && field.Len() > 1
	}
	if !isAnyField(field.Type()) {
		return false, false
	}
	value := field.Elem()
	return value.IsValid() && holdsAuthenticator(value.Type()), false
}

// optionsIn returns field i of a struct, without the interface or pointer around it if a
// struct of options could be in there.
func optionsIn(v reflect.Value, i int) reflect.Value {
	field, embedded := v.Field(i), v.Type().Field(i).Anonymous
	if isAnyField(field.Type()) {
		field = field.Elem()
	}
	if field.Kind() == reflect.Pointer && (embedded || hasBackendField(field.Type().Elem(), v.Type())) {
		field = field.Elem()
	}
	return field
}

// isAnyField reports whether t is any, or another interface without methods.
func isAnyField(t reflect.Type) bool { return t.Kind() == reflect.Interface && t.NumMethod() == 0 }

func isList(kind reflect.Kind) bool {
	return kind == reflect.Slice || kind == reflect.Array || kind == reflect.Map
}

// hasBackendField reports whether t is a struct of the same package as owner, with a
// field of an interface type that includes Authenticator. A struct with fields of
// concrete types alone, such as a whole application, does not count.
func hasBackendField(t, owner reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == owner.PkgPath() && hasInterfaceField(t)
}

// hasInterfaceField reports whether a struct has a field of an interface type that includes
// Authenticator.
func hasInterfaceField(t reflect.Type) bool {
	for i := range t.NumField() {
		if field := t.Field(i).Type; field.Kind() == reflect.Interface && field.Implements(authenticatorType) {
			return true
		}
	}
	return false
}

// holdsAuthenticator reports whether code could call Authenticate through a value of type t:
// a backend, a pointer to one, a list or a table of them or of structs with them, or a
// function that returns one. An interface without that method, such as TokenVerifier, does
// not count, whatever is in it, and an AuthenticatorFunc does not either: it has no
// capability that could be lost.
func holdsAuthenticator(t reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[AuthenticatorFunc]():
		return false
	case isAuthenticator(t):
		return true
	case isList(t.Kind()):
		return elementsHoldAuthenticator(t.Elem())
	case t.Kind() == reflect.Func:
		for i := range t.NumOut() {
			if t.Out(i).Implements(authenticatorType) {
				return true
			}
		}
	}
	return false
}

// elementsHoldAuthenticator is holdsAuthenticator of a list's elements, which may also be
// structs that hold a backend, or pointers to such structs.
func elementsHoldAuthenticator(elem reflect.Type) bool {
	inner := elem
	if inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	if inner.Kind() != reflect.Struct {
		return holdsAuthenticator(elem)
	}
	return hasInterfaceField(inner) || isAuthenticator(inner)
}

// isAuthenticator reports whether t or a pointer to it is an Authenticator.
func isAuthenticator(t reflect.Type) bool {
	return t.Implements(authenticatorType) || reflect.PointerTo(t).Implements(authenticatorType)
}

// maybeSame reports two backends of one type of which same cannot tell whether they are one.
func maybeSame(a, b Authenticator) bool {
	if va, vb := reflect.ValueOf(a), reflect.ValueOf(b); va.Kind() == reflect.Func && vb.Kind() == reflect.Func &&
		va.Pointer() != vb.Pointer() {
		return false // their code is another
	}
	return a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && !same(a, b) &&
		!(reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable())
}

// same reports whether a and b are one backend. Values that cannot be compared
// with == are one if they look the same.
func same(a, b Authenticator) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Type() != vb.Type() {
		return false
	}
	if va.Comparable() && vb.Comparable() {
		return a == b
	}
	return va.Kind() != reflect.Func && reflect.DeepEqual(a, b)
}
