package authtest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// credentialChecks are about what a credential says of itself.
func credentialChecks() []check {
	return []check{
		{"a credential has the name of its backend", each(isGood, (*suite).checkCredentialName)},
		{"scopes are scope-tokens", each(isGood, (*suite).checkScopeTokens)},
		{"a credential is limited as the case says", each(isGood, (*suite).checkLimits)},
		{"a good credential has not expired", each(isGood, (*suite).checkExpiry)},
		{"a login is not in the future", each(isGood, (*suite).checkLogin)},
		{"a machine's credential is not primary", each(isGood, (*suite).checkPrimary)},
		{"a header that a credential or an error sets can be sent", each(isAny, (*suite).checkSetHeaders)},
	}
}

// checkCredentialName compares with the name of the backend if it has one.
func (s *suite) checkCredentialName(p *probe) {
	if p.first.credential == nil {
		return
	}
	got := p.first.credential.Backend()
	if named, ok := auth.As[auth.Named](s.backend); ok && got != named.Backend() {
		s.fault(p, "want a credential of backend %q, got one of %q", named.Backend(), got)
	} else if got == "" {
		s.fault(p, "want the name of a backend, got an empty string")
	}
}

// scopesOf returns what a credential is limited to, as policies see it.
func scopesOf(credential auth.Credential) (scopes []string, limited bool) {
	if credential == nil {
		return nil, false
	}
	if scoped, ok := auth.As[auth.Scoped](credential); ok {
		return scoped.Scopes()
	}
	return nil, true
}

// checkScopeTokens holds scopes against the grammar of RFC 6749 §3.3.
func (s *suite) checkScopeTokens(p *probe) {
	scopes, _ := scopesOf(p.first.credential)
	for _, scope := range scopes {
		if scope == "" || strings.ContainsFunc(scope, func(c rune) bool {
			return c <= ' ' || c == '"' || c == '\\' || c > '~'
		}) {
			s.fault(p, "scope %q is no scope-token (RFC 6749 §3.3)", scope)
			return
		}
	}
}

func (s *suite) checkLimits(p *probe) {
	scopes, limited := scopesOf(p.first.credential)
	want := p.good.Limited || len(p.good.Scopes) > 0
	_, says := auth.As[auth.Scoped](p.first.credential)
	switch {
	case limited && !want && !says:
		s.fault(p, "want full access, but %T has no method Scopes, so it is limited to nothing", p.first.credential)
	case limited != want:
		s.fault(p, "want a credential with limited %t, got %t", want, limited)
	case limited && !slices.Equal(sorted(scopes), sorted(p.good.Scopes)):
		s.fault(p, "want a credential limited to %q, got %q", p.good.Scopes, scopes)
	}
}

func sorted(scopes []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

func (s *suite) checkExpiry(p *probe) {
	expirer, ok := auth.As[auth.Expirer](p.first.credential)
	if !ok {
		return
	}
	if ends := expirer.ExpiresAt(); !ends.IsZero() && ends.Before(s.now()) {
		s.fault(p, "want a zero ExpiresAt or one in the future, got %v", ends)
	}
}

// clockSkew is how much the clock of the server that saw the login may be ahead.
const clockSkew = 5 * time.Minute

func (s *suite) checkLogin(p *probe) {
	informer, ok := auth.As[auth.AuthInformer](p.first.credential)
	if !ok {
		return
	}
	if at := informer.AuthInfo().AuthTime; at.After(s.now().Add(clockSkew)) {
		s.fault(p, "want an AuthTime in the past, got %v", at)
	}
}

func (s *suite) checkPrimary(p *probe) {
	primary, ok := auth.As[auth.Primary](p.first.credential)
	if ok && primary.Primary() && isMachine(p.first.user) {
		s.fault(p, "want Primary to be false, since no person proved an identity")
	}
}

// checkSetHeaders looks at headers as RFC 9110 §5.5 does.
func (s *suite) checkSetHeaders(p *probe) {
	h := http.Header{}
	if setter, ok := auth.As[auth.HeaderSetter](p.first.credential); ok {
		setter.SetHeaders(h)
	}
	if setter, ok := findError[auth.HeaderSetter](p.first.err); ok {
		setter.SetHeaders(h)
	}
	for name, lines := range h {
		if !isToken(name) {
			s.fault(p, "SetHeaders sets %q, which cannot be the name of a header", name)
			return
		}
		for _, line := range lines {
			if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				s.fault(p, "SetHeaders sets %s to %q, which has control characters", name, line)
				return
			}
		}
	}
}
