package authtest

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/gatewarden/auth"
)

// capabilityChecks are about the optional interfaces of a backend. All of them
// are looked up by auth.As, as a Guard does.
func capabilityChecks() []check {
	return []check{
		stable("Challenges", auth.Challenger.Challenges),
		stable("StripHeaders", auth.HeaderStripper.StripHeaders),
		stable("Vary", auth.Varier.Vary),
		stable("OwnTokens", auth.TokenOwner.OwnTokens),
		stable("Ambient", auth.Ambient.Ambient),
		stable("ReadsProxies", auth.ProxyReader.ReadsProxies),
		stable("Backend", auth.Named.Backend),
		{"a backend has a name that is not empty", func(s *suite) {
			if named, ok := auth.As[auth.Named](s.backend); ok && named.Backend() == "" {
				s.fault(nil, "want a name from Backend, got an empty string")
			}
		}},
		{"a challenge can be sent", (*suite).checkChallenges},
		{"a 401 has a challenge to send", ifAccepted(func(s *suite) {
			if len(s.challenges()) == 0 && len(s.cases.Challenges) == 0 {
				s.fault(nil, "the backend has no Challenges. Set Cases.Challenges to those of your auth.Config")
			}
		})},
		{"StripHeaders returns names of headers", func(s *suite) {
			s.checkNames("StripHeaders", s.stripped())
		}},
		{"Vary returns names of headers", func(s *suite) { s.checkNames("Vary", s.varies()) }},
		{"a backend that asks for the client's address says so by ReadsProxies", ifAccepted((*suite).checkProxies)},
	}
}

// stable makes the check that a capability says the same at each call. New asks
// once and believes it for the life of the Guard.
func stable[C, V any](method string, call func(C) V) check {
	return check{method + " returns the same at each call", func(s *suite) {
		capability, ok := auth.As[C](s.backend)
		if !ok {
			s.skipped = "the backend has no " + method
			return
		}
		if one, other := call(capability), call(capability); !reflect.DeepEqual(one, other) {
			s.fault(nil, "%s returned %v, and then %v", method, one, other)
		}
	}}
}

// challenges returns what the backend has of its own.
func (s *suite) challenges() []auth.Challenge {
	if challenger, ok := auth.As[auth.Challenger](s.backend); ok {
		return challenger.Challenges()
	}
	return nil
}

// stripped returns the headers that no handler may see.
func (s *suite) stripped() []string { return strippedBy(s.backend) }

func strippedBy(backend auth.Authenticator) []string {
	if stripper, ok := auth.As[auth.HeaderStripper](backend); ok {
		return stripper.StripHeaders()
	}
	return nil
}

// varies returns the headers that the answer may depend on.
func (s *suite) varies() []string {
	if varier, ok := auth.As[auth.Varier](s.backend); ok {
		return varier.Vary()
	}
	return []string{"Authorization", "Cookie"}
}

func (s *suite) checkChallenges() {
	for _, c := range s.challenges() {
		if fault := challengeFault(c); fault != "" {
			s.fault(nil, "%s", fault)
		}
	}
}

// challengeFault sends a challenge, reads it again, and returns what is wrong. The
// grammar is that of RFC 9110 §11.6.1, and a parameter may occur once (§11.2).
func challengeFault(c auth.Challenge) string {
	if !isToken(c.Scheme) {
		return fmt.Sprintf("the scheme %q of a challenge is not a token (RFC 9110 §5.6.2)", c.Scheme)
	}
	read, err := ParseChallenges(http.Header{"Www-Authenticate": {c.String()}})
	switch {
	case err != nil:
		return fmt.Sprintf("challenge %q cannot be read: %v", c, err)
	case len(read) != 1 || read[0].Scheme != c.Scheme || !slices.Equal(read[0].Params, c.Params):
		return fmt.Sprintf("challenge %+v is read as %+v", c, read)
	}
	return ""
}

// checkNames looks whether each name is a token (RFC 9110 §5.1).
func (s *suite) checkNames(method string, names []string) {
	for _, name := range names {
		if !isToken(name) {
			s.fault(nil, "%s returned %q, which cannot be the name of a header", method, name)
		}
	}
}

// isToken reports whether a scheme or the name of a header is a token (RFC 9110
// §5.6.2).
func isToken(name string) bool {
	p := parser{rest: name}
	return name != "" && p.token() == name
}

// watched is a context that remembers which keys it was asked for.
type watched struct {
	context.Context
	keys *[]any
}

func (c watched) Value(key any) any {
	*c.keys = append(*c.keys, key)
	return c.Context.Value(key)
}

// checkProxies finds out whether the backend calls auth.ClientIP or
// auth.ProxiesFrom: both ask the context for the same key. A Guard asks for it
// too, but only to put its own proxies there.
func (s *suite) checkProxies() {
	if reader, ok := auth.As[auth.ProxyReader](s.backend); ok && reader.ReadsProxies() {
		return
	}
	if _, ok := auth.As[*auth.Guard](s.backend); ok {
		return
	}
	var wanted []any
	auth.ProxiesFrom(watched{context.Background(), &wanted})
	for _, p := range s.sound(isAny) {
		var keys []any
		r := p.request()
		s.ask(r.WithContext(watched{r.Context(), &keys}))
		if len(wanted) > 0 && slices.Contains(keys, wanted[0]) {
			s.fault(p, "the backend asks for the proxies, and has no ReadsProxies that returns true")
		}
	}
}
