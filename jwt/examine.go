package jwt

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// examine checks what a token says. Each cause of its refusals is a *cause.Check with
// a Name that can be told of a token that is not proved.
func (i *issuer) examine(u unverifiedToken, all []member, want wanted, now time.Time) (*Token, *refusal) {
	t := &Token{payload: u.payload, kind: otherKind}
	if wrong, problem := t.read(all, i.Format, i.reader.profile.Own); wrong != "" {
		return nil, saysInvalid.withCheck(i.cause(wrong, problem, ""))
	}
	if fault := i.checkTimes(all, t, now); fault != nil {
		return nil, fault
	}
	if fault := i.checkKind(u.header, all, t, want); fault != nil {
		return nil, fault
	}
	if fault := i.checkAudience(all, t); fault != nil {
		return nil, fault
	}
	if fault := i.checkRights(all, t); fault != nil {
		return nil, fault
	}
	if fault := i.checkTenant(all, t); fault != nil {
		return nil, fault
	}
	for _, name := range i.Checks.Require {
		if value := lookup(all, name); value == "" || value == "null" {
			return nil, saysInvalid.withCheck(i.cause(name, "is missing", "Checks.Require"))
		}
	}
	if fault := i.checkValues(all); fault != nil {
		return nil, fault
	}
	if i.own != nil {
		if fault := i.checkOwn(t); fault != nil {
			return nil, fault
		}
	}
	return t, nil
}

// checkTimes checks "exp", "iat" and "nbf" (RFC 7519 §4.1).
func (i *issuer) checkTimes(all []member, t *Token, now time.Time) *refusal {
	if expires := t.expires; !expires.IsZero() {
		if !now.Before(expires.Add(i.Checks.Leeway)) {
			return saysExpired.withCheck(i.off("exp", "is past", now.Sub(expires)))
		}
	} else if !i.Checks.AllowNoExpiry {
		setting := "Checks.AllowNoExpiry"
		if i.own != nil {
			setting = "" // the issuer has no such setting
		}
		return saysInvalid.withCheck(i.cause("exp", "is missing", setting))
	}
	latest := now.Add(i.early)
	if t.issued.After(latest) {
		return saysInvalid.withCheck(i.off("iat", "is ahead of our clock", t.issued.Sub(now)))
	}
	value := lookup(all, "nbf")
	if !isThere(value) {
		return nil
	}
	seconds, ok := secondsOf(value)
	if !ok {
		return saysInvalid.withCheck(i.cause("nbf", "is not a number of seconds since 1970", ""))
	}
	if from := time.Unix(seconds, 0); from.After(latest) {
		return saysInvalid.withCheck(i.off("nbf", "is ahead of our clock", from.Sub(now)))
	}
	return nil
}

// off returns the cause for an instant that is off by d. Like [issuer.cause] it is small enough to be inlined.
func (i *issuer) off(name, problem string, d time.Duration) *cause.Check {
	owner, setting := "Issuer", "Checks.Leeway"
	if i.own != nil {
		owner, setting = "Config", "Verify.Leeway"
	}
	// Seconds are all that a token says, and less than one must not read as nothing.
	return &cause.Check{Name: name, Problem: problem, Owner: owner, Setting: setting,
		By: max(d.Truncate(time.Second), time.Second)}
}

// checkKind finds out what a token is for.
func (i *issuer) checkKind(h *joseHeader, all []member, t *Token, want wanted) *refusal {
	switch {
	case i.own != nil || i.Format.TypeClaim != "":
		t.kind = i.Format.kindOf(h, all)
	default:
		t.kind = accessKind // as Types say
	}
	if i.types != nil && !slices.Contains(i.types, h.kind) {
		c := i.cause("typ", "", "Checks.Types")
		c.Came, c.Want = []string{h.typ}, i.types
		return saysType.withCheck(c)
	}
	if slices.Contains(want, t.kind) {
		if c := i.reader.checkKinds(all); c != nil {
			return saysType.withCheck(c)
		}
		return nil
	}
	c := i.cause("typ", "", "")
	c.Came, c.Want = []string{h.typ}, want.names(i.Format)
	if name := i.Format.TypeClaim; name != "" {
		said, _ := unquote(lookup(all, name))
		c.Name, c.Came = name, []string{said}
	}
	if t.kind == otherKind { // of another format, not a token of ours in the wrong place
		c.Setting = i.setting("Format")
	}
	return saysType.withCheck(c)
}

func (i *issuer) checkAudience(all []member, t *Token) *refusal {
	ours := i.Audience
	if i.own != nil && t.kind != accessKind {
		ours = i.own.audienceOf(t.kind)
	}
	if !isThere(lookup(all, "aud")) {
		if name := i.Profile.AudienceClaim; name != "" && len(ours) > 0 && isThere(lookup(all, name)) {
			return i.checkAudienceClaim(all, name, ours)
		}
		if i.Checks.AllowNoAudience {
			return nil
		}
		c := i.cause("aud", "is missing", "Checks.AllowNoAudience")
		c.Want = ours
		return saysInvalid.withCheck(c)
	}
	if !slices.ContainsFunc(t.audience, func(name string) bool { return slices.Contains(ours, name) }) {
		c := i.cause("aud", "", "Audience")
		c.Came, c.Want = t.audience, ours
		if c.Came == nil {
			c.Came = []string{}
		}
		return saysInvalid.withCheck(c)
	}
	return nil
}

// checkAudienceClaim checks the claim that stands for "aud".
func (i *issuer) checkAudienceClaim(all []member, name string, ours []string) *refusal {
	value := lookup(all, name)
	if says(value, func(text string) bool { return slices.Contains(ours, text) }) {
		return nil
	}
	c := i.cause(name, "", "Audience")
	c.Came, c.Want = []string{subjectOf(value)}, ours
	return saysInvalid.withCheck(c)
}

// checkOwn checks what tokens of ours have besides.
func (i *issuer) checkOwn(t *Token) *refusal {
	switch {
	case t.id == "":
		return saysNoID.withCheck(i.cause(i.Format.IDClaim, "is missing", ""))
	case t.sessionID == "" && t.generation < 0:
		if !i.own.Compat.AllowNoSession {
			return saysInvalid.withCheck(i.cause("sid", "is missing: something else made the token",
				"Compat.AllowNoSession"))
		}
	case t.sessionID == "" || t.generation < 0:
		return saysInvalid.withCheck(i.cause("sid", "or gen is missing, and the other is there", ""))
	}
	for _, scope := range t.scopes {
		if !slices.Contains(i.own.Scopes, scope) {
			c := i.cause("scope", "is not one of ours", "Scopes")
			c.Came = []string{scope}
			return saysInvalid.withCheck(c)
		}
	}
	return nil
}

// checkSubject refuses a proved token that names no user, or one that only a client may
// have.
func (i *issuer) checkSubject(t *Token) *refusal {
	switch {
	case t.subject == "":
		return saysNoUser.withCheck(i.cause(i.Format.UserClaim, "is missing or not an identifier", "Format"))
	case looksLikeMachine(t.subject):
		c := i.cause(i.Format.UserClaim, "starts as the identifier of a client (auth.Machine)", "")
		c.Came = []string{t.subject}
		return saysNoUser.withCheck(c)
	}
	return nil
}

// checkRevocable refuses a proved token of which a store of revocations could not know whether it is void, because
// its identifiers are longer than those that stores keep.
func (i *issuer) checkRevocable(t *Token) *refusal {
	if i.Revocations == nil {
		return nil
	}
	claimed := i.claimed(t)
	switch {
	case claimed.UserID != "" && !backend.ValidUserID(claimed.UserID):
		c := i.cause(i.Format.UserClaim, "is longer than 512 bytes, so the token could not be revoked", "Revocations")
		c.Came = []string{claimed.UserID}
		return saysNoUser.withCheck(c)
	case claimed.SessionID != "" && !backend.ValidID(claimed.SessionID):
		c := i.cause("sid", "is longer than 255 bytes, so the token could not be revoked", "Revocations")
		c.Came = []string{claimed.SessionID}
		return saysInvalid.withCheck(c)
	}
	return nil
}

// refusedClaims is the refusal of a proved token by the application.
func (i *issuer) refusedClaims(err error) *refusal {
	c := i.cause("the payload", "is refused", "Claims")
	c.Err = told{err}
	return saysInvalid.withCheck(c)
}

// told is an error for the log alone: errors.Is does not find it, because an outage that
// an application met must not look like one of this refusal.
type told struct{ err error }

func (t told) Error() string { return t.err.Error() }

// refusedUser puts what a loader says of the user of a proved token into the words of
// simplejwt. An error that is no ErrInvalid is returned as it is.
func (i *issuer) refusedUser(t *Token, setting string, err error) error {
	if auth.KindOf(err) != auth.ErrInvalid {
		return err
	}
	c := i.cause(i.Format.UserClaim, "is refused as a user", setting)
	c.Came, c.Err = []string{t.subject}, err
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return saysNotFound.withCheck(c)
	case errors.Is(err, auth.ErrUserInactive):
		return saysInactive.withCheck(c)
	}
	return restate(err, c)
}

// restate returns an ErrInvalid of an application with what it tells the client, and
// with the cause c.
func restate(err error, c *cause.Check) error {
	own := (*auth.Error)(nil)
	if !errors.As(err, &own) || own == nil {
		return &auth.Error{Kind: auth.ErrInvalid, Cause: c}
	}
	stated := *own
	stated.Kind, stated.Cause = auth.ErrInvalid, c
	return &stated
}

// otherAlgorithm returns the refusal of an "alg" that no key of the issuer may be used with.
// It does not print the "alg", as nothing is proved yet.
func (i *issuer) otherAlgorithm() *refusal {
	c := i.cause("alg", "of the header is not accepted", "Checks.Algorithms")
	for algorithm, accepted := range i.algorithms {
		if accepted {
			c.Want = append(c.Want, string(algorithm))
		}
	}
	slices.SortFunc(c.Want, strings.Compare)
	if i.own != nil {
		c.Setting = "Keys"
	}
	return saysInvalid.constant(c)
}
