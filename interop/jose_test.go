package interop

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestJoseVerifiesAccessTokensOfTheDemoAndNothingElse(t *testing.T) {
	program, url := node(t), demo(t)
	type verdict struct {
		Payload, Header map[string]any
		Code, Claim     string
	}
	var found struct{ Access, Tampered, Elsewhere, Refresh, RefreshAsRefresh verdict }
	outcome(t, &found, program, "js/verify.mjs", url)
	if found.Access.Payload["sub"] != "alice" || found.Access.Header["alg"] != "ES256" ||
		found.Access.Header["kid"] == nil {
		t.Errorf("the access token: %+v", found.Access)
	}
	if found.Tampered.Code != "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" {
		t.Errorf("another subject: %+v", found.Tampered)
	}
	if found.Elsewhere.Code != "ERR_JWT_CLAIM_VALIDATION_FAILED" || found.Elsewhere.Claim != "aud" {
		t.Errorf("another service: %+v", found.Elsewhere)
	}
	if found.Refresh.Code != "ERR_JWT_CLAIM_VALIDATION_FAILED" || found.Refresh.Claim != "typ" {
		t.Errorf("the refresh token as an access token: %+v", found.Refresh)
	}
	if found.RefreshAsRefresh.Payload["sub"] != "alice" {
		t.Errorf("the refresh token as such, which it is refused for nothing but its type: %+v", found.RefreshAsRefresh)
	}
}

// joseIssuer is an issuer made with jose, and a Verifier that knows its name.
func joseIssuer(t *testing.T) (url string, tokens *jwt.Verifier) {
	t.Helper()
	url = serve(t, "", node(t), "js/issuer.mjs")
	// Nothing is too recent to be fetched again: rotations here follow each other.
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: url, CoolDown: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err = jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
		Issuer: url, Audience: []string{"https://api.example"}, Keys: keys, User: jwt.SubjectUser,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return url, tokens
}

func TestTokensOfJoseAreAcceptedThroughRotations(t *testing.T) {
	url, tokens := joseIssuer(t)
	algorithms := []string{"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"}
	mint := func() map[string]string {
		all := map[string]string{}
		for _, algorithm := range algorithms {
			all[algorithm] = ask(t, url+"/mint", map[string]any{"alg": algorithm}, "token")
		}
		return all
	}
	check := func(sentence string, all map[string]string, want error) {
		t.Helper()
		for algorithm, token := range all {
			user, _, err := tokens.VerifyToken(t.Context(), token)
			if auth.KindOf(err) != want || want == nil && user.UserID() != "alice" {
				t.Errorf("%s, %s: %v %v", algorithm, sentence, user, err)
			}
		}
	}
	first := mint()
	check("of the first keys", first, nil)
	ask(t, url+"/rotate", nil, "")
	second := mint()
	check("of keys never seen", second, nil)
	check("of the keys before, still published", first, nil)
	ask(t, url+"/rotate", nil, "")
	check("of the keys after", mint(), nil)
	check("of keys still published", second, nil)
	check("of keys published no more", first, auth.ErrInvalid)
}

func TestTokensOfJoseThatAreNotForUsAreRefused(t *testing.T) {
	url, tokens := joseIssuer(t)
	for sentence, row := range map[string]struct {
		alg            string
		header, claims map[string]any
		want           error
	}{
		"one that is": {"RS256", nil, nil, nil},
		"of several audiences": {"RS256", nil,
			map[string]any{"aud": []string{"https://other.example", "https://api.example"}}, nil},
		"with the long name of its type": {"RS256", map[string]any{"typ": "application/at+jwt"}, nil, nil},
		"for another service": {"RS256", nil, map[string]any{"aud": "https://other.example"},
			auth.ErrInvalid},
		"expired": {"RS256", nil, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()},
			auth.ErrInvalid},
		"not good yet": {"RS256", nil, map[string]any{"nbf": time.Now().Add(time.Minute).Unix()},
			auth.ErrInvalid},
		"an ID token": {"RS256", map[string]any{"typ": "JWT"}, nil, auth.ErrInvalid},
		"of somebody else": {"RS256", nil, map[string]any{"iss": "https://other.example"},
			auth.ErrUnrecognized},
		"HS256 with the public key": {"confused", nil, nil, auth.ErrInvalid},
	} {
		token := ask(t, url+"/mint", map[string]any{"alg": row.alg, "header": row.header, "claims": row.claims},
			"token")
		if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != row.want {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	token := ask(t, url+"/mint", map[string]any{"alg": "RS256", "claims": map[string]any{"scope": "read"}}, "token")
	_, credential, err := tokens.VerifyToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if scopes, limited := credential.(auth.Scoped).Scopes(); !limited || !slices.Equal(scopes, []string{"read"}) {
		t.Errorf("one with a scope: got %q, limited %t, want read alone", scopes, limited)
	}
}
