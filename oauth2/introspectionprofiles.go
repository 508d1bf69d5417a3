package oauth2

import "github.com/gatewarden/auth/jwt"

// DjangoOAuthToolkit is the profile of the introspection endpoint of django-oauth-toolkit. Its answers have "username"
// for the user and no "sub", "aud" and "iss", so it is used with
//
//	Profile:         oauth2.DjangoOAuthToolkit(),
//	SubjectMember:   "username",
//	AllowNoAudience: true,
//
// A token without "username" was issued to the application itself, so it is a machine's. The endpoint describes access
// tokens only.
func DjangoOAuthToolkit() jwt.Profile {
	return jwt.Profile{
		RequireOneOf: []string{"client_id"},
		ScopeClaims:  []string{"scope"},
		ClientClaims: []string{"client_id"},
		Machines:     []jwt.Mark{{Without: []string{"username"}}},
	}
}

// Duende is the profile of the introspection endpoint of Duende IdentityServer and IdentityServer4. A token without
// "sub" was issued to the client itself, so it is a machine's. The tokens of users always have a "sub". Where a client
// is set up to have one in its own tokens, and that is the "client_id", the token is a machine's, too (RFC 9068 §5).
func Duende() jwt.Profile {
	return jwt.Profile{
		RequireOneOf: []string{"client_id"},
		ScopeClaims:  []string{"scope"},
		ClientClaims: []string{"client_id"},
		Machines:     []jwt.Mark{{Without: []string{"sub"}}, {Claim: "sub", Of: []string{"client_id"}}},
	}
}
