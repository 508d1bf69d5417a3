package authtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// outcomeChecks are about what Authenticate returns: a user, or an error of the
// right kind.
func outcomeChecks() []check {
	return slices.Concat([]check{
		{"the cases have a backend, a good request, and new requests at each call", (*suite).checkCases},
	}, resultChecks(), kindChecks(), userChecks(), []check{
		{"an error tells the client nothing of what it sent", each(isNotGood, (*suite).checkEcho)},
	})
}

// resultChecks are about which of the three results of Authenticate are set.
func resultChecks() []check {
	return []check{
		{"Authenticate does not panic", each(isAny, (*suite).checkPanic)},
		{"an error is never a nil pointer", each(isAny, (*suite).checkNilError)},
		{"without an error there is a user", each(isAny, (*suite).checkUserOrError)},
		{"a user is never a nil pointer", each(isAny, (*suite).checkNilUser)},
		{"a credential is never a nil pointer", each(isAny, (*suite).checkNilCredential)},
		{"with an error there is no user and no credential", each(isAny, (*suite).checkErrorAlone)},
	}
}

// kindChecks are about which requests have an error, and of which kind.
func kindChecks() []check {
	return []check{
		{"a good request is proved", each(isGood, (*suite).checkProved)},
		{"only a good request is proved", each(isNotGood, (*suite).checkNotProved)},
		{"a bad credential is never taken for an absent one", each(isBad, (*suite).checkNotAbsent)},
		{"a request without headers is ErrNoCredentials", each(isNamed(bareProbe), (*suite).checkKind)},
		{"another scheme in Authorization is ErrNoCredentials", each(isNamed(schemeProbe), (*suite).checkKind)},
		{"an absent credential is ErrNoCredentials", each(isAbsent, (*suite).checkKind)},
		{"an invalid credential is ErrInvalid", each(isOf(auth.ErrInvalid), (*suite).checkKind)},
		{"a malformed credential is ErrMalformed", each(isOf(auth.ErrMalformed), (*suite).checkKind)},
		{"a token of another backend is ErrUnrecognized", each(isOf(auth.ErrUnrecognized), (*suite).checkKind)},
		{"too many tries are ErrThrottled", each(isOf(auth.ErrThrottled), (*suite).checkKind)},
		{"an outage has no kind", each(isOf(nil), (*suite).checkKind)},
	}
}

// userChecks are about the user of a good request.
func userChecks() []check {
	return []check{
		{"a UserID is never empty", each(isGood, (*suite).checkEmptyUserID)},
		{`only a Machine has a UserID that starts with "client:"`, each(isGood, (*suite).checkMachineID)},
		{"the user is the expected one", each(isGood, (*suite).checkUser)},
	}
}

func (s *suite) checkPanic(p *probe) {
	if p.first.panicked != nil {
		s.fault(p, "want an answer, got %v", p.first)
	}
}

func (s *suite) checkNilError(p *probe) {
	if p.first.err != nil && isNil(p.first.err) {
		s.fault(p, "want a nil error or a real one, got %v", p.first)
	}
}

func (s *suite) checkUserOrError(p *probe) {
	if p.first.err == nil && p.first.user == nil {
		s.fault(p, "want a user or an error, got %v", p.first)
	}
}

func (s *suite) checkNilUser(p *probe) {
	if p.first.user != nil && isNil(p.first.user) {
		s.fault(p, "want a real user, got a nil %T", p.first.user)
	}
}

func (s *suite) checkNilCredential(p *probe) {
	if p.first.credential != nil && isNil(p.first.credential) {
		s.fault(p, "want nil or a real credential, got a nil %T", p.first.credential)
	}
}

func (s *suite) checkErrorAlone(p *probe) {
	if p.first.err != nil && (p.first.user != nil || p.first.credential != nil) {
		s.fault(p, "want only an error, got user %v and credential %v too", p.first.user, p.first.credential)
	}
}

func (s *suite) checkProved(p *probe) {
	if p.first.err != nil {
		s.fault(p, "want user %q, got %v: %v", p.good.User, p.first, p.first.err)
	}
}

func (s *suite) checkNotProved(p *probe) {
	if p.first.err == nil {
		s.fault(p, "want %s, got %v", kindName(p.kind), p.first)
	}
}

func (s *suite) checkNotAbsent(p *probe) {
	if auth.KindOf(p.first.err) == auth.ErrNoCredentials {
		s.fault(p, "want %s, got %v, and the request would go on as anonymous", kindName(p.kind), p.first)
	}
}

func (s *suite) checkEmptyUserID(p *probe) {
	if p.first.user.UserID() == "" {
		s.fault(p, "want UserID %q, got an empty one", p.good.User)
	}
}

func (s *suite) checkMachineID(p *probe) {
	if id := p.first.user.UserID(); strings.HasPrefix(id, "client:") && !isMachine(p.first.user) {
		s.fault(p, "want an auth.Machine for UserID %q, got a %T", id, p.first.user)
	}
}

func (s *suite) checkUser(p *probe) {
	if id := p.first.user.UserID(); id != p.good.User {
		s.fault(p, "want UserID %q, got %q", p.good.User, id)
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

// checkEcho looks for the value of a header of the request in what the client gets to read.
func (s *suite) checkEcho(p *probe) {
	stated, ok := findError[*auth.Error](p.first.err)
	if !ok {
		return
	}
	texts := []string{stated.Detail, fmt.Sprint(stated.Extensions)}
	for _, param := range stated.Params {
		texts = append(texts, param.Value)
	}
	for name, values := range sentValues(p.request()) {
		for _, value := range values {
			if i := slices.IndexFunc(texts, func(text string) bool { return strings.Contains(text, value) }); i >= 0 {
				s.fault(p, "the value of %s is in %q", name, texts[i])
				return
			}
		}
	}
}

// sentValues returns the values of each header of r, without those that are too short to look
// for. That of Authorization is without its scheme.
func sentValues(r *http.Request) map[string][]string {
	all := make(map[string][]string)
	for name, lines := range r.Header {
		for _, line := range lines {
			if name == "Authorization" {
				_, line, _ = auth.Authorization(r)
			}
			if line = strings.TrimSpace(line); len(line) >= minEcho {
				all[name] = append(all[name], line)
			}
		}
	}
	return all
}
