package oauth2

import (
	"errors"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/internal/memo"
)

// detailInvalid is the sentence that clients get for every token that is refused. The cause is for the log.
const detailInvalid = "Invalid token."

// errInvalid returns the error for a token that a source knows, and that is not valid.
func errInvalid(why error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: why}
}

// errFailedCheck is errInvalid for a check that failed. It copies c, so that it allocates only once.
func errFailedCheck(c *cause.Check) error {
	r := &struct {
		auth.Error
		check cause.Check
	}{check: *c}
	r.Error = auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: &r.check}
	return &r.Error
}

// errUnrecognized returns the error for a token that a source does not know.
func errUnrecognized(why error) error {
	return &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: why}
}

// The refusals that are the same for each token.
var (
	errTwoTokens error = &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest,
		Detail: "The token must be sent in one way only.",
		Cause:  errors.New("the request has a token in two places, or twice in its form (RFC 6750 §2)")}
	errFormToken error = &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest,
		Cause: errors.New("access_token of the form is not a token (RFC 6750 §2.1)")}

	errInactive = errInvalid(errors.New("introspection says that the token is not active: unknown, expired or revoked"))
	errNoToken  = errUnrecognized(errors.New("the token is empty, or longer than IntrospectionConfig.Limits.MaxLength"))
	errNotOwned = errUnrecognized(errors.New("IntrospectionConfig.Owns says that the token is of another server"))
	errNoHolder = errInvalid(errors.New("the token has no subject and no client_id"))
	errStamp    = errInvalid(errors.New("the user's stamp is another one than when the token was issued"))
)

// causeOf returns why err refuses a token.
func causeOf(err error) error {
	if stated, ok := err.(*auth.Error); ok && stated != nil && stated.Cause != nil {
		return stated.Cause
	}
	return err
}

// uniformError returns the error that clients get for a token that cannot be used: the same code and detail each time,
// with the cause of err. kind is ErrInvalid or ErrUnrecognized. If err is such an error already, it is returned as it
// is, so that no memory is allocated.
func uniformError(err, kind error) error {
	if stated, ok := err.(*auth.Error); ok && isUniform(stated, kind) {
		return err
	}
	if kind == auth.ErrInvalid {
		return errInvalid(causeOf(err))
	}
	return errUnrecognized(causeOf(err))
}

// isUniform reports whether an error has the kind, and what errInvalid or errUnrecognized would tell clients.
func isUniform(e *auth.Error, kind error) bool {
	return e.Kind == kind && e.Code == auth.CodeInvalidToken && e.Detail == detailInvalid &&
		e.Status == 0 && e.RetryAfter == 0 && e.Params == nil && e.Extensions == nil && e.Cause != nil
}

// unrecognizedErrors are the refusals of a token that sources do not recognize, in their order.
type unrecognizedErrors struct {
	first unrecognizedKey
	n     int     // how many there are in first
	rest  []error // after those
}

// unrecognizedKey are the refusals of up to three sources.
type unrecognizedKey [3]*auth.Error

// add adds the refusal of the next source.
func (u *unrecognizedErrors) add(err error) {
	if stated, ok := err.(*auth.Error); ok && stated != nil && u.n < len(u.first) && u.rest == nil {
		u.first[u.n] = stated
		u.n++
		return
	}
	u.rest = append(u.rest, err)
}

// joined returns the error of the Resource for a token that no source recognizes. If the sources return the same errors
// again, as they do for garbage, it is the same error, from memo.
func (u *unrecognizedErrors) joined(memo *memo.Memo[unrecognizedKey, error]) error {
	switch {
	case u.rest != nil:
		return errUnrecognized(causesOf(u.first[:u.n], u.rest))
	case u.n == 1:
		return uniformError(u.first[0], auth.KindOf(u.first[0]))
	}
	return memo.Get(u.first, func(key unrecognizedKey) error {
		n := slices.Index(key[:], nil)
		if n < 0 {
			n = len(key)
		}
		return errUnrecognized(causesOf(key[:n], nil))
	})
}

// causes are why each source of a Resource does not know a token.
type causes []error

func causesOf(first []*auth.Error, rest []error) (all causes) {
	for _, err := range first {
		all = append(all, causeOf(err))
	}
	for _, err := range rest {
		all = append(all, causeOf(err))
	}
	return all
}

// Error returns the causes, one after the other.
func (c causes) Error() string {
	text := ""
	for i, why := range c {
		if i > 0 {
			text += "; "
		}
		text += why.Error()
	}
	return text
}

// failedClaim returns the cause of a token with a claim that failed a check. name is the setting of [Config] to look
// at, or "".
func failedClaim(check, problem, name string) *cause.Check {
	return &cause.Check{Name: check, Problem: problem, Owner: "Config", Setting: name}
}

// What to look at if a token is for another audience. The names of a second API must not go into the list of the
// first one, because each token would then be good at both.
const (
	ownNames        = ", which is for names of this same API only. Another API needs a Resource and a guard of its own"
	anotherAudience = "Resource and Config.Audience" + ownNames
)

// cause names the settings of [JWTConfig], or the arguments of [RequireBearerToken], for
// those of package jwt.
func (j *JWT) cause(err error) error {
	why := causeOf(err)
	check, ok := why.(*cause.Check)
	if !ok {
		return why
	}
	if name := j.arguments[check.Setting]; name == "profile" {
		return check.Under("RequireBearerTokenOf", name)
	} else if name != "" {
		return check.Under("RequireBearerToken", name)
	}
	if name := settingsOfJWT[check.Setting]; name != "" {
		return check.Under("JWTConfig", name)
	}
	return check.Under("", "") // which JWTConfig does not have
}

// settingsOfJWT are the settings of [JWTConfig] for those of jwt.Issuer.
var settingsOfJWT = map[string]string{
	"Checks.Types":         "Checks.Types and JWTConfig.Profile",
	"Checks.Require":       "Checks.AllowMissing and JWTConfig.Profile",
	"Checks.Algorithms":    "Checks.Algorithms",
	"Checks.Leeway":        "Checks.Leeway",
	"Issuer":               "Issuer",
	"Audience":             "Audience" + ownNames,
	"Profile":              "Profile",
	"Format":               "UserClaim",
	"AllowUnverifiedEmail": "AllowUnverifiedEmail",
	"Shared.RequireValues": "Shared.RequireValues",
	"Shared.Tenants":       "Shared.Tenants",
}
