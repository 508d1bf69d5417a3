package oauth2

import (
	"errors"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/internal/memo"
)

// detailInvalid is the one sentence for whatever is wrong with a token. What it is, the
// cause says to the log.
const detailInvalid = "Invalid token."

func invalid(why error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: why}
}

// failed is invalid for a check that failed. It copies c, so that it allocates only once.
func failed(c *cause.Check) error {
	r := &struct {
		auth.Error
		check cause.Check
	}{check: *c}
	r.Error = auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: &r.check}
	return &r.Error
}

func unrecognized(why error) error {
	return &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: why}
}

// The refusals that are the same for each token.
var (
	errTwoTokens error = &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest,
		Detail: "The token must be sent in one way only.",
		Cause:  errors.New("the request has a token in two places, or twice in its form (RFC 6750 §2)")}
	errFormToken error = &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest,
		Cause: errors.New("access_token of the form is not a token (RFC 6750 §2.1)")}

	errInactive = invalid(errors.New("introspection says that the token is not active: unknown, expired or revoked"))
	errNoToken  = unrecognized(errors.New("the token is empty, or longer than IntrospectionConfig.MaxLength"))
	errNotOwned = unrecognized(errors.New("IntrospectionConfig.Owns says that the token is of another server"))
	errNoHolder = invalid(errors.New("the token has neither a subject nor a client_id"))
	errStamp    = invalid(errors.New("the user's stamp is another one than when the token was issued"))
)

// causeOf returns why err refuses a token.
func causeOf(err error) error {
	if stated, ok := err.(*auth.Error); ok && stated != nil && stated.Cause != nil {
		return stated.Cause
	}
	return err
}

// restated returns err with what clients read of a token of this kind, ErrInvalid or
// ErrUnrecognized. An err that says that already is returned as it is.
func restated(err, kind error) error {
	stated, ok := err.(*auth.Error)
	if ok && stated.Kind == kind && stated.Code == auth.CodeInvalidToken && stated.Detail == detailInvalid &&
		stated.Status == 0 && stated.RetryAfter == 0 && stated.Params == nil && stated.Extensions == nil &&
		stated.Cause != nil {
		return err
	}
	if kind == auth.ErrInvalid {
		return invalid(causeOf(err))
	}
	return unrecognized(causeOf(err))
}

// unrecognizedBy are the refusals of a token that sources do not recognize, in their order.
type unrecognizedBy struct {
	first unrecognizedKey
	n     int     // how many there are in first
	rest  []error // after those
}

// unrecognizedKey are the refusals of up to three sources.
type unrecognizedKey [3]*auth.Error

// add adds the refusal of the next source.
func (u *unrecognizedBy) add(err error) {
	if stated, ok := err.(*auth.Error); ok && stated != nil && u.n < len(u.first) && u.rest == nil {
		u.first[u.n] = stated
		u.n++
		return
	}
	u.rest = append(u.rest, err)
}

// refusal returns the refusal of the Resource. It is the same one, kept in made, each time
// that the sources return the same ones, as they do for garbage.
func (u *unrecognizedBy) refusal(made *memo.Memo[unrecognizedKey, error]) error {
	switch {
	case u.rest != nil:
		return unrecognized(causesOf(u.first[:u.n], u.rest))
	case u.n == 1:
		return restated(u.first[0], auth.KindOf(u.first[0]))
	}
	return made.Get(u.first, func(key unrecognizedKey) error {
		n := slices.Index(key[:], nil)
		if n < 0 {
			n = len(key)
		}
		return unrecognized(causesOf(key[:n], nil))
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

// setting makes a cause with the name of a setting of [Config].
func setting(check, problem, name string) *cause.Check {
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
	"Types":                "Types and JWTConfig.Profile",
	"Require":              "AllowMissing and JWTConfig.Profile",
	"Algorithms":           "Algorithms",
	"Leeway":               "Leeway",
	"Issuer":               "Issuer",
	"Audience":             "Audience" + ownNames,
	"Profile":              "Profile",
	"Format":               "UserClaim",
	"AllowUnverifiedEmail": "AllowUnverifiedEmail",
	"RequireValues":        "RequireValues",
	"Tenants":              "Tenants",
}
