package oauth2

import (
	"errors"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// detailInvalid is the one sentence for whatever is wrong with a token. What it is, the
// cause says to the log.
const detailInvalid = "Invalid token."

func invalid(why error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: detailInvalid, Cause: why}
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
	errNoToken  = unrecognized(errors.New("the token is empty, or longer than a header may be"))
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

// causes are why each source of a Resource does not know a token.
type causes []error

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

// cause names the settings of [JWTConfig], or the arguments of [RequireBearerToken], for
// those of package jwt.
func (j *JWT) cause(err error) error {
	why := causeOf(err)
	check, ok := why.(*cause.Check)
	if !ok {
		return why
	}
	switch check.Setting {
	case "Types", "Algorithms", "Leeway":
		return check.Under("JWTConfig", check.Setting)
	case "Require":
		return check.Under("JWTConfig", "AllowMissing")
	case "Audience", "Issuer":
		if name := j.arguments[check.Setting]; name != "" {
			return check.Under("RequireBearerToken", name)
		}
		return check.Under("JWTConfig", check.Setting)
	}
	return check.Under("", "") // which JWTConfig does not have
}
