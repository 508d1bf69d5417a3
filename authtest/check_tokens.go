package authtest

import (
	"context"
	"strings"

	"github.com/gatewarden/auth"
)

// tokenChecks are about backends of tokens: what they own, and how they judge a
// bare one.
func tokenChecks() []check {
	return []check{
		{"OwnTokens names schemes", func(s *suite) {
			for _, class := range s.owned() {
				if !isToken(class.Scheme) {
					s.fault(nil, "the scheme %q of OwnTokens is not a token (RFC 9110 §5.6.2)", class.Scheme)
				}
			}
		}},
		{"OwnTokens has the prefix of every good token", each(inAuthorization, (*suite).checkOwned)},
		{"a token that is not among OwnTokens is ErrUnrecognized", each(inAuthorization, (*suite).checkForeign)},
		{"VerifyToken gives the answer of Authenticate", each(isAny, (*suite).checkVerifier)},
		{"VerifyToken does not prove an empty token", (*suite).checkEmptyToken},
	}
}

func (s *suite) owned() []auth.TokenClass {
	if owner, ok := auth.As[auth.TokenOwner](s.backend); ok {
		return owner.OwnTokens()
	}
	return nil
}

// owns reports whether a token is of a class, and whether there is a class of
// its scheme.
func (s *suite) owns(scheme, token string) (owned, speaks bool) {
	for _, class := range s.owned() {
		if strings.EqualFold(class.Scheme, scheme) {
			speaks = true
			owned = owned || strings.HasPrefix(token, class.Prefix)
		}
	}
	return owned, speaks
}

func (s *suite) checkOwned(p *probe) {
	scheme, token, _ := auth.Authorization(p.request())
	if owned, speaks := s.owns(scheme, token); speaks && !owned {
		s.fault(p, "want a prefix of its token among those of scheme %s, got %v", scheme, s.owned())
	}
}

// foreignToken has a prefix that no backend has.
const foreignToken = "authtest-token-of-another-backend"

func (s *suite) checkForeign(p *probe) {
	if _, ok := auth.As[auth.TokenOwner](s.backend); !ok {
		return
	}
	scheme, _, _ := auth.Authorization(p.request())
	if owned, _ := s.owns(scheme, foreignToken); owned {
		return
	}
	got := s.ask(p.withLines(scheme + " " + foreignToken))
	if got.panicked != nil || auth.KindOf(got.err) != auth.ErrUnrecognized {
		s.fault(p, "scheme %s with another backend's token: want ErrUnrecognized, got %v", scheme, got)
	}
}

// checkVerifier compares the two ways to judge a token, where the token is all
// that counts. Only a type assertion finds VerifyToken: it is no capability.
func (s *suite) checkVerifier(p *probe) {
	verifier, ok := s.backend.(auth.TokenVerifier)
	r := p.request()
	_, token, err := auth.Authorization(r)
	judged := p.good != nil || p.kind == auth.ErrInvalid || p.kind == auth.ErrUnrecognized
	if !ok || !judged || err != nil {
		return
	}
	if alone := s.ask(RequestWith("Authorization", r.Header.Get("Authorization"))()); !alone.is(p.first) {
		return // the answer depends on more than the token
	}
	if got := verify(verifier, token); !got.is(p.first) {
		s.fault(p, "Authenticate returned %v, VerifyToken returned %v", p.first, got)
	}
}

func (s *suite) checkEmptyToken() {
	verifier, ok := s.backend.(auth.TokenVerifier)
	if !ok {
		s.skipped = "the backend has no VerifyToken"
		return
	}
	if got := verify(verifier, ""); got.panicked != nil || got.err == nil {
		s.fault(nil, "want an error for an empty token, got %v", got)
	}
}

func verify(verifier auth.TokenVerifier, token string) answer {
	return askOf(func(token string) (auth.User, auth.Credential, error) {
		return verifier.VerifyToken(context.Background(), token)
	}, token)
}
