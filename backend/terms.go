package backend

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

var (
	errNotPrimary = insufficient("A token cannot be used to make another one.",
		"the request was proved by a credential that is not auth.Primary, such as a token. See auth.Config.Login for "+
			"the backends by which somebody logs in")
	errScopes = insufficient("The scopes exceed those of the credential presented.",
		"the request asks for a scope that its own credential does not have")
)

func insufficient(detail, why string) error {
	return &auth.Error{Kind: auth.ErrInsufficient, Detail: detail, Cause: errors.New(why)}
}

// Terms are the limits that a credential sets on one that is issued for it.
type Terms struct {
	AuthInfo     auth.AuthInfo // of the login that the new one stems from
	Scopes       []string      // all that it may have, if Limited
	Limited      bool
	MaxExpiresAt time.Time // the new one must not live longer, zero is no bound
}

// unknownEnd is the life of a credential that is issued for one with an unknown
// end.
const unknownEnd = time.Minute

// TermsOf returns the terms of a credential at now. One that is not
// [auth.Primary] allows nothing, which is auth.ErrInsufficient, unless allowToken
// is set. If it is, the new one ends when the presented one ends. A credential
// without [auth.Expirer], and a nil one, allow a life of a minute.
//
// A primary credential proves the user anew, so what is issued for it has an end
// of its own.
func TermsOf(credential auth.Credential, allowToken bool, now time.Time) (Terms, error) {
	primary, ok := auth.As[auth.Primary](credential)
	isPrimary := ok && primary.Primary()
	if !isPrimary && !allowToken {
		return Terms{}, errNotPrimary
	}
	t := Terms{Limited: credential != nil} // without Scoped, to nothing
	if scoped, ok := auth.As[auth.Scoped](credential); ok {
		t.Scopes, t.Limited = scoped.Scopes()
	}
	if informer, ok := auth.As[auth.AuthInformer](credential); ok {
		t.AuthInfo = informer.AuthInfo()
	}
	if isPrimary {
		return t, nil
	}
	t.MaxExpiresAt = now.Add(unknownEnd)
	if expirer, ok := auth.As[auth.Expirer](credential); ok {
		t.MaxExpiresAt = expirer.ExpiresAt()
	}
	return t, nil
}

// Narrow returns the scopes to give where these were asked for, and whether the new
// credential is limited to them. It never returns more than the terms allow: scopes
// beyond them are auth.ErrInsufficient. If no scope was asked for, it returns all
// that are allowed, unless limited is set: then the result allows nothing, as asked.
func (t Terms) Narrow(scopes []string, limited bool) ([]string, bool, error) {
	if !t.Limited {
		return scopes, limited, nil
	}
	if !limited && len(scopes) == 0 {
		return t.Scopes, true, nil
	}
	for _, scope := range scopes {
		if !slices.Contains(t.Scopes, scope) {
			return nil, true, errScopes
		}
	}
	return scopes, true, nil
}

// ValidScope reports whether scope is a scope-token (RFC 6749 §3.3).
func ValidScope(scope string) bool {
	return scope != "" && !strings.ContainsFunc(scope, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}
