package external

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// leeway is how much a provider's clock and ours may differ.
const leeway = time.Minute

// newVerifier returns a Verifier of what a provider signs for clients. Each of change may change its issuers.
func newVerifier(clients []string, keys jwt.KeySource, issuers []string, change ...func(*jwt.Issuer)) (*jwt.Verifier,
	error) {
	config := jwt.VerifierConfig{CacheSize: -1, MaxLength: maxToken}
	for _, name := range issuers {
		issuer := jwt.Issuer{
			Issuer: name, Audience: clients, Keys: keys,
			Checks: jwt.TokenChecks{Types: []string{"JWT", ""}, Leeway: leeway, Require: []string{"iat"}},
			// What else a provider puts there is not ours to forbid. No machine of it is looked at.
			AllowBoundTokens: true, MachinePrefix: "idp:",
			Profile: jwt.Profile{ClientClaims: []string{}, Machines: []jwt.Mark{}}, // a login is a user's
			User:    jwt.SubjectUser, Claims: func(payload []byte) (any, error) { return decodeObject(payload) },
		}
		for _, each := range change {
			each(&issuer)
		}
		config.Issuers = append(config.Issuers, issuer)
	}
	return jwt.NewVerifier(config)
}

// bindKeys holds keys to the issuers that they name.
func (rp *relyingParty) bindKeys(issuer *jwt.Issuer) {
	issuer.Profile.KeyIssuers = rp.Quirks.KeyIssuers
	issuer.Shared.AllowKeysWithoutIssuer = rp.Quirks.AllowKeysWithoutIssuer
}

// verify checks the ID token of a login (OpenID Connect Core §3.1.3.7).
func (rp *relyingParty) verify(ctx context.Context, a *loginResult) (*jwt.Token, map[string]any, error) {
	token, claims, err := rp.verifySigned(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	return token, claims, checkIDToken(token, claims, a)
}

// verifySigned checks what holds for every ID token that comes from the token endpoint, and no more.
func (rp *relyingParty) verifySigned(ctx context.Context, a *loginResult) (*jwt.Token, map[string]any, error) {
	idToken := a.tokens.id.Reveal()
	if idToken == "" {
		return nil, nil, untrusted("there is no ID token")
	}
	issuers := rp.issuers()
	if rp.Quirks.IssuerTemplate != "" {
		// Which issuer to hold the token to is all that is read before the signature is
		// checked.
		iss := unverifiedIssuer(idToken)
		if !rp.isIssuer(iss) {
			return nil, nil, rp.otherIssuer(ctx, idToken, errIssuer)
		}
		issuers = []string{iss}
	}
	verifier, err := newVerifier(a.clients, rp.keys, issuers, rp.bindKeys)
	if err != nil {
		return nil, nil, err
	}
	_, credential, err := verifier.VerifyToken(ctx, idToken)
	switch auth.KindOf(err) {
	case auth.ErrInvalid, auth.ErrMalformed:
		return nil, nil, untrustedBy("the ID token is refused", rp.withConfigNames(err))
	case auth.ErrUnrecognized:
		return nil, nil, rp.otherIssuer(ctx, idToken, err)
	}
	if err != nil {
		return nil, nil, err
	}
	token, ok := auth.As[*jwt.Token](credential)
	if !ok {
		return nil, nil, errors.New("oauth2/external: a verifier returned another credential than a *jwt.Token")
	}
	claims, _ := jwt.ClaimsOf[map[string]any](token)
	return token, withoutNull(maps.Clone(claims)), nil
}

// withConfigNames returns the error of a verifier with the name of the setting of the provider, in place of that of the
// verifier.
func (rp *relyingParty) withConfigNames(err error) error {
	var check *cause.Check
	switch {
	case !errors.As(err, &check):
		return err
	case check.Name == "aud":
		return check.Under(rp.kind, "ClientID")
	}
	return check.Under("", "")
}

var errIssuer = errors.New("the iss of the ID token is another one")

// otherIssuer refuses an ID token of another issuer. If the provider has signed it, both issuers are shown.
func (rp *relyingParty) otherIssuer(ctx context.Context, idToken string, why error) error {
	set, err := rp.keys.Current(ctx, time.Now())
	if err != nil {
		return untrustedBy("the ID token is refused, and whether the provider signed it is not known", why)
	}
	if _, _, err := jwt.Open(set, idToken); err != nil {
		return untrustedBy("the ID token is refused, and the provider did not sign it", why)
	}
	return &untrustedError{cause.Reason{Check: "the iss of the ID token is another issuer",
		Came: unverifiedIssuer(idToken),
		Want: []string{rp.iss}, See: "Issuer of the provider"}}
}

// checkIDToken checks what a Verifier does not know.
func checkIDToken(token *jwt.Token, claims map[string]any, a *loginResult) error {
	nonce, _ := claims["nonce"].(string)
	if a.attempt.Nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(a.attempt.Nonce)) != 1 {
		return untrusted("the ID token has another nonce, or none")
	}
	if err := checkParties(token, claims, a); err != nil {
		return err
	}
	if maxAge := a.attempt.MaxAge; maxAge != nil {
		at := checkedAuthInfo(token.AuthInfo(), a.now).AuthTime
		if at.IsZero() || a.now.Sub(at) > time.Duration(*maxAge)*time.Second+leeway {
			return untrustedBy("the login at the provider is older than the max_age, or has no auth_time",
				&oldLoginError{at, *maxAge})
		}
	}
	return nil
}

// checkParties checks for which client and with which access token an ID token was made.
func checkParties(token *jwt.Token, claims map[string]any, a *loginResult) error {
	party := ID(claims, "azp")
	_, text := claims["azp"].(string)
	named := text || party != "" // a value of another type does not count
	switch {
	case (named || len(token.Audience()) > 1) && !slices.Contains(a.clients, party):
		return untrustedValue("the azp of the ID token is missing or another client", party, a.clients...)
	case claims["at_hash"] != nil && a.tokens.Access() != "" &&
		claims["at_hash"] != halfHash(a.tokens.id.Reveal(), a.tokens.access.Reveal()):
		return untrusted("the ID token is not of this access token (at_hash)")
	}
	return nil
}

// oldLoginError says that a login at a provider is older than max_age.
type oldLoginError struct {
	at     time.Time
	maxAge int
}

// Error returns both.
func (e *oldLoginError) Error() string {
	if e.at.IsZero() {
		return fmt.Sprintf("auth_time is missing, max_age is %d s", e.maxAge)
	}
	return fmt.Sprintf("auth_time is %s, max_age is %d s", e.at.UTC().Format(time.RFC3339), e.maxAge)
}

// halfHash is the left half of a hash, by the algorithm of the ID token (OpenID Connect
// Core §3.1.3.6).
func halfHash(idToken, accessToken string) string {
	var sum []byte
	switch algorithm := algorithmOf(idToken); {
	case strings.HasSuffix(algorithm, "256"):
		full := sha256.Sum256([]byte(accessToken))
		sum = full[:16]
	case strings.HasSuffix(algorithm, "384"):
		full := sha512.Sum384([]byte(accessToken))
		sum = full[:24]
	default: // 512, and Ed25519
		full := sha512.Sum512([]byte(accessToken))
		sum = full[:32]
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// algorithmOf returns "alg" of a token after its signature was checked by it.
func algorithmOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)
	var members struct {
		Algorithm string `json:"alg"`
	}
	_ = json.Unmarshal(text, &members)
	return members.Algorithm
}

// unverifiedIssuer returns "iss" of a token that nothing was checked of.
func unverifiedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxToken {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	members, err := decodeObject(payload)
	if err != nil {
		return ""
	}
	iss, _ := members["iss"].(string)
	return iss
}

// decodeObject decodes one JSON object. Numbers are [json.Number], as they were written.
func decodeObject(text []byte) (map[string]any, error) {
	var members map[string]any
	if err := decodeOne(text, &members); err != nil || members == nil {
		return nil, errNoObject
	}
	return members, nil
}

// decodeOne decodes one JSON value, with nothing but white space behind it. Numbers are [json.Number].
func decodeOne(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF { // More would not see a closing bracket
		return errTextBehind
	}
	return nil
}
