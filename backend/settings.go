package backend

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Settings collects what is wrong with a configuration, so that one error tells
// of every mistake. Package must be set.
//
//	s := backend.Settings{Package: "knox"}
//	s.Need("Config.Store", config.Store)
//	s.Refuse(config.TTL < 0, "Config.TTL is negative")
//	if err := s.Err(); err != nil {
//		return nil, err
//	}
type Settings struct {
	Package string // starts each sentence
	faults  []error
}

// Need refuses a value that is missing: nil, a nil pointer, function, map, slice or
// channel in an interface, or "".
func (s *Settings) Need(name string, value any) {
	switch {
	case reflect.ValueOf(value).Kind() == reflect.Pointer && missing(value):
		s.Refuse(true, "%s is missing: it is a nil %T", name, value)
	case missing(value):
		s.Refuse(true, "%s is missing", name)
	}
}

// Optional refuses an interface that holds a nil pointer, function, map, slice or channel:
// it looks as if it were set, and calls of it panic. Nil itself is a setting left out.
func (s *Settings) Optional(name string, value any) {
	if value != nil && value != "" && missing(value) {
		s.Refuse(true, "%s is a nil %T in an interface. Leave it out, or set it", name, value)
	}
}

// Refuse adds a sentence if wrong is true. The sentence may wrap an error.
func (s *Settings) Refuse(wrong bool, format string, args ...any) {
	if wrong {
		s.faults = append(s.faults, fmt.Errorf(s.Package+": "+format, args...))
	}
}

// Add adds an error, if it is not nil, behind the name of a setting.
func (s *Settings) Add(name string, err error) {
	if err != nil {
		s.Refuse(true, "%s: %w", name, err)
	}
}

// Scopes refuses strings that are not scopes (RFC 6749 §3.3).
func (s *Settings) Scopes(name string, scopes []string) {
	for _, scope := range scopes {
		s.Refuse(!ValidScope(scope), "%s: %q is not a scope (RFC 6749 §3.3)", name, scope)
	}
}

// Schemes refuses schemes of the Authorization header that cannot carry tokens.
func (s *Settings) Schemes(name string, schemes []string) {
	for _, scheme := range schemes {
		s.Refuse(scheme == "" || strings.EqualFold(scheme, "Basic"), "%s: scheme %q cannot carry tokens", name, scheme)
	}
}

// Err returns all that was refused, one sentence a line, or nil.
func (s *Settings) Err() error { return errors.Join(s.faults...) }

func missing(value any) bool {
	if value == nil || value == "" {
		return true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return v.IsNil()
	}
	return false
}
