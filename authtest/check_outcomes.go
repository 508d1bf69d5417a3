package authtest

import (
	"fmt"
	"strings"

	"github.com/gatewarden/auth"
)

// outcomeChecks are about what Authenticate returns: a user, or an error of the
// right kind.
func outcomeChecks() []check {
	return []check{
		{"the cases have a backend, a good request, and new requests at each call", (*suite).checkCases},
		{"Authenticate does not panic", each(isAny, func(s *suite, p *probe) {
			if p.first.panicked != nil {
				s.fault(p, "want an answer, got %v", p.first)
			}
		})},
		{"an error is never a nil pointer", each(isAny, func(s *suite, p *probe) {
			if p.first.err != nil && isNil(p.first.err) {
				s.fault(p, "want a nil error or a real one, got %v", p.first)
			}
		})},
		{"without an error there is a user", each(isAny, func(s *suite, p *probe) {
			if p.first.err == nil && p.first.user == nil {
				s.fault(p, "want a user or an error, got %v", p.first)
			}
		})},
		{"a user is never a nil pointer", each(isAny, func(s *suite, p *probe) {
			if p.first.user != nil && isNil(p.first.user) {
				s.fault(p, "want a real user, got a nil %T", p.first.user)
			}
		})},
		{"a credential is never a nil pointer", each(isAny, func(s *suite, p *probe) {
			if p.first.credential != nil && isNil(p.first.credential) {
				s.fault(p, "want nil or a real credential, got a nil %T", p.first.credential)
			}
		})},
		{"with an error there is no user and no credential", each(isAny, func(s *suite, p *probe) {
			if p.first.err != nil && (p.first.user != nil || p.first.credential != nil) {
				s.fault(p, "want only an error, got user %v and credential %v too", p.first.user, p.first.credential)
			}
		})},
		{"a good request is proved", each(isGood, func(s *suite, p *probe) {
			if p.first.err != nil {
				s.fault(p, "want user %q, got %v: %v", p.good.User, p.first, p.first.err)
			}
		})},
		{"only a good request is proved", each(isNotGood, func(s *suite, p *probe) {
			if p.first.err == nil {
				s.fault(p, "want %s, got %v", kindName(p.kind), p.first)
			}
		})},
		{"a bad credential is never taken for an absent one", each(isBad, func(s *suite, p *probe) {
			if auth.KindOf(p.first.err) == auth.ErrNoCredentials {
				s.fault(p, "want %s, got %v, and the request would go on as anonymous", kindName(p.kind), p.first)
			}
		})},
		{"a request without headers is ErrNoCredentials", each(isNamed(bareProbe), (*suite).checkKind)},
		{"another scheme in Authorization is ErrNoCredentials", each(isNamed(schemeProbe), (*suite).checkKind)},
		{"an absent credential is ErrNoCredentials", each(isAbsent, (*suite).checkKind)},
		{"an invalid credential is ErrInvalid", each(isOf(auth.ErrInvalid), (*suite).checkKind)},
		{"a malformed credential is ErrMalformed", each(isOf(auth.ErrMalformed), (*suite).checkKind)},
		{"a token of another backend is ErrUnrecognized", each(isOf(auth.ErrUnrecognized), (*suite).checkKind)},
		{"too many tries are ErrThrottled", each(isOf(auth.ErrThrottled), (*suite).checkKind)},
		{"an outage has no kind", each(isOf(nil), (*suite).checkKind)},
		{"a UserID is never empty", each(isGood, func(s *suite, p *probe) {
			if p.first.user.UserID() == "" {
				s.fault(p, "want UserID %q, got an empty one", p.good.User)
			}
		})},
		{`only a Machine has a UserID that starts with "client:"`, each(isGood, func(s *suite, p *probe) {
			if id := p.first.user.UserID(); strings.HasPrefix(id, "client:") && !isMachine(p.first.user) {
				s.fault(p, "want an auth.Machine for UserID %q, got a %T", id, p.first.user)
			}
		})},
		{"the user is the expected one", each(isGood, func(s *suite, p *probe) {
			if id := p.first.user.UserID(); id != p.good.User {
				s.fault(p, "want UserID %q, got %q", p.good.User, id)
			}
		})},
		{"an error tells the client nothing of what it sent", each(isNotGood, (*suite).checkEcho)},
	}
}

func isNotGood(p *probe) bool { return p.good == nil }

// isNamed matches one of the requests that every backend is asked about.
func isNamed(name string) func(*probe) bool {
	return func(p *probe) bool { return p.name == name }
}

// checkKind looks whether the error says what the request is, and nothing else.
func (s *suite) checkKind(p *probe) {
	if got := auth.KindOf(p.first.err); got != p.kind {
		s.fault(p, "want %s, got %v: %v", kindName(p.kind), p.first, p.first.err)
	}
}

// kindName returns how a kind is called in code.
func kindName(kind error) string {
	switch kind {
	case auth.ErrNoCredentials:
		return "ErrNoCredentials"
	case auth.ErrInvalid:
		return "ErrInvalid"
	case auth.ErrMalformed:
		return "ErrMalformed"
	case auth.ErrUnrecognized:
		return "ErrUnrecognized"
	case auth.ErrThrottled:
		return "ErrThrottled"
	}
	return "an error without a kind"
}

func isMachine(user auth.User) bool {
	if _, ok := auth.As[auth.Machine](user); ok {
		return true
	}
	_, ok := auth.As[*auth.Machine](user)
	return ok
}

// minEcho is from which length on a value in an answer is not there by chance.
const minEcho = 6

// checkEcho looks for a header of the request in what a client is told.
func (s *suite) checkEcho(p *probe) {
	stated, ok := findError[*auth.Error](p.first.err)
	if !ok {
		return
	}
	told := []string{stated.Detail, fmt.Sprint(stated.Extensions)}
	for _, param := range stated.Params {
		told = append(told, param.Value)
	}
	r := p.request()
	for name, lines := range r.Header {
		for _, line := range lines {
			sent := line
			if name == "Authorization" {
				_, sent, _ = auth.Authorization(r)
			}
			if sent = strings.TrimSpace(sent); len(sent) < minEcho {
				continue
			}
			for _, text := range told {
				if strings.Contains(text, sent) {
					s.fault(p, "the value of %s is in %q", name, text)
					return
				}
			}
		}
	}
}
