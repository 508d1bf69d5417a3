package external_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// signing makes ID tokens by a function of the claims.
func signing(sign func(claims map[string]any) string) func(*browser) page {
	return quirk(authtest.Quirks{Sign: func(claims map[string]any) string {
		for name, value := range claims {
			if value == nil {
				delete(claims, name)
			}
		}
		return sign(claims)
	}})
}

// by signs with a key, which has the identifier of the provider's if named is set.
func by(t *testing.T, algorithm jwt.Algorithm, named bool) func(*browser) page {
	t.Helper()
	key, err := jwt.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return func(b *browser) page {
		if named {
			key = key.WithID(b.idp.Keys()[0].ID())
		}
		return signing(func(claims map[string]any) string {
			text, _ := jwt.Sign(key, "JWT", claims)
			return text
		})(b)
	}
}

func TestUnitARefusedIDTokenLeavesTheReasonInTheLog(t *testing.T) {
	unnamed := func(b *browser) page { // of two keys, and the token does not say which
		b.idp.Rotate(jwt.ES256)
		return signing(func(claims map[string]any) string {
			return b.idp.MintWith(map[string]any{"typ": "JWT", "kid": nil}, claims)
		})(b)
	}
	leavesTheReason(t, "INFO", nil, map[string]refused{
		"no iss": {claiming(func(c map[string]any) { c["iss"] = nil }),
			`the iss of the ID token is another issuer…want "IDP", see Issuer of the provider`, 400, "untrusted"},
		"no aud": {claiming(func(c map[string]any) { c["aud"] = nil }), "the ID token is refused: aud is missing", 400,
			"untrusted"},
		"no iat": {claiming(func(c map[string]any) { c["iat"] = nil }), "the ID token is refused: iat is missing", 400,
			"untrusted"},
		"no exp": {claiming(func(c map[string]any) { c["exp"] = nil }), "the ID token is refused: exp is missing", 400,
			"untrusted"},
		"an iat of the future": {claiming(func(c map[string]any) { c["iat"] = time.Now().Add(time.Hour).Unix() }),
			"the ID token is refused: iat is ahead of our clock by 59m", 400, "untrusted"},
		"an exp that is text": {claiming(func(c map[string]any) { c["exp"] = "soon" }),
			"the ID token is refused: exp is not a number of seconds since 1970", 400, "untrusted"},
		"a signature of another key of this name": {by(t, jwt.ES256, true),
			"the ID token is refused: …the signature of the token does not hold: another key signed it", 400,
			"untrusted"},
		"a signature of an unknown key": {by(t, jwt.ES256, false), "the ID token is refused: …kid", 400,
			"untrusted"},
		"a signature by a secret": {by(t, jwt.HS256, true),
			"the ID token is refused: alg of the header is not accepted", 400, "untrusted"},
		"no signature": {signing(func(claims map[string]any) string {
			payload, _ := json.Marshal(claims)
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
				base64.RawURLEncoding.EncodeToString(payload) + "."
		}), "the ID token is refused, and the provider did not sign it: …the token is not three parts", 400,
			"untrusted"},
		"no kid, and several keys": {unnamed, "the ID token is refused: …kid", 400, "untrusted"},
		"no ID token": {quirk(authtest.Quirks{Sign: func(map[string]any) string { return "" }}),
			"there is no ID token", 400, "untrusted"},
		"another at_hash": {claiming(func(c map[string]any) { c["at_hash"] = strings.Repeat("A", 22) }),
			"the ID token is not of this access token (at_hash)", 400, "untrusted"},
		"no nonce": {claiming(func(c map[string]any) { c["nonce"] = nil }), "the ID token has another nonce, or none",
			400, "untrusted"},
		"no subject": {claiming(func(c map[string]any) { c["sub"] = nil }), "the ID token is refused: sub", 400,
			"untrusted"},
	})
}
