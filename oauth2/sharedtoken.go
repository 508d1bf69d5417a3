package oauth2

import (
	"sync/atomic"

	"github.com/gatewarden/auth/backend"
)

// SharedToken returns a copy of token, for a [Source] that returns the same one for many
// requests. A [Resource] keeps with it what it has found out, so that only the first of these
// requests pays for checks with an outcome that cannot change: its audience, type and holder, and the
// hash of its user's stamp. As any [Token], it must not be changed. A Token that was made
// otherwise is checked each time.
func SharedToken(token Token) *Token {
	s := &sharedToken{Token: token}
	s.Token.shared = s
	return &s.Token
}

// sharedToken is a Token with what Resources found out about it.
//
// It keeps the Resource that found nothing wrong with the token but, perhaps, its expiry: the
// first of the default name, and the first of another name with the copy under that name. Most
// programs have one Resource.
type sharedToken struct {
	accepted atomic.Pointer[Resource]
	named    atomic.Pointer[namedToken]
	stamp    backend.StampCache // for Token.Stamp
	Token
}

// namedToken is a copy of a token under the name of a Resource.
type namedToken struct {
	by    *Resource
	token *Token
}

// acceptedBy returns the token under the name of a, if a has accepted it, or nil.
func (s *sharedToken) acceptedBy(a *Resource) *Token {
	if s.accepted.Load() == a {
		return &s.Token
	}
	if n := s.named.Load(); n != nil && n.by == a {
		return n.token
	}
	return nil
}

// accept notes that a has accepted the token, which is token under the name of a.
func (s *sharedToken) accept(a *Resource, token *Token) {
	if token == &s.Token {
		s.accepted.CompareAndSwap(nil, a)
	} else if s.named.Load() == nil {
		s.named.CompareAndSwap(nil, &namedToken{a, token})
	}
}

// sharedState returns what is kept with t, or nil. A copy of a token copies the pointer too, and
// may have been changed.
func (t *Token) sharedState() *sharedToken {
	if s := t.shared; s != nil && &s.Token == t {
		return s
	}
	return nil
}
