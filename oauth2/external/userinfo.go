package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// addUserInfo adds what the userinfo endpoint tells of what was asked for, and the ID token lacks. If the endpoint
// cannot be asked, the login is an outage: without the address, Config.Accounts.ByEmail would not be asked, and
// Config.Accounts.NewUser could make a second account.
func (rp *relyingParty) addUserInfo(ctx context.Context, a *loginResult, claims map[string]any, subject string) error {
	if claims["email"] == nil {
		delete(claims, "email_verified") // of no address
	}
	lacks := rp.missingClaim(claims)
	if rp.Quirks.NoUserInfo || a.tokens.Access() == "" || a.endpoints.userInfo == "" || lacks == "" {
		return nil
	}
	more, err := rp.userInfo(ctx, a)
	switch {
	case isUntrusted(err):
		return err
	case err != nil:
		return fmt.Errorf("userinfo, which is asked because the ID token has no %s (see Scopes and Quirks.NoUserInfo "+
			"of %s): %w", lacks, rp.kind, err)
	case ID(more, "sub") != subject: // OpenID Connect Core §5.3.2
		return untrustedValue("userinfo is about another subject than the ID token", ID(more, "sub"), subject)
	}
	if _, ok := claims["email"]; ok && !sameText(more["email"], claims["email"]) {
		delete(more, "email_verified") // of another address
	}
	for name, value := range more {
		if _, ok := claims[name]; !ok { // what is signed counts
			claims[name] = value
		}
	}
	return nil
}

// missingClaim returns a claim that was asked for and is not there, or "".
func (rp *relyingParty) missingClaim(claims map[string]any) string {
	for _, each := range [][2]string{{"email", "email"}, {"email", "email_verified"}, {"profile", "name"}} {
		if scope, name := each[0], each[1]; slices.Contains(rp.scopes, scope) && claims[name] == nil {
			return name
		}
	}
	return ""
}

// sameText reports two texts that are equal. A claim may be a list or an object, which
// cannot be compared and is no address.
func sameText(a, b any) bool {
	one, ok := a.(string)
	other, also := b.(string)
	return ok && also && one == other
}

// withoutNull removes what is null: a claim without a value is not there (OpenID Connect Core §5.3.2).
func withoutNull(claims map[string]any) map[string]any {
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// typeJWT is the media type of signed userinfo.
const typeJWT = "application/jwt"

// userInfo asks about the owner of the access token (OpenID Connect Core §5.3). Aggregated and distributed claims
// (§5.6.2) are not read.
func (rp *relyingParty) userInfo(ctx context.Context, a *loginResult) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, rp.timeout)
	defer cancel()
	answer, err := rp.ask(ctx, a.endpoints.userInfo, a.tokens, typeJWT)
	if err != nil {
		return nil, err
	}
	if answer.MediaType == typeJWT {
		claims, err := rp.signedUserInfo(ctx, a, string(answer.Body))
		return withoutNull(claims), err
	}
	claims, err := decodeObject(answer.Body)
	if err != nil {
		return nil, untrusted("userinfo is no JSON object")
	}
	return withoutNull(claims), nil
}

var errEncrypted = errors.New("userinfo is encrypted or no JWT: register the client without " +
	"userinfo_encrypted_response_alg and userinfo_signed_response_alg")

// signedUserInfo verifies userinfo that the provider signed: it is of the same issuer as the ID token, and for this
// client (OpenID Connect Core §5.3.2).
func (rp *relyingParty) signedUserInfo(ctx context.Context, a *loginResult, text string) (map[string]any, error) {
	issuers := rp.issuers()
	if rp.Quirks.IssuerTemplate != "" {
		issuers = []string{unverifiedIssuer(a.tokens.id.Reveal())} // which was verified before
	}
	verifier, err := newVerifier(a.clients, rp.keys, issuers, func(i *jwt.Issuer) {
		i.Checks.AllowNoExpiry, i.Checks.Require = true, nil // exp and iat do not belong there
	})
	if err != nil {
		return nil, err
	}
	_, credential, err := verifier.VerifyToken(ctx, text)
	switch auth.KindOf(err) {
	case auth.ErrInvalid, auth.ErrMalformed:
		return nil, untrustedBy("userinfo is refused", rp.withConfigNames(err))
	case auth.ErrUnrecognized:
		return nil, untrustedBy("userinfo is refused", errors.Join(errEncrypted, err))
	}
	if err != nil {
		return nil, err
	}
	token, _ := auth.As[*jwt.Token](credential)
	claims, _ := jwt.ClaimsOf[map[string]any](token)
	return maps.Clone(claims), nil
}
