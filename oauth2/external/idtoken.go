package external

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// inOwnTerms returns why a verifier refused an ID token, with the setting of the provider in place of the verifier's.
func (o relyingParty) inOwnTerms(err error) error {
	var check *cause.Check
	switch {
	case !errors.As(err, &check):
		return err
	case check.Name == "aud":
		return check.Under(o.kind, "ClientID")
	}
	return check.Under("", "")
}

var errIssuer = errors.New("the iss of the ID token is another one")

// otherIssuer refuses an ID token of another issuer. If the provider has signed it, both issuers are shown.
func (o relyingParty) otherIssuer(ctx context.Context, p *provider, keys jwt.KeySource, idToken string,
	why error) error {
	set, err := keys.Current(ctx, time.Now())
	if err != nil {
		return untrustedBy("the ID token is refused, and whether the provider signed it is not known", why)
	}
	if _, _, err := jwt.Open(set, idToken); err != nil {
		return untrustedBy("the ID token is refused, and the provider did not sign it", why)
	}
	return &errAnswer{cause.Reason{Check: "the iss of the ID token is another issuer", Came: unverifiedIssuer(idToken),
		Want: []string{p.iss}, See: "Issuer of the provider"}}
}

// checkIDToken checks what a Verifier does not know.
func checkIDToken(token *jwt.Token, claims map[string]any, idToken string, a *answer) error {
	nonce, _ := claims["nonce"].(string)
	party, _ := claims["azp"].(string)
	switch {
	case a.attempt.Nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(a.attempt.Nonce)) != 1:
		return untrusted("the ID token has another nonce, or none")
	case (claims["azp"] != nil || len(token.Audience()) > 1) && !slices.Contains(a.clients, party):
		return untrustedValue("the azp of the ID token is missing or another client", party, a.clients...)
	case claims["at_hash"] != nil && a.tokens.Access() != "" && claims["at_hash"] != halfHash(idToken, a.tokens.access.Reveal()):
		return untrusted("the ID token is not of this access token (at_hash)")
	}
	if maxAge := a.attempt.MaxAge; maxAge != nil {
		at := token.AuthInfo().AuthTime
		if at.IsZero() || a.now.Sub(at) > time.Duration(*maxAge)*time.Second+leeway {
			return untrustedBy("the login at the provider is older than the max_age, or has no auth_time",
				&oldLogin{at, *maxAge})
		}
	}
	return nil
}

// oldLogin is how old a login at a provider is.
type oldLogin struct {
	at     time.Time
	maxAge int
}

// Error returns both.
func (e *oldLogin) Error() string {
	if e.at.IsZero() {
		return fmt.Sprintf("auth_time is missing, max_age is %d s", e.maxAge)
	}
	return fmt.Sprintf("auth_time is %s, max_age is %d s", e.at.UTC().Format(time.RFC3339), e.maxAge)
}
