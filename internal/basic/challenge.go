package basic

import "github.com/gatewarden/auth"

// Challenge returns the challenge of RFC 7617 §2.1, which asks for UTF-8.
func Challenge(realm string) auth.Challenge {
	return auth.Challenge{Scheme: "Basic", Params: []auth.Param{{Name: "realm", Value: realm},
		{Name: "charset", Value: "UTF-8"}}}
}
