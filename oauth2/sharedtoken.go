package oauth2

import (
	"sync/atomic"

	"github.com/gatewarden/auth/backend"
)

// SharedToken returns a copy of token, for a [Source] that returns the same one for many
// requests. A [Resource] keeps with it what it has found out, so that only the first of these
// requests pays for checks whose outcome cannot change: its audience, type and holder, and the
// hash of its user's stamp. As any [Token], it must not be changed. A Token that was made
// otherwise is checked each time.
func SharedToken(token Token) *Token {
	s := &sharedToken{Token: token}
	s.Token.shared = s
	return &s.Token
}

// sharedToken is a Token with what Resources found out about it.
type sharedToken struct {
	Token
	accepted atomic.Pointer[acceptance]
	stamp    backend.StampMemo // for Token.Stamp
}

// acceptance says that a Resource found nothing wrong with a token but, perhaps, its expiry.
type acceptance struct {
	by    *Resource
	token *Token // under the name of the Resource
}

// own returns what is kept with t, or nil. Whoever copies a token copies the pointer too, and
// may have changed the copy.
func (t *Token) own() *sharedToken {
	if s := t.shared; s != nil && &s.Token == t {
		return s
	}
	return nil
}
