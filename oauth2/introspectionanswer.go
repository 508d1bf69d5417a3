package oauth2

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

var errNoActive = errors.New("the answer has no active that is true or false (RFC 7662 §2.2)")

// answerRules are what the configuration says about answers.
type answerRules struct {
	issuer string
}

// read reads an answer (RFC 7662 §2.2). It returns ErrInvalid for a token that is not good, and any other error for
// an answer that decides nothing, which is one without active. odd are optional members of another type, which are
// read as absent.
func (a *answerRules) read(text []byte, now time.Time) (token *Token, odd []string, err error) {
	m, err := membersOf(text)
	if err != nil {
		return nil, nil, err
	}
	switch active, ok := m.flag("active"); {
	case !ok:
		return nil, nil, errNoActive
	case !active:
		return nil, nil, errInactive
	}
	token = a.token(m)
	token.Claims = claimsIn(text)
	notBefore := m.bound("nbf")
	if token.Confirmation, err = confirmationOf(token.Claims["cnf"]); err != nil {
		m.refuse("cnf", "of the answer is not an object with members")
	}
	if m.fault != nil {
		return nil, m.odd, invalid(m.fault)
	}
	if err := a.check(token, notBefore, now); err != nil {
		return nil, m.odd, err
	}
	return token, m.odd, nil
}

// token returns the token that an answer describes.
func (a *answerRules) token(m *members) *Token {
	issuer, _ := m.identifier("iss")
	subject, _ := m.identifier("sub")
	client, _ := m.identifier("client_id")
	t := SharedToken(Token{Issuer: cmp.Or(issuer, a.issuer), Subject: subject, ClientID: client,
		Username: m.text("username"), Audience: m.audience(), ID: m.text("jti"), Type: m.text("token_type"),
		Expiry: m.bound("exp"), IssuedAt: m.instant("iat"),
		Auth: auth.AuthInfo{ACR: m.text("acr"), AMR: m.list("amr"), AuthTime: m.instant("auth_time")}})
	for _, each := range m.list("scope") { // a string (RFC 7662 §2.2), or an array as some servers write
		t.Scope = append(t.Scope, strings.Fields(each)...)
	}
	return t
}

// check refuses a token that is active and yet not good here.
func (a *answerRules) check(t *Token, notBefore, now time.Time) error {
	switch {
	case a.issuer != "" && t.Issuer != a.issuer:
		return invalid(&cause.Check{Name: "iss of the answer", Came: []string{t.Issuer}, Want: []string{a.issuer},
			Owner: "IntrospectionConfig", Setting: "Issuer"})
	// What a server says is active it should know. But its clock is not ours.
	case !t.Expiry.IsZero() && !now.Before(t.Expiry):
		return offBy("exp", "of an active token is past, so a clock may be wrong,", now.Sub(t.Expiry))
	case notBefore.After(now.Add(maxEarly)):
		return offBy("nbf", "of an active token is ahead of our clock", notBefore.Sub(now))
	}
	return nil
}

// offBy refuses a token by an instant in the answer.
func offBy(name, problem string, d time.Duration) error {
	return invalid(&cause.Check{Name: name, Problem: problem, By: max(d.Truncate(time.Second), time.Second)})
}

// maxEarly is how far the server's clock may be ahead.
const maxEarly = 5 * time.Second
