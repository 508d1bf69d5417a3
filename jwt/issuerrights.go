package jwt

import (
	"fmt"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// readProfile reads the profile of the issuer, once.
func (i *issuer) readProfile(s *backend.Settings) {
	reader, err := i.Profile.reader(i.Format.UserClaim)
	s.Add(fmt.Sprintf("issuer %q: Profile", i.Issuer.Issuer), err)
	i.reader, i.Profile = reader, reader.profile
	if i.Checks.Types == nil && i.Format.TypeClaim == "" {
		i.Checks.Types = reader.profile.Types
	}
	i.noScopes = hintsOf(&reader.profile)
}

// checkRights reads what a token may do, and for which user or machine.
func (i *issuer) checkRights(all []member, t *Token) *refusal {
	rights, c := i.reader.read(all)
	switch {
	case c != nil:
		return saysNoUser.withCheck(c)
	case rights.Bound && !i.AllowBoundTokens:
		return saysInvalid.withCheck(i.cause("cnf",
			"or the kind of the token binds it to a key, so it is no bearer token", i.unlessOwn("AllowBoundTokens")))
	case rights.Limited && i.own != nil && i.own.Scopes == nil:
		return i.limitedToken(all)
	}
	t.scopes, t.clientID, t.machine = rights.Scopes, rights.ClientID, rights.Machine
	t.limited = rights.Limited || !i.Profile.Own && !i.AllowFullAccess
	if t.limited && len(t.scopes) == 0 {
		t.unscoped = i.noScopes.of(t)
	}
	if t.machine == "" && i.isUnverified(t.subject, rights.Email) {
		c := i.cause(i.Format.UserClaim,
			"is an address, and the issuer does not say in email and email_verified that it "+
				"is the user's", "AllowUnverifiedEmail")
		c.Came = []string{t.subject}
		return saysNoUser.withCheck(c)
	}
	return nil
}

// isUnverified reports a user claim that is an address of which the issuer does not say that it is the user's. Whatever
// is in "email" is one (OpenID Connect Core §5.7). A "sub"
// is the issuer's own identifier, whatever it looks like (RFC 7519 §4.1.2).
func (i *issuer) isUnverified(subject, verified string) bool {
	return i.Format.UserClaim != "sub" && !i.Profile.Own && !i.AllowUnverifiedEmail &&
		(i.Format.UserClaim == "email" || strings.ContainsAny(subject, atSigns)) && subject != verified
}

// atSigns are the characters that mail programs and readers take for an "@".
const atSigns = "@\uff20\ufe6b"

// limitedToken refuses a token that is limited where the configuration expects tokens
// with full access.
func (i *issuer) limitedToken(all []member) *refusal {
	name := "scope"
	if lookup(all, name) == "" {
		name = "client_id"
	}
	return saysInvalid.withCheck(i.cause(name, "is there, so the token does not have full access", "Scopes"))
}

// unlessOwn returns the name of a setting that Config has not.
func (i *issuer) unlessOwn(setting string) string {
	if i.own != nil {
		return ""
	}
	return setting
}
