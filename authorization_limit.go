package auth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
)

// maxLongAuthorization is the largest Config.MaxAuthorization.
const maxLongAuthorization = 64 << 10

// authorizationLimitKey is the context key for the longest Authorization value that a Guard accepts. Only
// requests with a longer header than MaxAuthorization have one.
type authorizationLimitKey struct{}

// checkMaxAuthorization checks Config.MaxAuthorization and sets its default.
func (c *Config) checkMaxAuthorization() error {
	c.MaxAuthorization = cmp.Or(c.MaxAuthorization, MaxAuthorization)
	if c.MaxAuthorization < MaxAuthorization || c.MaxAuthorization > maxLongAuthorization {
		return fmt.Errorf("auth: Config.MaxAuthorization is not within 8 KiB and 64 KiB: %d", c.MaxAuthorization)
	}
	return nil
}

// withAuthorizationLimit returns r with the longest Authorization value that the Guard accepts,
// if the value of r is longer than
// MaxAuthorization. What another Guard around this one accepts does not count.
func (g *Guard) withAuthorizationLimit(r *http.Request, length int) *http.Request {
	if length <= MaxAuthorization {
		return r
	}
	around, _ := r.Context().Value(authorizationLimitKey{}).(int)
	if around == g.config.MaxAuthorization || around == 0 && length > g.config.MaxAuthorization {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), authorizationLimitKey{}, g.config.MaxAuthorization))
}

// isTooLong reports an Authorization value that is longer than is read of this request.
func isTooLong(r *http.Request, length int) bool {
	if length <= MaxAuthorization { // as nearly all are
		return false
	}
	most, _ := r.Context().Value(authorizationLimitKey{}).(int)
	return length > most
}

// authorization is [Authorization] of a request that the Guard has been asked about.
func (g *Guard) authorization(r *http.Request) (scheme, value string, err error) {
	if lines := r.Header["Authorization"]; len(lines) == 1 {
		r = g.withAuthorizationLimit(r, len(lines[0]))
	}
	return Authorization(r)
}
