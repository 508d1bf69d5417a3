package oauth2

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

var errNoActive = errors.New("the answer has no active that is true or false (RFC 7662 §2.2)")

// answerRules are what the configuration says about answers.
type answerRules struct {
	issuer          string
	profile         *jwt.ProfileReader
	audienceMember  string // of the profile: stands for "aud", or ""
	clientClaims    []string
	allowNoAudience bool
	subjectMember   string
	allowUnverified bool
	machinePrefix   string
}

func newAnswerRules(c IntrospectionConfig) (answerRules, error) {
	profile, err := c.Profile.Reader()
	return answerRules{issuer: c.Issuer, profile: profile, audienceMember: c.Profile.AudienceClaim,
		clientClaims:    slices.Clone(c.Profile.ClientClaims),
		allowNoAudience: c.AllowNoAudience, subjectMember: cmp.Or(c.SubjectMember, "sub"),
		allowUnverified: c.AllowUnverifiedEmail, machinePrefix: c.MachinePrefix}, err
}

// read reads an answer (RFC 7662 §2.2). It returns ErrInvalid for a token that is not good, and any other error for
// an answer that decides nothing, which is one without active. ignored are optional members of another type, which are
// read as absent.
func (a *answerRules) read(text []byte, now time.Time) (token *Token, ignored []string, err error) {
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
	token = a.token(m, text)
	notBefore := m.requiredInstant("nbf")
	if m.fault == nil {
		m.fault = a.check(token, notBefore, now)
	}
	if m.fault != nil {
		return nil, m.ignored, errInvalid(m.fault)
	}
	return token, m.ignored, nil
}

// token returns the token that an answer describes. What refuses it is in m.fault.
func (a *answerRules) token(m *members, text []byte) *Token {
	m.checkKind()
	rights := a.rights(m, text)
	issuer, _ := m.identifier("iss")
	t := SharedToken(Token{Issuer: cmp.Or(issuer, a.issuer), ClientID: rights.ClientID, Scope: rights.Scopes,
		Username: m.text("username"), ID: m.text("jti"), Type: tokenType(m.text("token_type")),
		Expiry: m.requiredInstant("exp"), IssuedAt: m.instant("iat"), Claims: claimsIn(text),
		Auth: auth.AuthInfo{ACR: m.text("acr"), AMR: m.list("amr"), AuthTime: m.instant("auth_time")}})
	m.list("scope") // the profile has read it, and this tells of another type
	a.setAudience(t, m)
	a.setHolder(t, m, rights)
	var err error
	if t.Confirmation, err = confirmationOf(t.Claims["cnf"]); err != nil {
		m.unreadable("cnf", "of the answer is not an object with members")
	}
	if rights.Bound && t.Confirmation == nil {
		m.unreadable("the kind of the token",
			"says that it is bound to a key, and no proof of it can be checked here")
	}
	return t
}

// tokenType returns the type of a token by "token_type" (RFC 6749 §7.1). Some servers write "access_token" there, which
// is not a type: the token is then a bearer token.
func tokenType(typ string) string {
	if strings.EqualFold(typ, "access_token") {
		return "Bearer"
	}
	return typ
}

// setAudience sets for which APIs the token is.
func (a *answerRules) setAudience(t *Token, m *members) {
	t.Audience = m.audience()
	if len(t.Audience) == 0 && a.audienceMember != "" {
		if name, _ := m.identifier(a.audienceMember); name != "" {
			t.Audience = []string{name}
		}
	}
	if t.anyAudience = len(t.Audience) == 0; t.anyAudience && !a.allowNoAudience {
		m.refuse(&cause.Check{Name: "aud",
			Problem: "of the answer is missing, so it does not say that the token is for this API",
			Owner:   "IntrospectionConfig", Setting: "AllowNoAudience"})
	}
}

// check returns why a token that is active must not be used here, or nil.
func (a *answerRules) check(t *Token, notBefore, now time.Time) *cause.Check {
	switch {
	case a.issuer != "" && t.Issuer != a.issuer:
		return &cause.Check{Name: "iss of the answer", Came: []string{t.Issuer}, Want: []string{a.issuer},
			Owner: "IntrospectionConfig", Setting: "Issuer"}
	// What a server says is active it should know. But its clock is not ours.
	case !t.Expiry.IsZero() && !now.Before(t.Expiry):
		return failedInstant("exp", "of an active token is past, so a clock may be wrong,", now.Sub(t.Expiry))
	case notBefore.After(now.Add(introspectionLeeway)):
		return failedInstant("nbf", "of an active token is ahead of our clock", notBefore.Sub(now))
	}
	return nil
}

// failedInstant returns the cause of a token with an instant that is too early or too late by d.
func failedInstant(name, problem string, d time.Duration) *cause.Check {
	return &cause.Check{Name: name, Problem: problem, By: max(d.Truncate(time.Second), time.Second)}
}

// introspectionLeeway is how far the clock of the server may be ahead of ours.
const introspectionLeeway = 5 * time.Second
