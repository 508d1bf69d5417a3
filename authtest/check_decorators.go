package authtest

import (
	"strings"

	"github.com/gatewarden/auth"
)

// unwrapChecks are about Unwrap, by which capabilities are found.
func unwrapChecks() []check {
	return []check{
		{"Unwrap of a backend comes to an end", func(s *suite) {
			if !ends[auth.Authenticator](s.backend) {
				s.fault(nil, "Unwrap of %T leads on and on", s.backend)
			}
		}},
		{"Unwrap of a credential comes to an end", each(isGood, func(s *suite, p *probe) {
			if !ends[auth.Credential](p.first.credential) {
				s.fault(p, "Unwrap of %T leads on and on", p.first.credential)
			}
		})},
		{"Unwrap of a user comes to an end", each(isGood, func(s *suite, p *probe) {
			if !ends[auth.User](p.first.user) {
				s.fault(p, "Unwrap of %T leads on and on", p.first.user)
			}
		})},
	}
}

// maxWrapped is how far auth.As looks.
const maxWrapped = 100

// ends reports whether Unwrap leads to a value without it.
func ends[T any](v any) bool {
	for range maxWrapped {
		wrapper, ok := v.(interface{ Unwrap() T })
		if !ok {
			return true
		}
		v = wrapper.Unwrap()
	}
	return false
}

// decoratorChecks are about what a decorator keeps of the backend inside it.
func decoratorChecks() []check {
	return []check{
		{"a decorator has every capability of what it wraps", ifAccepted((*suite).checkKept)},
		{"a decorator strips every header that what it wraps strips", ifAccepted((*suite).checkKeptStripping)},
		{"a decorator's credential has every capability of the one inside", each(isGood, (*suite).checkKeptCredential)},
	}
}

// wrapped returns the backend inside, or nil.
func (s *suite) wrapped() auth.Authenticator {
	if s.cases.Wraps != nil {
		return s.cases.Wraps
	}
	if wrapper, ok := s.backend.(interface{ Unwrap() auth.Authenticator }); ok {
		return wrapper.Unwrap()
	}
	return nil
}

// capability is an optional interface, by name.
type capability struct {
	name string
	of   func(v any) bool
}

func canDo[C any](name string) capability {
	return capability{name, func(v any) bool { _, ok := auth.As[C](v); return ok }}
}

func (s *suite) checkKept() {
	inner := s.wrapped()
	if isNil(inner) {
		s.skipped = "the backend is no decorator"
		return
	}
	lost := lost(inner, s.backend, canDo[auth.Challenger]("Challenges"), canDo[auth.Named]("Backend"),
		canDo[auth.TokenOwner]("OwnTokens"), canDo[auth.Conflicter]("Conflict"), canDo[auth.Ambient]("Ambient"),
		canDo[auth.HeaderStripper]("StripHeaders"), canDo[auth.Varier]("Vary"), canDo[auth.ProxyReader]("ReadsProxies"),
		canDo[auth.Revoker]("RevokeOthers"))
	if lost != "" {
		s.fault(nil, "%T has %s and %T has not. Add a method Unwrap() auth.Authenticator or use auth.Wrap",
			inner, lost, s.backend)
	}
}

// lost returns the names of capabilities that inner has and outer has not.
func lost(inner, outer any, all ...capability) string {
	var names []string
	for _, c := range all {
		if c.of(inner) && !c.of(outer) {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

func (s *suite) checkKeptStripping() {
	inner := s.wrapped()
	if isNil(inner) {
		s.skipped = "the backend is no decorator"
		return
	}
	for _, name := range strippedBy(inner) {
		if !has(s.stripped(), name) {
			s.fault(nil, "%T strips %s, and the decorator strips %q", inner, name, s.stripped())
		}
	}
}

func (s *suite) checkKeptCredential(p *probe) {
	inner := s.wrapped()
	if isNil(inner) || p.first.credential == nil {
		return
	}
	got := askOf(inner.Authenticate, p.request())
	if !got.proves() || isNil(got.credential) {
		return
	}
	lost := lost(got.credential, p.first.credential, canDo[auth.Scoped]("Scopes"), canDo[auth.Ambient]("Ambient"),
		canDo[auth.Primary]("Primary"), canDo[auth.AuthInformer]("AuthInfo"), canDo[auth.Expirer]("ExpiresAt"),
		canDo[auth.HeaderSetter]("SetHeaders"))
	if lost != "" {
		s.fault(p, "%T has %s and %T has not. Add a method Unwrap() auth.Credential",
			got.credential, lost, p.first.credential)
	}
}
