package jwt

import (
	"cmp"
	"errors"
)

// Format is how tokens say what they are. The zero value is that of RFC 9068:
// the user in "sub", the identifier in "jti", and the kind in the header "typ".
type Format struct {
	// UserClaim names the user. Empty is "sub". If you change it while refresh tokens of another system are about, one
	// that was adopted and used before counts as new.
	UserClaim string
	// NumericUser writes identifiers of users that are whole numbers as JSON
	// numbers. Read are both, always.
	NumericUser bool
	// IDClaim is the token's identifier. Empty is "jti".
	IDClaim string
	// TypeClaim tells "access", "refresh" and "sliding" tokens apart. Empty is
	// by the header "typ" instead (RFC 8725 §3.11): "at+jwt", "refresh+jwt" and
	// "sliding+jwt". With a TypeClaim the header is "JWT", and not looked at.
	TypeClaim string
	// RefreshExpClaim is until when a sliding token can be refreshed. Empty is
	// "refresh_exp".
	RefreshExpClaim string
}

// SimpleJWT is the format of djangorestframework-simplejwt with its default
// settings: claims user_id and token_type.
func SimpleJWT() Format { return Format{UserClaim: "user_id", TypeClaim: "token_type"} }

func (f Format) withDefaults() (Format, error) {
	f.UserClaim = cmp.Or(f.UserClaim, "sub")
	f.IDClaim = cmp.Or(f.IDClaim, "jti")
	f.RefreshExpClaim = cmp.Or(f.RefreshExpClaim, "refresh_exp")
	names := map[string]bool{}
	for _, name := range []string{f.UserClaim, f.IDClaim, f.RefreshExpClaim, f.TypeClaim} {
		if names[name] || name != "sub" && name != "jti" && reserved[name] {
			return f, errors.New("the claim " + name + " is used for two things")
		}
		names[name] = name != ""
	}
	return f, nil
}

// reserved are claims that tokens of ours have, whatever the Format.
var reserved = map[string]bool{"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true,
	"jti": true,
	"sid": true, "gen": true, "stamp": true, "scope": true, "client_id": true, "auth_time": true, "amr": true,
	"acr": true}
